"""Requests whose translations are compared with the reference's, and what their options mean to a search."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy
import sentencepiece

from seq2serve.options import TranslateOptions
from service.options import Ids, Sampling, SearchOptions

UNUSUAL = (  # sources with signs that the bundled vocabulary does not know: the model answers with unknowns, and loops
    "My name is 田中.",
    "He shouted “Œuvre ☃!”",
    "The temperature is 20 ℃ § today ™.",
    "Ελλάδα is beautiful.",
)
LONGEST = 256  # target pieces that the bundled model allows
BEAMS = {1: 1, 2: 1, 5: 3, 12: 12}  # and how many hypotheses each returns
SEARCHES: dict[str, TranslateOptions] = {  # each with every beam
    "plain": {},
    "patience": {"patience": 2.5},
    "no length penalty": {"length_penalty": 0.0},
    "length penalty": {"length_penalty": 2.0},
    "coverage penalty": {"coverage_penalty": 0.4},
    "repetition penalty": {"repetition_penalty": 1.5},
    "n-grams once": {"no_repeat_ngram_size": 1},
    "guard": {"repetition_guard": True, "min_length": 38, "max_length": 40},  # which makes a model loop
    "min length": {"min_length": 14, "max_length": 30},
    "max length": {"max_length": 6},
    "no unknown": {"disable_unknown": True},
    "suppressed": {"suppress_sequences": [["."], ["▁ist"], ["▁Tom", "▁war"], ["▁Ich", "▁habe", "▁es"]]},
    "end tokens": {"end_tokens": [",", "▁und", "▁die"]},
    "prefix": {"target_prefix": "Das ist"},
    "biased prefix": {"target_prefix_tokens": ["▁Ich", "▁habe"], "prefix_bias": 0.7},
    "together": {
        "length_penalty": 0.6, "coverage_penalty": 0.2, "repetition_penalty": 1.2, "no_repeat_ngram_size": 2,
        "disable_unknown": True, "min_length": 4, "suppress_sequences": [["▁nicht", "▁so"], ["!"]], "patience": 1.5,
    },
    "together with a prefix": {
        "target_prefix_tokens": ["▁Ich"], "repetition_penalty": 0.8, "end_tokens": ["?", ","], "min_length": 3,
        "repetition_guard": True, "length_penalty": 1.4,
    },
}  # fmt: skip
INDEPENDENT: dict[str, TranslateOptions] = {  # no beam
    "sampling": {"temperature": 1.0, "num_hypotheses": 3, "seed": 2**64 - 1},
    "top k": {"top_k": 5, "num_hypotheses": 2, "seed": 1},
    "top p": {"top_p": 0.8, "num_hypotheses": 2, "seed": 0},
    "sampling together": {
        "top_k": 20, "top_p": 0.9, "temperature": 0.7, "num_hypotheses": 3, "seed": 12345, "repetition_penalty": 1.3,
        "no_repeat_ngram_size": 3, "min_length": 3, "suppress_sequences": [["."]], "end_tokens": [","],
    },
    "sampling with a prefix": {"temperature": 1.3, "seed": 7, "target_prefix": "Das", "length_penalty": 0.0},
    "sampling with a biased prefix": {"top_k": 30, "seed": 8, "target_prefix": "Das ist", "prefix_bias": 0.5},
    "alternatives": {"return_alternatives": True, "num_hypotheses": 4},
    "alternatives to a prefix": {
        "return_alternatives": True, "num_hypotheses": 5, "target_prefix": "Das ist",
        "min_alternative_probability": 0.05, "disable_unknown": True,
    },
}  # fmt: skip


@dataclass(frozen=True)
class OptionSet:
    """Name one set of options; `beam` is 0 where it has none."""

    name: str
    beam: int
    options: TranslateOptions


def option_sets() -> list[OptionSet]:
    """List every search with every beam, and what has none."""
    beams = [
        OptionSet(name, beam, {**options, "beam_size": beam, "num_hypotheses": returned})
        for name, options in SEARCHES.items()
        for beam, returned in BEAMS.items()
    ]
    return beams + [OptionSet(name, 0, options) for name, options in INDEPENDENT.items()]


def search_options(options: TranslateOptions, source_length: int, vocabulary: Path) -> SearchOptions:
    """Say what the server must make of a request's options, for a source of so many pieces."""
    processor = _processor(vocabulary)
    # The protocol carries 32 bits.
    given: dict[str, Any] = {
        name: float(numpy.float32(value)) if isinstance(value, float) else value for name, value in options.items()
    }

    def ids(pieces: Sequence[str]) -> Ids:
        return tuple(map(processor.piece_to_id, pieces))

    prefix = tuple(processor.encode(given.pop("target_prefix", "")))
    sampled = {name: given.pop(name) for name in ("top_k", "top_p", "temperature", "seed") if name in given}
    return SearchOptions(
        max_length=given.pop("max_length", min(LONGEST, 2 * source_length + 10)),
        sampling=Sampling(**sampled) if sampled else None,
        alternatives=given.pop("return_alternatives", False),
        suppressed=tuple(map(ids, given.pop("suppress_sequences", ()))),
        end_ids=ids(given.pop("end_tokens", ())),
        prefix=prefix or ids(given.pop("target_prefix_tokens", ())),
        **given,
    )


@cache
def _processor(vocabulary: Path) -> Any:
    return sentencepiece.SentencePieceProcessor(model_file=str(vocabulary))
