"""Which golden sentences an export keeps."""

from pathlib import Path

import pytest
import torch

from export.errors import GoldenError
from export.exporter import Options, export
from export.golden import MARGINS, golden_translations, greedy
from export.halved import halve
from export.quantized import quantize
from models import greedy as reference
from models.checkpoint import load_best
from models.seq2seq import Seq2Seq
from models.tokenizer import Tokenizer
from service.parts import FP16, FP32, INT8, Limits
from tests.earlier_bundles import TABLES, unpack
from tests.unit.export.factories import GOLDEN, make_run

pytestmark = pytest.mark.torch

LIMITS = Limits(max_source_tokens=30, max_length=12)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Seq2Seq, Tokenizer]:
    """Load a model and its vocabulary."""
    _, tokenizer, model, _ = load_best(make_run(tmp_path_factory.mktemp("golden") / "run"), torch.device("cpu"))
    return model, tokenizer


@pytest.mark.parametrize("precisions", [(FP32,), (INT8,), (FP32, FP16, INT8)])
def test_translations_are_those_of_greedy_search(
    loaded: tuple[Seq2Seq, Tokenizer], precisions: tuple[str, ...]
) -> None:
    """Of each precision, in which all are clear-cut."""
    model, tokenizer = loaded
    models = {
        precision: {FP32: model, FP16: halve(model), INT8: quantize(model)}[precision] for precision in precisions
    }
    kept = golden_translations(models, tokenizer, GOLDEN, LIMITS)
    assert len(kept) == 8
    for example in kept:
        assert [list(example.source_ids)] == tokenizer.encode([example.source])
        assert tuple(example.outputs) == precisions
        margins = []
        for precision, output in example.outputs.items():
            assert [list(output.ids)] == reference.greedy(models[precision], [example.source_ids], [LIMITS.max_length])
            assert output.text == tokenizer.decode([output.ids])[0]
            margins.append(greedy(models[precision], example.source_ids, LIMITS.max_length)[1])
            assert margins[-1] >= MARGINS[precision]
        assert example.margin == round(min(margins), 4)


@torch.no_grad()
def test_margin_is_the_closest_call(loaded: tuple[Seq2Seq, Tokenizer]) -> None:
    model, tokenizer = loaded
    (source,) = tokenizer.encode([GOLDEN[0]])
    ids, margin, word = greedy(model, source, 12)
    memory, state = model.encode(torch.tensor([source]), torch.tensor([len(source)]))
    gaps, previous = [], 2
    for _ in range(len(ids) + (len(ids) < 12)):
        logits, state, _ = model.step(torch.tensor([[previous]]), state, memory)
        best = logits[0, 0].log_softmax(-1).sort(descending=True)
        gaps.append(float(best.values[0] - best.values[1]))
        previous = int(best.indices[0])
    assert margin == pytest.approx(min(gaps), abs=1e-5)
    assert word == gaps.index(min(gaps)) + 1


def test_close_calls_are_refused_by_name(
    loaded: tuple[Seq2Seq, Tokenizer], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model, tokenizer = loaded
    margins = {s: greedy(model, tokenizer.encode([s])[0], 12)[1] for s in GOLDEN[:5]}
    clearest = max(margins, key=lambda sentence: margins[sentence])
    monkeypatch.setitem(MARGINS, FP32, margins[clearest])
    assert [example.source for example in golden_translations({FP32: model}, tokenizer, [clearest], LIMITS)] == [
        clearest
    ]
    with pytest.raises(GoldenError, match="1 golden sentences are clear-cut, 3 are needed") as refused:
        golden_translations({FP32: model}, tokenizer, list(margins), LIMITS)
    for sentence in margins.keys() - {clearest}:
        assert repr(sentence) in str(refused.value)
        assert repr(sentence) in caplog.text


@pytest.mark.parametrize("sentence", ["", " ", "mira " * 40])
def test_sentence_that_cannot_be_served_is_refused(loaded: tuple[Seq2Seq, Tokenizer], sentence: str) -> None:
    with pytest.raises(GoldenError, match="1 to 30 are allowed"):
        golden_translations({FP32: loaded[0]}, loaded[1], [sentence], LIMITS)


def test_advice_fits_the_origin(tmp_path: Path) -> None:
    """A run has a recipe, a bundle that is exported again has none; the limit here leaves no sentence."""
    run, bundle = make_run(tmp_path / "run"), unpack(TABLES, tmp_path / "bundle")
    for origin, advice in (
        (run, r"give the recipe \(data.golden\) others, or train on"),
        (bundle, "they are this bundle's own: export it in fewer precisions, or its run with others"),
    ):
        with pytest.raises(GoldenError, match=f"0 golden .* needed: {advice}. Left out: "):
            export(Options(origin, tmp_path / "repository" / "en-de", limits=Limits(max_source_tokens=1, max_length=9)))
