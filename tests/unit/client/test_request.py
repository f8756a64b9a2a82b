import pytest

from seq2serve import GlossaryTerm, Tokens
from seq2serve.request import batch_request, bulk_requests, model_ref, score_request, translate_request
from seq2serve.v1 import model_pb2, options_pb2, translation_pb2


def build(source="hi", **options):
    return translate_request(source, options)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", model_pb2.ModelRef()),
        ("en-de", model_pb2.ModelRef(name="en-de")),
        ("en-de:3", model_pb2.ModelRef(name="en-de", version=3)),
        ("en-de:stable", model_pb2.ModelRef(name="en-de", alias="stable")),
    ],
)
def test_model_names(text: str, expected: model_pb2.ModelRef) -> None:
    assert model_ref(text) == expected


def test_nothing_is_sent_that_was_not_set() -> None:
    assert build(model="", scores=None, max_length=None) == translation_pb2.TranslateRequest(text="hi")


def test_each_option_lands_in_its_message() -> None:
    request = build(
        model="en-de:1",
        source_language="en",
        target_language="de",
        request_id="r",
        glossary={"cat": "Katze"},
        target_prefix="Die",
        prefix_bias=0.5,
        truncate=True,
        beam_size=4,
        suppress_sequences=[["a", "b"]],
        end_tokens=["."],
        alignment="soft_sparse",
        alignment_unit="piece",
        timing=False,
    )
    assert request == translation_pb2.TranslateRequest(
        text="hi",
        model=model_pb2.ModelRef(name="en-de", version=1),
        source_language="en",
        target_language="de",
        request_id="r",
        target_prefix="Die",
        prefix_bias=0.5,
        glossary=[translation_pb2.GlossaryTerm(source="cat", target="Katze")],
        input=options_pb2.InputOptions(truncate=True),
        options=options_pb2.DecodeOptions(
            beam_size=4,
            suppress_sequences=[options_pb2.Tokens(pieces=["a", "b"])],
            end_tokens=["."],
        ),
        output=options_pb2.OutputOptions(
            alignment=options_pb2.ALIGNMENT_MODE_SOFT_SPARSE,
            alignment_unit=options_pb2.ALIGNMENT_UNIT_PIECE,
            timing=False,
        ),
    )


def test_source_and_prefix_as_pieces() -> None:
    pieces = options_pb2.Tokens(pieces=["a", "b"])
    assert build(Tokens(["a", "b"]), target_prefix_tokens=["a", "b"]) == translation_pb2.TranslateRequest(
        tokens=pieces, target_prefix_tokens=pieces
    )
    assert build(Tokens([])).WhichOneof("source") == "tokens"


def test_glossary_terms_say_whether_case_counts() -> None:
    terms = build(glossary=[GlossaryTerm("cat", "Katze", case_sensitive=False), ("dog", "Hund")]).glossary
    assert list(terms) == [
        translation_pb2.GlossaryTerm(source="cat", target="Katze", case_sensitive=False),
        translation_pb2.GlossaryTerm(source="dog", target="Hund"),
    ]


def test_a_batch_sends_its_options_once() -> None:
    request = batch_request(["a", ("b-id", Tokens(["b"]))], {"request_id": "r", "beam_size": 2, "end_tokens": ["."]})
    assert request == translation_pb2.TranslateBatchRequest(
        request_id="r",
        items=[
            translation_pb2.TranslateRequest(text="a"),
            translation_pb2.TranslateRequest(request_id="b-id", tokens=options_pb2.Tokens(pieces=["b"])),
        ],
        defaults=translation_pb2.TranslateRequest(options=options_pb2.DecodeOptions(beam_size=2, end_tokens=["."])),
    )


def test_a_stream_of_texts_repeats_its_options() -> None:
    request_for = bulk_requests({"model": "en-de", "beam_size": 2})
    expected = build("a", model="en-de", beam_size=2)
    assert request_for("a") == request_for("a") == expected
    assert request_for(("id", "a")) == build("a", model="en-de", beam_size=2, request_id="id")


def test_a_score_request() -> None:
    request = score_request("a", Tokens(["b"]), {"model": "en-de", "truncate": True, "tokens": True, "priority": 3})
    assert request == translation_pb2.ScoreRequest(
        source_text="a",
        target_tokens=options_pb2.Tokens(pieces=["b"]),
        model=model_pb2.ModelRef(name="en-de"),
        priority=3,
        input=options_pb2.InputOptions(truncate=True),
        output=options_pb2.OutputOptions(tokens=True),
    )
    assert score_request("a", "", {}).WhichOneof("target") == "target_text"


@pytest.mark.parametrize(
    "make",
    [
        lambda: build(["a", "b"]),
        lambda: build(Tokens("ab")),
        lambda: batch_request("ab", {}),
        lambda: batch_request([("id", "a", "b")], {}),
        lambda: bulk_requests({"request_id": "r"}),
        lambda: score_request("a", "b", {"beam_size": 2}),
    ],
)
def test_what_looks_like_something_else_is_refused(make) -> None:
    with pytest.raises(TypeError):
        make()


@pytest.mark.parametrize(
    ("option", "kind"),
    [
        ({"beams": 3}, TypeError),
        ({"beam_size": "3"}, TypeError),
        ({"beam_size": 2**40}, ValueError),
        ({"alignment": "fuzzy"}, ValueError),
        ({"target_prefix": "\ud800"}, ValueError),
        ({"target_prefix_tokens": "ab"}, TypeError),
        ({"end_tokens": "ab"}, TypeError),
        ({"suppress_sequences": ["ab"]}, TypeError),
        ({"glossary": [("cat",)]}, TypeError),
    ],
)
def test_what_cannot_be_sent_names_the_option(option, kind) -> None:
    with pytest.raises(kind, match=next(iter(option))):
        build(**option)


def test_two_prefixes_are_refused() -> None:
    with pytest.raises(ValueError, match="not both"):
        build(target_prefix="a", target_prefix_tokens=["a"])
