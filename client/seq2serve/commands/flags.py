"""The flags of a call's options: their types come from the protocol, their words from `options`."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor

from seq2serve.commands import glossary
from seq2serve.commands.options import CONSTRAINTS, OUTPUT, REQUEST, SAMPLING, SEARCH, SOURCE, Option
from seq2serve.options import ScoreOptions, TranslateOptions
from seq2serve.plain import enum_word
from seq2serve.source import Source, Tokens
from seq2serve.v1 import options_pb2, translation_pb2

Options = TypeVar("Options", ScoreOptions, TranslateOptions)

_GROUPS = (
    ("request", "", REQUEST),
    ("source", "How the source is read.", SOURCE),
    ("search", "How the translation is searched for.", SEARCH),
    ("sampling", "Any of the first three draws the translation at random.", SAMPLING),
    ("constraints", "What the translation must, may and must not hold.", CONSTRAINTS),
    ("output", "What else is returned; --json shows it.", OUTPUT),
)
NOTE = "A model may have other defaults; these, and its limits such as max_length, are in `seq2serve models --json`."
_FIELDS: dict[str, Any] = {
    field.name: field
    for message in (
        translation_pb2.TranslateRequest,
        options_pb2.InputOptions,
        options_pb2.DecodeOptions,
        options_pb2.OutputOptions,  # last, because its `tokens` is the option
    )
    for field in message.DESCRIPTOR.fields
}
_METAVARS = {FieldDescriptor.TYPE_FLOAT: "X", FieldDescriptor.TYPE_STRING: "TEXT"}
_TYPES = {FieldDescriptor.TYPE_FLOAT: float, FieldDescriptor.TYPE_STRING: str}
_TOKENS = options_pb2.Tokens.DESCRIPTOR
_JSON_ONLY = ("token_scores", "tokens", "alignment", "timing")


def add_flags(parser: argparse.ArgumentParser, names: Collection[str]) -> None:
    """Add a flag for each of these options of `TranslateOptions`."""
    for title, description, options in _GROUPS:
        if not any(option.name in names for option in options):
            continue
        group = parser.add_argument_group(title, description or None)
        if options is REQUEST:
            _add_model(group)
        if options is SOURCE:
            group.add_argument(
                "--pieces", action="store_true", help="the input is pieces of the model's vocabulary, between spaces"
            )
        for option in options:
            if option.name in names:
                group.add_argument(flag(option), **_parsing(option), help=option.help)
        if options is CONSTRAINTS:
            glossary.add_flags(group)


def chosen(args: argparse.Namespace, names: Collection[str]) -> dict[str, Any]:
    """Return the options that the flags set.

    Raises:
        ValueError: The glossary cannot be read, or what is asked for has no place in the output.
    """
    options = {name: getattr(args, name) for name in names if name != "glossary"}
    if "glossary" in names:
        options["glossary"] = glossary.terms(args)
    unseen = [name for name in _JSON_ONLY if options.get(name) not in (None, False, "none")]
    if unseen and not args.json:
        raise ValueError(f"--{unseen[0].replace('_', '-')} shows only with --json")
    return {name: value for name, value in options.items() if value is not None}


def numbered(options: Options, line: int) -> Options:
    """Return the options for a line of many, which has an id of its own."""
    if not options.get("request_id"):
        return options
    own = options.copy()
    own["request_id"] = f"{options['request_id']}-{line}"
    return own


def source(args: argparse.Namespace, text: str) -> Source:
    """Return what to send for a text of the input."""
    return Tokens(text.split()) if args.pieces else text


def flag(option: Option) -> str:
    """Return an option's flag; one that is given again and again is in the singular."""
    name = option.name.removesuffix("s") if _FIELDS[option.name].is_repeated else option.name
    return "--" + name.replace("_", "-")


def _parsing(option: Option) -> dict[str, Any]:
    field = _FIELDS[option.name]
    if field.type == FieldDescriptor.TYPE_BOOL:
        return {"action": argparse.BooleanOptionalAction}
    if field.enum_type is not None:
        values = field.enum_type.values[1:]  # all but `unspecified`
        return {"choices": [enum_word(field.enum_type, value.number) for value in values]}
    parsing: dict[str, Any] = {"dest": option.name}
    if field.is_repeated:
        parsing["action"] = "append"
    if field.message_type is _TOKENS:
        return parsing | {"type": str.split, "metavar": "PIECES"}
    return parsing | {"type": _TYPES.get(field.type, int), "metavar": _METAVARS.get(field.type, "N")}


def _add_model(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--model", default="", metavar="NAME[:VERSION]", help="model and its version or alias (default: the server's)"
    )
    for name, side in ("--from", "source"), ("--to", "target"):
        group.add_argument(
            name,
            dest=f"{side}_language",
            default="",
            metavar="LANG",
            help=f"{side} language, such as en or de (default: the model's)",
        )
