"""Quality: BLEU and chrF of greedy output, by the sacrebleu library, with the signatures that make them comparable."""

from collections.abc import Sequence
from dataclasses import dataclass

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from models.greedy import translate
from models.seq2seq import Seq2Seq
from models.tokenizer import Tokenizer


@dataclass(frozen=True)
class Scores:
    """Hold corpus scores, 0 to 100, with their sacrebleu signatures (Post 2018)."""

    bleu: float
    chrf: float
    bleu_signature: str
    chrf_signature: str


def evaluate(model: Seq2Seq, tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]]) -> Scores:
    """Translate the sources of `pairs` greedily and compare with their targets, cased and detokenized."""
    return score(translations(model, tokenizer, pairs), [target for _, target in pairs])


def translations(model: Seq2Seq, tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Translate the sources of `pairs` greedily; there may be none."""
    model.eval()
    return tokenizer.decode(translate(model, tokenizer.encode([source for source, _ in pairs])))


def score(hypotheses: Sequence[str], references: Sequence[str]) -> Scores:
    """Score hypotheses against one reference each."""
    bleu, chrf = BLEU(), CHRF()
    return Scores(
        bleu=bleu.corpus_score(list(hypotheses), [list(references)]).score,
        chrf=chrf.corpus_score(list(hypotheses), [list(references)]).score,
        bleu_signature=str(bleu.get_signature()),
        chrf_signature=str(chrf.get_signature()),
    )
