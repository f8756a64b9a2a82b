import pytest

from seq2serve.request import model_ref, translate_request
from seq2serve.v1 import model_pb2, options_pb2, translation_pb2


def build(text: str = "hi", *, model: str = "", **options):
    return translate_request(text, model=model, source_language="", target_language="", options=options)


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
    assert build(scores=None, max_length=None) == translation_pb2.TranslateRequest(text="hi")


def test_each_option_lands_in_its_message() -> None:
    request = build(
        model="en-de:1",
        request_id="r",
        glossary={"cat": "Katze"},
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
        request_id="r",
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


@pytest.mark.parametrize(
    ("option", "kind"),
    [
        ({"beams": 3}, TypeError),
        ({"beam_size": "3"}, TypeError),
        ({"beam_size": 2**40}, ValueError),
        ({"alignment": "fuzzy"}, ValueError),
        ({"target_prefix": "\ud800"}, ValueError),
    ],
)
def test_what_cannot_be_sent_names_the_option(option, kind) -> None:
    with pytest.raises(kind, match=next(iter(option))):
        build(**option)
