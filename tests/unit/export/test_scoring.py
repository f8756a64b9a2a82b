"""Which scores a bundle records, and what int8 may cost."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from export import scoring
from export.errors import QualityError
from export.scoring import score_texts
from models.evaluation import Scores
from models.seq2seq import Seq2Seq
from models.tokenizer import Tokenizer
from service.parts import Score

pytestmark = pytest.mark.torch

TEXTS = [(Path("/data/own/test.tsv"), [("mira", "luto")])]
EARLIER = [
    Score(metric="BLEU", value=11, dataset="own/test.tsv"),
    Score(metric="BLEU", value=10, dataset="own/test.tsv (in int8)"),
    Score(metric="BLEU", value=10, dataset="own/test.tsv (in fp16)"),
    Score(metric="BLEU", value=12, dataset="valid.tsv (in training)"),
    Score(metric="BLEU", value=9, dataset="own/valid.tsv (in int8)"),
]


def recorded(monkeypatch: pytest.MonkeyPatch, precisions: tuple[str, ...], **bleu: float) -> dict[str, float]:
    """Score stand-ins for a model in fp32 and int8; gives BLEU by dataset."""

    def evaluate(model: float, tokenizer: object, pairs: Sequence[tuple[str, str]]) -> Scores:
        assert pairs == TEXTS[0][1]
        return Scores(bleu=model, chrf=50, bleu_signature="b", chrf_signature="c")

    monkeypatch.setattr(scoring, "evaluate", evaluate)
    models = {precision: cast(Seq2Seq, value) for precision, value in bleu.items()}
    scores = score_texts(TEXTS, cast(Tokenizer, None), models, precisions, EARLIER)
    return {score.dataset: score.value for score in scores if score.metric == "BLEU"}


def test_float_model_replaces_its_earlier_score(monkeypatch: pytest.MonkeyPatch) -> None:
    assert recorded(monkeypatch, ("fp32",), fp32=30) == {
        "own/test.tsv": 30, "valid.tsv (in training)": 12, "own/valid.tsv (in int8)": 9,
    }  # fmt: skip


def test_int8_model_has_its_own_score_and_names_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert recorded(monkeypatch, ("int8",), fp32=30, int8=29.8) == {
        "own/test.tsv": 29.8, "valid.tsv (in training) (in fp32)": 12, "own/valid.tsv": 9,
    }  # fmt: skip
    assert "BLEU on own/test.tsv: fp32 30.00, int8 29.80" in caplog.text


def test_each_precision_has_its_score(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one in fp32 goes without saying, and what was recorded so is read again."""
    assert recorded(monkeypatch, ("fp32", "int8"), fp32=30, int8=29.8) == {
        "own/test.tsv": 30, "own/test.tsv (in int8)": 29.8, "valid.tsv (in training)": 12, "own/valid.tsv (in int8)": 9,
    }  # fmt: skip


@pytest.mark.parametrize("precisions", [("int8",), ("fp32", "int8")])
def test_int8_that_costs_too_much_is_refused(monkeypatch: pytest.MonkeyPatch, precisions: tuple[str, ...]) -> None:
    with pytest.raises(
        QualityError, match=r"own/test.tsv: fp32 30.00, int8 29.60; it may lose 0.3: .*without --precision int8"
    ):
        recorded(monkeypatch, precisions, fp32=30, int8=29.6)


def test_fp16_may_cost_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named like int8, and read again."""
    found = recorded(monkeypatch, ("fp32", "fp16"), fp32=30, fp16=29.95)
    assert found["own/test.tsv (in fp16)"] == 29.95
    with pytest.raises(QualityError, match=r"fp32 30.00, fp16 29.80; it may lose 0.1: .*without --precision fp16"):
        recorded(monkeypatch, ("fp32", "fp16"), fp32=30, fp16=29.8)
