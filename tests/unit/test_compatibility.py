"""The API keeps every promise of its releases: a client that was built against one of them goes on working."""

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

import seq2serve.v1
from tests.proto_breaks import breaks

RELEASES = sorted((Path(__file__).parents[2] / "proto" / "released").glob("*.binpb"))
FileSet = descriptor_pb2.FileDescriptorSet
FIELD = descriptor_pb2.FieldDescriptorProto


def released(path: Path) -> FileSet:
    return FileSet.FromString(path.read_bytes())


def served() -> FileSet:
    """Return the API that the generated stubs speak."""
    files = FileSet()
    for module in pkgutil.iter_modules(seq2serve.v1.__path__, "seq2serve.v1."):
        if module.name.endswith("_pb2"):
            importlib.import_module(module.name).DESCRIPTOR.CopyToProto(files.file.add())
    return files


@pytest.mark.parametrize("path", RELEASES, ids=lambda path: path.stem)
def test_nothing_of_a_release_is_gone_or_different(path: Path) -> None:
    """Additions are fine; what breaks is named."""
    assert breaks(released(path), served()) == []


def test_there_are_releases_and_they_say_everything() -> None:
    """The newest snapshot has all services, so that the test above has something to compare."""
    services = {service.name for file in released(RELEASES[-1]).file for service in file.service}
    assert {"TranslationService", "ModelService"} <= services


def message(files: FileSet, name: str) -> descriptor_pb2.DescriptorProto:
    return next(one for file in files.file for one in file.message_type if one.name == name)


def field(files: FileSet, name: str, number: int) -> descriptor_pb2.FieldDescriptorProto:
    return next(one for one in message(files, name).field if one.number == number)


def enum(files: FileSet, name: str) -> descriptor_pb2.EnumDescriptorProto:
    return next(one for file in files.file for one in file.enum_type if one.name == name)


def service(files: FileSet, name: str) -> descriptor_pb2.ServiceDescriptorProto:
    return next(one for file in files.file for one in file.service if one.name == name)


def without_message(files: FileSet) -> None:
    for file in files.file:
        kept = [one for one in file.message_type if one.name != "Tokens"]
        del file.message_type[:]
        file.message_type.extend(kept)


TRANSLATE, OPTIONS = "seq2serve.v1.TranslateRequest", "seq2serve.v1.DecodeOptions"
CHANGES: dict[str, tuple[Callable[[FileSet], object], str]] = {
    "message removed": (without_message, "message seq2serve.v1.Tokens was removed"),
    "message renamed": (
        lambda f: setattr(message(f, "Usage"), "name", "Used"),
        "message seq2serve.v1.Usage was removed",
    ),
    "field removed": (
        lambda f: message(f, "TranslateRequest").field.pop(0),
        f"message {TRANSLATE}: field 1 was removed",
    ),
    "field renumbered": (
        lambda f: setattr(field(f, "TranslateRequest", 1), "number", 99),
        f"message {TRANSLATE}: field 1 was removed",
    ),
    "field renamed": (
        lambda f: setattr(field(f, "TranslateRequest", 1), "name", "id"),
        f"message {TRANSLATE}: field 1 was request_id, LABEL_OPTIONAL TYPE_STRING, is id, ",
    ),
    "type changed": (
        lambda f: setattr(field(f, "DecodeOptions", 1), "type", FIELD.TYPE_INT64),
        f"message {OPTIONS}: field 1 was beam_size, LABEL_OPTIONAL TYPE_INT32 with presence, is ",
    ),
    "message type changed": (
        lambda f: setattr(field(f, "TranslateRequest", 2), "type_name", ".seq2serve.v1.Model"),
        f"message {TRANSLATE}: field 2 was model, LABEL_OPTIONAL .seq2serve.v1.ModelRef, is ",
    ),
    "label changed": (
        lambda f: setattr(field(f, "TranslateRequest", 13), "label", FIELD.LABEL_OPTIONAL),
        f"message {TRANSLATE}: field 13 was glossary, LABEL_REPEATED",
    ),
    "presence lost": (
        lambda f: field(f, "DecodeOptions", 1).ClearField("proto3_optional"),
        f"message {OPTIONS}: field 1 was beam_size, LABEL_OPTIONAL TYPE_INT32 with presence, is ",
    ),
    "out of a oneof": (
        lambda f: field(f, "TranslateRequest", 3).ClearField("oneof_index"),
        f"message {TRANSLATE}: field 3 was text, LABEL_OPTIONAL TYPE_STRING in oneof source, is ",
    ),
    "into another oneof": (
        lambda f: setattr(field(f, "TranslateRequest", 3), "oneof_index", 1),
        f"message {TRANSLATE}: field 3 was text, LABEL_OPTIONAL TYPE_STRING in oneof source, is ",
    ),
    "enum removed": (
        lambda f: setattr(enum(f, "FinishReason"), "name", "Ended"),
        "enum seq2serve.v1.FinishReason was removed",
    ),
    "enum value removed": (
        lambda f: enum(f, "FinishReason").value.pop(),
        "enum seq2serve.v1.FinishReason: value FINISH_REASON_ERROR was removed",
    ),
    "enum value renumbered": (
        lambda f: setattr(enum(f, "FinishReason").value[1], "number", 9),
        "enum seq2serve.v1.FinishReason: value FINISH_REASON_EOS was 1, is 9",
    ),
    "service removed": (
        lambda f: setattr(service(f, "ModelService"), "name", "Models"),
        "service seq2serve.v1.ModelService was removed",
    ),
    "method removed": (
        lambda f: service(f, "TranslationService").method.pop(0),
        "service seq2serve.v1.TranslationService: method Translate was removed",
    ),
    "streaming changed": (
        lambda f: setattr(service(f, "TranslationService").method[1], "server_streaming", False),
        "service seq2serve.v1.TranslationService: method TranslateStream was ",
    ),
    "reply changed": (
        lambda f: setattr(service(f, "ModelService").method[0], "output_type", ".seq2serve.v1.Model"),
        "service seq2serve.v1.ModelService: method ListModels was ",
    ),
    "package changed": (
        lambda f: [setattr(one, "package", "seq2serve.v2") for one in f.file],
        "message seq2serve.v1.ModelRef was removed",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_each_kind_of_break_is_found_by_name(case: str) -> None:
    """What the comparison is worth: an API that was changed so is not taken for the released one."""
    change, expected = CHANGES[case]
    changed = served()
    change(changed)
    assert [one for one in breaks(served(), changed) if one.startswith(expected)]


def test_additions_break_nothing() -> None:
    """Messages, fields, enum values, services and methods may be added."""
    more = served()
    message(more, "Usage").field.add(name="more", number=99, type=FIELD.TYPE_BOOL, label=FIELD.LABEL_OPTIONAL)
    enum(more, "FinishReason").value.add(name="FINISH_REASON_NEW", number=99)
    service(more, "ModelService").method.add(name="New", input_type=".seq2serve.v1.Model")
    more.file[0].message_type.add(name="New")
    more.file[0].service.add(name="AdminService")
    assert breaks(served(), more) == []
