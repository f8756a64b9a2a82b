"""What would break the clients of an earlier API: everything but additions."""

from collections.abc import Iterator

from google.protobuf import descriptor_pb2

File = descriptor_pb2.FileDescriptorProto
Message = descriptor_pb2.DescriptorProto
Enum = descriptor_pb2.EnumDescriptorProto


def breaks(old: descriptor_pb2.FileDescriptorSet, new: descriptor_pb2.FileDescriptorSet) -> list[str]:
    """Name everything of the old files that the new ones no longer offer, or offer otherwise."""
    before, after = _facts(old), _facts(new)
    return [
        f"{name} was removed" if name not in after else f"{name} was {before[name]}, is {after[name]}"
        for name in before
        if after.get(name) != before[name]
    ]


def _facts(files: descriptor_pb2.FileDescriptorSet) -> dict[str, str]:
    """Say of each thing that clients depend on what it is, in words."""
    return {name: fact for file in files.file for name, fact in _file(file)}


def _file(file: File) -> Iterator[tuple[str, str]]:
    package = file.package
    for message in file.message_type:
        yield from _message(f"message {package}.{message.name}", message)
    for enum in file.enum_type:
        yield from _enum(f"enum {package}.{enum.name}", enum)
    for service in file.service:
        name = f"service {package}.{service.name}"
        yield name, "a service"
        for method in service.method:
            sent = f"{'stream ' if method.client_streaming else ''}{method.input_type}"
            got = f"{'stream ' if method.server_streaming else ''}{method.output_type}"
            yield f"{name}: method {method.name}", f"({sent}) returns ({got})"


def _message(name: str, message: Message) -> Iterator[tuple[str, str]]:
    yield name, "a message"
    for field in message.field:
        kind = field.type_name or descriptor_pb2.FieldDescriptorProto.Type.Name(field.type)
        label = descriptor_pb2.FieldDescriptorProto.Label.Name(field.label)
        inside = field.HasField("oneof_index") and not field.proto3_optional
        oneof = f" in oneof {message.oneof_decl[field.oneof_index].name}" if inside else ""
        presence = " with presence" if field.proto3_optional else ""
        yield f"{name}: field {field.number}", f"{field.name}, {label} {kind}{presence}{oneof}"
    for nested in message.nested_type:
        yield from _message(f"{name}.{nested.name}", nested)
    for enum in message.enum_type:
        yield from _enum(f"{name}.{enum.name}", enum)


def _enum(name: str, enum: Enum) -> Iterator[tuple[str, str]]:
    yield name, "an enum"
    for value in enum.value:
        yield f"{name}: value {value.name}", str(value.number)
