"""The proof of a bundle: golden translations, which its exporter made, come out the same by the code that serves."""

from dataclasses import replace

from service.bundle import Bundle
from service.core.interface import REPLAYED
from service.engine import Engine
from service.errors import BundleError, ParityError
from service.intake import Intake


def replay_golden(bundle: Bundle, precision: str, intake: Intake, engine: Engine) -> None:
    """Translate the golden sentences as requests are, by every graph; this also warms the sessions up.

    The engine is stepped here, and has to take three requests for each sentence into its line.

    Raises:
        BundleError: the vocabulary splits a sentence otherwise than training did.
        ParityError: a translation differs.
    """
    manifest = bundle.manifest
    whole = (manifest.special_ids.eos,)  # as a further end it changes nothing, but takes whole distributions
    replayed = []
    for example in manifest.golden[:REPLAYED]:
        ids = intake.vocabulary.encode(example.source)
        if tuple(ids) != example.source_ids:
            why = f"splits the golden sentence {example.source!r} into other pieces than training"
            raise BundleError(bundle.file(manifest.vocabulary.file), why)
        plain = intake.plain_options(len(ids), False)
        for options in (plain, replace(plain, scored=True), replace(plain, end_ids=whole)):
            replayed.append((example, intake.request(ids, options)))
            engine.submit(replayed[-1][1])
    while engine.scheduler.busy:
        engine.step()
    for example, request in replayed:
        expected = example.outputs.get(precision)
        if request.error is not None or (expected and request.hypotheses[0].ids != expected.ids):
            got = (
                f"an error ({engine.cause!r})"
                if request.error
                else repr(intake.vocabulary.decode(request.hypotheses[0].ids))
            )
            wanted = repr(expected.text) if expected else "a translation"
            raise ParityError(
                bundle.file(manifest.graph("step", precision).file),
                f"golden sentence {example.source!r} gives {got}, the exported model gave {wanted}",
            ) from engine.cause
