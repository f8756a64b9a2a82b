"""What happens to a text around the search: sentences, truncation, transfers, a glossary, unknown words."""

import re
from typing import Any

import pytest

from seq2serve import Client, GlossaryTerm, Tokens

DOG = "The dog sleeps on the carpet."
LETTER = "  Dear all,\n\nI hope you are well. The weather is good here!\n\n\n\tWe swim every day. Are you at home?\n"
SPLIT: tuple[dict[str, Any], ...] = (
    {},
    {"beam_size": 4, "length_penalty": 0.6},
    {"min_length": 3, "no_repeat_ngram_size": 2},
    {"transfer_tags": True, "transfer_numbers": True},
)


@pytest.mark.parametrize("options", SPLIT)
def test_sentences_are_translated_alone_and_joined(client: Client, options: dict[str, Any]) -> None:
    """Each gets the translation that it gets alone; what stood between them stands between the translations."""
    reply = client.translate(LETTER, split_sentences=True, **options)
    assert [sentence.source for sentence in reply.sentences] == [
        "Dear all,", "I hope you are well.", "The weather is good here!", "We swim every day.", "Are you at home?",
    ]  # fmt: skip
    expected = LETTER
    for sentence in reply.sentences:
        assert sentence.target == client.translate(sentence.source, **options).text
        expected = expected.replace(sentence.source, sentence.target)
    assert reply.text == expected
    assert reply.usage.source_tokens == sum(
        client.translate(sentence.source).usage.source_tokens for sentence in reply.sentences
    )


def test_scores_of_sentences_add_up(client: Client) -> None:
    """The reply's log-probability is the sum of the sentences', and its score divides by all their pieces."""
    reply = client.translate(LETTER, split_sentences=True, scores=True, tokens=True)
    alone = [client.translate(sentence.source, scores=True, tokens=True) for sentence in reply.sentences]
    ids = [one.hypotheses[0].token_ids for one in alone]
    total = sum(one.hypotheses[0].log_probability or 0 for one in alone)
    ends = sum(one.hypotheses[0].finish_reason == "eos" for one in alone)
    assert reply.hypotheses[0].token_ids == sum(ids, ())
    assert reply.hypotheses[0].log_probability == pytest.approx(total, rel=1e-5)
    assert reply.hypotheses[0].score == pytest.approx(total / (sum(map(len, ids)) + ends), rel=1e-5)
    assert [sentence.score for sentence in reply.sentences] == pytest.approx([one.hypotheses[0].score for one in alone])


def test_long_paragraph_is_translated_sentence_by_sentence(client: Client) -> None:
    """2,000 words are no trouble; every sentence comes out once, in its place."""
    numbers = range(100, 225)
    text = " ".join(
        f"My old neighbour gave {number} apples and pears to the children of our village last year."
        for number in numbers
    )
    assert len(text.split()) == 2000
    reply = client.translate(text, split_sentences=True, transfer_numbers=True)
    assert [sentence.source for sentence in reply.sentences] == re.split(r"(?<=\.) ", text)
    for number, sentence in zip(numbers, reply.sentences, strict=True):
        assert str(number) in sentence.target
    assert " ".join(sentence.target for sentence in reply.sentences) == reply.text


def test_long_sentence_is_cut_where_it_must_be(client: Client) -> None:
    """A sentence above the limit is translated in parts of which none is, and no word of it is lost."""
    text = ", ".join(f"the train to the coast leaves at {hour} in the evening" for hour in range(40)) + "."
    reply = client.translate(text, split_sentences=True)
    assert len(reply.sentences) > 1
    assert " ".join(sentence.source for sentence in reply.sentences) == text
    assert reply.usage.truncated_source_tokens == 0


def test_truncated_source_is_its_beginning(client: Client) -> None:
    """The first 256 pieces are translated as if they were all, and the reply says what was cut off."""
    text = "The train leaves soon. " * 80
    reply = client.translate(text, truncate=True, tokens=True, max_length=20)
    assert len(reply.source_tokens) == reply.usage.source_tokens == 256
    assert reply.usage.truncated_source_tokens > 0
    assert "truncated" in {notice.reason for notice in reply.warnings}
    assert reply.text == client.translate(Tokens(reply.source_tokens), max_length=20).text
    short = client.translate(DOG, truncate=True)
    assert (short.text, short.usage.truncated_source_tokens, short.warnings) == (client.translate(DOG).text, 0, ())


