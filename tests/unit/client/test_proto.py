"""What other languages' clients rely on: the .proto files stand alone and explain themselves."""

import dataclasses
import re
from pathlib import Path

import pytest

from seq2serve import (
    Accepted,
    Delta,
    Hypothesis,
    Scored,
    ScoreOptions,
    Sentence,
    Timing,
    TranslateOptions,
    Translation,
    Usage,
)
from seq2serve.v1 import admin_pb2, model_pb2, options_pb2, translation_pb2

ROOT = Path(__file__).parents[3] / "proto"
FILES = sorted(ROOT.rglob("*.proto"))
OURS = sorted((ROOT / "seq2serve").rglob("*.proto"))  # whose stubs are the client's
DECLARATION = re.compile(
    r"^\s*(message|enum|service|rpc|oneof)\s+\w+"  # a thing with a body
    r"|^\s*(optional |repeated )?(map<.+>|[\w.]+) \w+ = \d+;"  # a field
    r"|^\s*[A-Z][A-Z0-9_]* = \d+;"  # an enum value
)


def fields_of(message) -> set[str]:
    return {field.name for field in message.DESCRIPTOR.fields}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_imports_only_google_protobuf_and_itself(path: Path) -> None:
    imports = re.findall(r'^import (?:public )?"(.+)";', path.read_text(), re.MULTILINE)
    assert all(name.startswith(("google/protobuf/", "seq2serve/v1/")) for name in imports)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_declaration_has_a_comment_above(path: Path) -> None:
    lines = path.read_text().splitlines()
    bare = [
        f"{path.name}:{number + 1}: {line.strip()}"
        for number, line in enumerate(lines)
        if DECLARATION.match(line) and not lines[number - 1].lstrip().startswith("//")
    ]
    assert bare == []


def test_the_declarations_of_all_messages_were_looked_at() -> None:
    """Guards the pattern above: what it finds is as much as the compiled descriptors hold."""
    found = sum(bool(DECLARATION.match(line)) for path in OURS for line in path.read_text().splitlines())
    assert found == sum(
        len(file.message_types_by_name)
        + sum(
            len(message.fields) + sum(not oneof.name.startswith("_") for oneof in message.oneofs)
            for message in file.message_types_by_name.values()
        )
        + sum(1 + len(enum.values) for enum in file.enum_types_by_name.values())
        + sum(1 + len(service.methods) for service in file.services_by_name.values())
        for file in (admin_pb2.DESCRIPTOR, model_pb2.DESCRIPTOR, options_pb2.DESCRIPTOR, translation_pb2.DESCRIPTOR)
    )


def test_decode_options_and_scores_have_presence() -> None:
    scalars = [
        field
        for message in (options_pb2.DecodeOptions, options_pb2.InputOptions)
        for field in message.DESCRIPTOR.fields
        if not field.is_repeated
    ]
    assert all(field.has_presence for field in scalars)
    assert translation_pb2.Hypothesis.DESCRIPTOR.fields_by_name["score"].has_presence


def test_the_clients_options_are_the_protocols() -> None:
    """A field added to the protocol must reach the typed keyword arguments, and only once."""
    parts = (options_pb2.DecodeOptions, options_pb2.InputOptions, options_pb2.OutputOptions)
    names = [field.name for message in parts for field in message.DESCRIPTOR.fields]
    own = fields_of(translation_pb2.TranslateRequest) - {"text", "tokens", "input", "options", "output"}
    assert sorted(TranslateOptions.__annotations__) == sorted([*names, *own])


def test_the_clients_score_options_are_the_protocols() -> None:
    """Scores are always returned and only truncation may be chosen, as the protocol says."""
    sources = {"source_text", "source_tokens", "target_text", "target_tokens"}
    own = fields_of(translation_pb2.ScoreRequest) - sources - {"input", "output"}
    output = fields_of(options_pb2.OutputOptions) - {"scores", "stream_flush_tokens"}
    assert set(ScoreOptions.__annotations__) == own | output | {"truncate"}


@pytest.mark.parametrize(
    ("message", "result"),
    [
        (translation_pb2.TranslateResponse, Translation),
        (translation_pb2.ScoreResponse, Scored),
        (translation_pb2.Hypothesis, Hypothesis),
        (translation_pb2.Sentence, Sentence),
        (translation_pb2.Usage, Usage),
        (translation_pb2.Timing, Timing),
        (translation_pb2.Accepted, Accepted),
        (translation_pb2.TranslationDelta, Delta),
    ],
)
def test_results_expose_every_field(message, result) -> None:
    names = {"model" if name == "resolved_model" else name for name in fields_of(message)}
    assert names == {field.name for field in dataclasses.fields(result)} - {"message"}
