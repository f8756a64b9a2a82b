"""Every field of the protocol has a flag, and its help says what the protocol says."""

import argparse
import re
from pathlib import Path

import pytest

from seq2serve.commands import flags, options, score, translate
from seq2serve.v1 import options_pb2, translation_pb2

PROTO = Path(__file__).parents[3] / "proto" / "seq2serve" / "v1"
ENTRIES = {
    option.name: option
    for group in (
        options.REQUEST,
        options.SOURCE,
        options.SEARCH,
        options.SAMPLING,
        options.CONSTRAINTS,
        options.OUTPUT,
    )
    for option in group
}
MESSAGES = {
    "InputOptions": options_pb2.InputOptions,
    "DecodeOptions": options_pb2.DecodeOptions,
    "OutputOptions": options_pb2.OutputOptions,
}
# Fields of the requests whose flags are not in the table, and the one that has none.
OWN_FLAGS = {
    "model": "--model",
    "source_language": "--from",
    "target_language": "--to",
    "tokens": "--pieces",
    "source_tokens": "--pieces",
    "target_tokens": "--pieces",
    "glossary": "--glossary",
}
NO_FLAG = {
    "text": "the argument TEXT",
    "source_text": "the argument SOURCE",
    "target_text": "the argument TARGET",
    "input": "a message whose fields have flags",
    "options": "a message whose fields have flags",
    "output": "a message whose fields have flags",
}
NOT_OF_SCORES = {"scores": "always returned", "stream_flush_tokens": "not looked at"}
# What is given to a flag and what arrives, for the options that take anything but a number.
VALUES = {
    "request_id": ("id", "id"),
    "priority": ("-3", -3),
    "target_prefix": ("Die Katze", "Die Katze"),
    "prefix_bias": ("0.5", 0.5),
    "alignment": ("soft_sparse", options_pb2.ALIGNMENT_MODE_SOFT_SPARSE),
    "alignment_unit": ("piece", options_pb2.ALIGNMENT_UNIT_PIECE),
    "end_tokens": (".", ["."]),
    "suppress_sequences": ("▁a b", [options_pb2.Tokens(pieces=["▁a", "b"])]),
    "seed": (str(2**64 - 1), 2**64 - 1),
}


def parser_of(command) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="seq2serve")
    subcommands = parser.add_subparsers()
    command.add_parser(subcommands)
    [found] = subcommands.choices.values()
    return found


def flags_of(command) -> set[str]:
    return {flag for action in parser_of(command)._actions for flag in action.option_strings}


def comments() -> dict[tuple[str, str], str]:
    """Return the comment above each field, by message and field."""
    found, message, lines = {}, "", []
    for name in ("options.proto", "translation.proto"):
        for line in (PROTO / name).read_text().splitlines():
            if match := re.match(r"message (\w+)", line):
                message = match[1]
            elif match := re.match(r"\s*// (.*)", line):
                lines.append(match[1])
                continue
            elif match := re.match(r"\s*(?:optional |repeated )?[\w.]+ (\w+) = \d+;", line):
                found[message, match[1]] = " ".join(lines).replace("Limits.", "the model's ")
            lines = []
    return found


COMMENTS = comments()
OPTION_FIELDS = [(kind, field.name) for kind, message in MESSAGES.items() for field in message.DESCRIPTOR.fields]
DOCUMENTED = [*OPTION_FIELDS, ("TranslateRequest", "priority"), ("TranslateRequest", "prefix_bias")]


@pytest.mark.parametrize(("message", "name"), DOCUMENTED)
def test_default_and_range_are_the_protocols(message: str, name: str) -> None:
    comment, option = COMMENTS[message, name], ENTRIES[name]
    # A sentence ends at a stop before a space, so that 0.05 is not cut.
    default = re.search(r"Default:? (.+?)\.(?: |$)", comment)
    bounds = re.search(r"Range (.+?)(?:\.(?: |$)|, else)", comment)
    if default:
        assert default[1].startswith(option.default)
    else:
        assert option.default == "the model's"
    if bounds:
        assert bounds[1].startswith(option.range)
        assert option.range
    else:
        assert not option.range


