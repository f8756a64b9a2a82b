"""BLEU and chrF of greedy output."""

import pytest
import sacrebleu

from models.evaluation import score

pytestmark = pytest.mark.torch

REFERENCES = [
    "Der alte Hund schläft vor der Tür.",
    "Morgen fahren wir mit dem Zug ans Meer.",
    "Wer hat das Brot gekauft?",
]
HYPOTHESES = ["Der alte Hund schläft an der Tür.", "Morgen fahren wir mit dem Auto ans Meer.", "Wer kaufte Brot?"]


def test_scores_are_sacrebleus() -> None:
    """BLEU and chrF are what the sacrebleu library's functions give, with one reference a sentence."""
    scores = score(HYPOTHESES, REFERENCES)
    assert scores.bleu == sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES]).score
    assert scores.chrf == sacrebleu.corpus_chrf(HYPOTHESES, [REFERENCES]).score
    assert 0 < scores.bleu < 100


def test_a_perfect_translation_scores_a_hundred() -> None:
    """The references themselves score 100 in both."""
    scores = score(REFERENCES, REFERENCES)
    assert scores.bleu == pytest.approx(100)
    assert scores.chrf == pytest.approx(100)


def test_signatures_say_what_was_measured() -> None:
    """The signatures say: one reference, cased, the 13a tokenizer, and the library's version."""
    scores = score(HYPOTHESES, REFERENCES)
    assert f"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:{sacrebleu.__version__}" == scores.bleu_signature
    assert f"nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:{sacrebleu.__version__}" == scores.chrf_signature


def test_case_counts() -> None:
    """Scores are cased: lower-cased output scores less."""
    assert score([text.lower() for text in REFERENCES], REFERENCES).bleu < 90