@pytest.mark.parametrize("beam_size", [1, 4])
def test_unknown_words_are_replaced(client: Client, beam_size: int) -> None:
    """Where the model says the unknown symbol, the reply has the source word that it attends to."""
    plain = client.translate("The city of 東京 is large.", beam_size=beam_size)
    replaced = client.translate("The city of 東京 is large.", beam_size=beam_size, replace_unknowns=True)
    assert "⁇" in plain.text
    assert re.sub(r"\s*⁇\s*", " 東京 ", plain.text) == replaced.text
    assert [notice.reason for notice in replaced.warnings] == ["unknown_words"]
    assert replaced.usage.unknown_source_tokens == 1


TRANSFERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "URL": (
        "Look at https://example.org/a?b=1&c=2 for the timetable.",
        {"transfer_urls": True},
        "https://example.org/a?b=1&c=2",
    ),
    "e-mail": (
        "Please send it to otto.meier@example.com tomorrow.",
        {"transfer_emails": True},
        "otto.meier@example.com",
    ),
    "number": ("Call 030-2284-9917 before noon.", {"transfer_numbers": True}, "030-2284-9917"),
    "named placeholder": ("Good evening {name}, we are here.", {"transfer_placeholders": True}, "{name}"),
    "placeholder": ("He has %d new friends.", {"transfer_placeholders": True}, "%d"),
    "term": (DOG, {"glossary": {"carpet": "Läufer"}}, "Läufer"),
    "term in any case": (DOG, {"glossary": [GlossaryTerm("CARPET", "Läufer", case_sensitive=False)]}, "Läufer"),
}


@pytest.mark.parametrize("beam_size", [1, 4])
@pytest.mark.parametrize("case", TRANSFERS)
def test_item_is_transferred(client: Client, case: str, beam_size: int) -> None:
    """What the model alone would change comes out once, as it went in or as the glossary has it."""
    text, options, item = TRANSFERS[case]
    assert item not in client.translate(text, beam_size=beam_size).text
    reply = client.translate(text, beam_size=beam_size, **options)
    assert reply.text.count(item) == 1
    assert not reply.warnings


def test_all_is_transferred_at_once(client: Client) -> None:
    """Items of every kind keep out of each other's way."""
    text = 'Write to <a href="/x">otto@example.com</a> or see https://example.org about the 12,000 {things}.'
    reply = client.translate(
        text, transfer_tags=True, transfer_urls=True, transfer_emails=True, transfer_numbers=True,
        transfer_placeholders=True, glossary={"about": "betreffs"},
    )  # fmt: skip
    for item in ('<a href="/x">', "</a>", "otto@example.com", "https://example.org", "12,000", "{things}", "betreffs"):
        assert reply.text.count(item) == 1, item


@pytest.mark.parametrize("beam_size", [1, 4])
@pytest.mark.parametrize(
    "text",
    [
        "Please read <i>this letter</i> tomorrow.",
        'The <a href="x"><b>red</b> car</a> is <u>new</u>.',
        "We live<br/> in a small house.",
        "<p>We live in a small house.</p>",
    ],
)
def test_tags_are_transferred(client: Client, text: str, beam_size: int) -> None:
    """The tags come out in pairs and nested as in the source, around the translation of the bare text."""
    tag = re.compile(r"<[^>]*>")
    reply = client.translate(text, beam_size=beam_size, transfer_tags=True)
    assert sorted(tag.findall(reply.text)) == sorted(tag.findall(text))
    opened: list[str] = []
    for name in re.findall(r"<(/?\w+)[^>]*(?<!/)>", reply.text):
        if name.startswith("/"):
            assert opened.pop() == name[1:]
        else:
            opened.append(name)
    assert not opened
    bare = client.translate(" ".join(tag.sub("", text).split()), beam_size=beam_size)
    assert " ".join(tag.sub("", reply.text).split()) == bare.text


def test_unused_term_is_told(client: Client) -> None:
    """A term that the source does not hold, or not in this case, changes nothing but for a notice."""
    reply = client.translate(DOG, glossary={"CARPET": "Läufer", "dog": "Köter"})
    assert [(notice.reason, notice.field) for notice in reply.warnings] == [("glossary_unused", "glossary[0]")]
    assert "Köter" in reply.text
    assert "Läufer" not in reply.text
