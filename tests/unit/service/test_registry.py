"""Which version a request means, where none is named."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from seq2serve.v1 import model_pb2, translation_pb2
from service.aliases import Alias
from service.bundle import read_bundle
from service.call import Call
from service.errors import ModelNotReady, NotServed
from service.limits import EdgeLimits
from service.model import Model
from service.registry import Registry, State, Status
from service.scoring import score
from service.servicer import ModelServicer
from service.translator import Translator
from tests.server_process import ROOT

LIMITS = EdgeLimits(1 << 16, 100, 100, 96)
MANIFEST = read_bundle(ROOT / "model_repository" / "en-de" / "1").manifest


def make_model(version: int, name: str = "en-de") -> Model:
    """Make what a registry and a description need of a model; each version has a vocabulary of its own."""
    vocabulary = SimpleNamespace(encode=lambda text: [version] * len(text))
    facts = SimpleNamespace(precision="int8", provider="CPUExecutionProvider", loaded_at=0.0)
    known = SimpleNamespace(
        name=name, version=version, manifest=MANIFEST, vocabulary=vocabulary, facts=facts, has_attention=True
    )
    return cast(Model, known)


@pytest.fixture
def registry() -> Registry:
    """Hold three versions of one model and one of another."""
    registry = Registry("en-de")
    for model in (make_model(1), make_model(2), make_model(3), make_model(1, "other")):
        registry.add(model)
    return registry


def test_the_usual_version_is_drawn_by_no_weight(registry: Registry) -> None:
    """It is the highest, or `stable`, however much of the requests other aliases take."""
    assert registry.usual("en-de").version == 3
    registry.set_alias("en-de", Alias("canary", 3, 1.0))
    registry.set_alias("en-de", Alias("stable", 1))
    assert {registry.usual("en-de").version for _ in range(20)} == {1}
    assert registry.find("en-de", None, "", "").version == 3
    with pytest.raises(NotServed):
        registry.usual("de-en")


def test_models_are_listed_once(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many versions there are, and by the one that answers; so is one that is asked for by its name."""
    monkeypatch.setattr("service.servicer.describe", lambda model, *_: model_pb2.Model(**vars(brief(model))))
    servicer = ModelServicer(registry, LIMITS)
    registry.set_alias("en-de", Alias("stable", 2))
    listed = asyncio.run(servicer.ListModels(model_pb2.ListModelsRequest(), None)).models
    assert [(model.name, model.version) for model in listed] == [("en-de", 2), ("other", 1)]
    registry.set_alias("en-de", Alias("canary", 3, 1.0))
    for ref, version in (({}, 2), ({"name": "en-de"}, 2), ({"alias": "canary"}, 3), ({"version": 1}, 1)):
        asked = model_pb2.GetModelRequest(model=model_pb2.ModelRef(**cast(dict[str, Any], ref)))
        assert asyncio.run(servicer.GetModel(asked, None)).model.version == version


def brief(model: Model) -> SimpleNamespace:
    return SimpleNamespace(name=model.name, version=model.version)


def test_a_score_is_of_the_version_that_cut_the_target(registry: Registry) -> None:
    """A weight draws once for a call: its target's pieces are of the model that is asked to score them."""
    registry.set_alias("en-de", Alias("canary", 1, 0.5))
    draws: Iterator[float] = iter([0.9, 0.1] * 20)  # the second draw would always say another version
    registry._aliases["en-de"]._draw = lambda: next(draws)
    met: list[tuple[int, tuple[int, ...]]] = []

    async def translate(
        message: translation_pb2.TranslateRequest, call: Call, forced: tuple[int, ...]
    ) -> translation_pb2.TranslateResponse:
        met.append((message.model.version, forced))
        return translation_pb2.TranslateResponse(hypotheses=[translation_pb2.Hypothesis()])

    translator = cast(Translator, SimpleNamespace(registry=registry, limits=LIMITS, translate=translate))
    for _ in range(10):
        message = translation_pb2.ScoreRequest(source_text="a house", target_text="abc")
        asyncio.run(score(translator, message, Call("1", "/Score", "")))
    assert len(met) == 10
    assert all(pieces == (version,) * 3 for version, pieces in met)


READY = """
import asyncio, sys
from types import SimpleNamespace
from service.kserve.servicer import InferenceServicer
from service.kserve.stubs import inference_pb2
from service.registry import Registry, State, Status

registry = Registry("en-de")
manifest = SimpleNamespace(source_language="en", target_language="de")
registry.add(SimpleNamespace(name="en-de", version=3, manifest=manifest))
registry.statuses["en-de", 4] = Status(State.LOADING)
servicer = InferenceServicer(SimpleNamespace(registry=registry), SimpleNamespace(serving=True), asyncio.Event())
for version in sys.argv[1:]:
    asked = inference_pb2.ModelReadyRequest(name="en-de", version=version)
    print(version, asyncio.run(servicer.ModelReady(asked, None)).ready)
"""


def test_a_version_that_is_being_loaded_is_not_ready(registry: Registry) -> None:
    """KServe's question has an answer, as for one that is not served at all."""
    registry.statuses["en-de", 4] = Status(State.LOADING)
    with pytest.raises(ModelNotReady):
        registry.find("en-de", 4, "", "")
    # In a process of its own: tests of this one bring the same messages in tritonclient's wheel.
    command = [sys.executable, "-c", READY, "3", "4", "9"]
    answered = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert answered.split() == ["3", "True", "4", "False", "9", "False"]
