"""What the command says about the options of a call: one entry for each field of the protocol."""

from __future__ import annotations

from typing import NamedTuple


class Option(NamedTuple):
    """An option of `TranslateOptions`; default and range are the protocol's (a test compares them)."""

    name: str
    meaning: str
    default: str = "the model's"
    range: str = ""

    @property
    def help(self) -> str:
        """The help text, as argparse takes it."""
        bounds = f"; range: {self.range}" if self.range else ""
        return f"{self.meaning} (default: {self.default}{bounds})".replace("%", "%%")


REQUEST = (
    Option("request_id", "name of the call in logs and replies; lines get ID-1, ID-2, …", "made by the server"),
    Option("priority", "greater is served earlier: a step is worth ten seconds of waiting", "0", "-10 … 10"),
)
SOURCE = (
    Option("truncate", "cut a source that is longer than the model reads, instead of refusing it", "false"),
    Option("split_sentences", "translate each sentence alone and join the results", "false"),
    Option("transfer_tags", "keep inline tags (<b>…</b>) around the aligned target words", "false"),
    Option("transfer_urls", "copy URLs unchanged to where they align", "false"),
    Option("transfer_emails", "copy e-mail addresses unchanged to where they align", "false"),
    Option("transfer_numbers", "copy numbers unchanged to where they align", "false"),
    Option("transfer_placeholders", "copy placeholders ({name}, %s) unchanged to where they align", "false"),
)
SEARCH = (
    Option("beam_size", "hypotheses kept at each step; 1 is greedy", "1", "1 … the model's max_beam_size"),
    Option(
        "num_hypotheses",
        "translations to return, best first; more than one of many lines needs --json",
        "1",
        "1 … beam_size; with sampling or return_alternatives 1 … the model's max_num_hypotheses",
    ),
    Option("patience", "beam search goes on until patience times beam size hypotheses are finished", "1", "> 0 … 1000"),
    Option("length_penalty", "exponent of the GNMT length penalty; 0 is off", "1", "0 … 10"),
    Option("coverage_penalty", "weight of the GNMT coverage penalty; 0 is off", "0", "0 … 10"),
    Option(
        "use_shortlist",
        "search only among the pieces of the model's shortlist",
        "true where the model ships a shortlist",
    ),
    Option("return_alternatives", "make each translation start with another piece after the prefix", "false"),
    Option("min_alternative_probability", "leave out alternatives less probable than this", "0", "0 … 1"),
)
SAMPLING = (
    Option(
        "top_k",
        "sample among this many best pieces; 1 takes the best, 0 means all",
        "0 when temperature or top_p is set, else 1",
        "0 … vocabulary size",
    ),
    Option("top_p", "sample among the fewest best pieces whose probabilities reach this sum", "1", "> 0 … 1"),
    Option("temperature", "divides the scores; less than 1 is bolder for the best pieces", "1", "> 0 … 100"),
    Option("seed", "the same call with the same seed gets the same result", "drawn by the server"),
)
CONSTRAINTS = (
    Option("target_prefix", "text that the translation starts with", "none"),
    Option("target_prefix_tokens", "the same as pieces, separated by spaces", "none"),
    Option("prefix_bias", "0 forces the prefix, greater values let the model differ", "0", "0 … < 1"),
    Option("min_length", "at least this many pieces", "0", "0 … max_length"),
    Option(
        "max_length",
        "at most this many pieces; set alone, it switches ratio and offset off",
        "the model's max_length, further bounded by max_length_ratio and max_length_offset",
        "1 … the model's max_length",
    ),
    Option("max_length_ratio", "at most this many times the source's pieces", "2", "> 0 … 100"),
    Option("max_length_offset", "pieces added to the bound of the ratio", "10", "0 … the model's max_length"),
    Option(
        "repetition_penalty", "multiplies the log-probabilities of pieces already produced; 1 is off", "1", "> 0 … 10"
    ),
    Option("no_repeat_ngram_size", "produce no n-gram of this many pieces twice; 0 is off", "0", "0 … 100"),
    Option("repetition_guard", "stop a translation that loops over the same pieces", "false"),
    Option("disable_unknown", "never produce the unknown symbol", "false"),
    Option("replace_unknowns", "replace unknown symbols by the source words that they attend to", "false"),
    Option("suppress_sequences", "pieces, separated by spaces, never to produce in this order; repeatable", "none"),
    Option("end_tokens", "a piece that ends the translation; repeatable", "none"),
)
OUTPUT = (
    Option("scores", "print the log-probability per piece and a tab before each text", "false"),
    Option("token_scores", "return the log-probability of each piece", "false"),
    Option("tokens", "return the pieces of source and target", "false"),
    Option("alignment", "return from where in the source each part of the target comes", "none"),
    Option("alignment_unit", "what the alignment connects", "word"),
    Option("alignment_min_weight", "least weight that a soft alignment returns", "0.05", "0 … 1"),
    Option("timing", "return how long each stage took", "true"),
    Option("stream_flush_tokens", "pieces that --stream waits for", "1", "1 … the model's max_length"),
)