def test_every_field_of_a_translation_has_a_flag() -> None:
    present = flags_of(translate)
    for field in translation_pb2.TranslateRequest.DESCRIPTOR.fields:
        assert field.name in NO_FLAG or flag_of(field.name) in present
    assert {flags.flag(ENTRIES[name]) for _, name in OPTION_FIELDS} <= present


def test_every_field_of_a_score_has_a_flag() -> None:
    present = flags_of(score)
    for field in translation_pb2.ScoreRequest.DESCRIPTOR.fields:
        assert field.name in NO_FLAG or flag_of(field.name) in present
    output = {field.name for field in options_pb2.OutputOptions.DESCRIPTOR.fields} - set(NOT_OF_SCORES)
    assert {flags.flag(ENTRIES[name]) for name in {*output, "truncate"}} <= present
    assert "--beam-size" not in present


def flag_of(name: str) -> str:
    return OWN_FLAGS.get(name) or flags.flag(ENTRIES[name])


@pytest.mark.parametrize("command", [translate, score])
def test_help_explains_each_flag(command) -> None:
    parser = parser_of(command)
    assert all(action.help for action in parser._actions)
    text = parser.format_help()  # would fail on a stray % in a help text
    titles = {"translate": ["request", "source", "search", "sampling", "constraints", "output"]}
    for title in titles.get(parser.prog.split()[-1], ["request", "source", "output"]):
        assert f"\n{title}:\n" in text


@pytest.mark.parametrize("name", [name for name in ENTRIES if name != "target_prefix_tokens"])
def test_each_flag_reaches_the_server(run, server, name: str) -> None:
    field = field_of(name)
    flag, (text, value) = flags.flag(ENTRIES[name]), VALUES.get(name, ("2", 2))
    if field.type == field.TYPE_BOOL:
        run("translate", "a", "--json", flag)
        run("translate", "a", "--json", flag.replace("--", "--no-", 1))
        assert [sent(request, name) for request in server.requests] == [True, False]
    else:
        run("translate", "a", "--json", flag, text)
        [request] = server.requests
        assert sent(request, name) == value


def test_the_prefix_as_pieces(run, server) -> None:
    run("translate", "a", "--target-prefix-tokens", "▁Die ▁Katze")
    [request] = server.requests
    assert list(request.target_prefix_tokens.pieces) == ["▁Die", "▁Katze"]


def test_a_glossary_of_terms_and_of_a_file(run, server, tmp_path) -> None:
    path = tmp_path / "terms.tsv"
    path.write_text("dog\tHund\r\n\n1=2\teins=zwei\n", encoding="utf-8")
    run("translate", "a", "--glossary-term", "cat=Katze", "--glossary", str(path))
    run("translate", "a", "--glossary-term", "a=b=c", "--glossary-ignore-case")
    first, second = (list(request.glossary) for request in server.requests)
    term = translation_pb2.GlossaryTerm
    assert first == [
        term(source="cat", target="Katze"),
        term(source="dog", target="Hund"),
        term(source="1=2", target="eins=zwei"),
    ]
    assert second == [term(source="a", target="b=c", case_sensitive=False)]


@pytest.mark.parametrize(("content", "problem"), [(b"a\tb\ncat\n", "line 2"), (b"a\t\xff\n", "byte 3")])
def test_a_glossary_that_cannot_be_read(run, capsys, tmp_path, content: bytes, problem: str) -> None:
    path = tmp_path / "terms.tsv"
    path.write_bytes(content)
    with pytest.raises(SystemExit) as caught:
        run("translate", "a", "--glossary", str(path))
    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert str(path) in message
    assert problem in message


def field_of(name: str):
    for message in (*MESSAGES.values(), translation_pb2.TranslateRequest):
        if name in message.DESCRIPTOR.fields_by_name:
            return message.DESCRIPTOR.fields_by_name[name]
    raise KeyError(name)


def sent(request, name: str):
    for message in (request.input, request.options, request.output, request):
        if name in message.DESCRIPTOR.fields_by_name:
            return getattr(message, name)
    raise KeyError(name)
