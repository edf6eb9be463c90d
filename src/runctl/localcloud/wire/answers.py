"""What goes back: results written by the shape of the service's model, and errors.

Every shape is compiled once into a writer; a thousand instances take a tenth of a second.
Times are seconds since the epoch, blobs are bytes. What the shape does not name is left out, so
that a record can hold more than is told.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

import msgspec
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

Answer = Mapping[str, Any]
Write = Callable[[Any, list[str]], None]

XML = "text/xml;charset=UTF-8"
JSON = "application/x-amz-json-1.1"


def write_ec2(operation: OperationModel, answer: Answer, request_id: str) -> bytes:
    """Write the answer of the protocol ``ec2``."""
    name, namespace = operation.name, _namespace(operation)
    out = [f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}Response xmlns="{namespace}">']
    out.append(f"<requestId>{request_id}</requestId>")
    if operation.output_shape is not None:
        _content_writer(operation.output_shape)(answer, out)
    out.append(f"</{name}Response>")
    return "".join(out).encode()


def write_query(operation: OperationModel, answer: Answer, request_id: str) -> bytes:
    """Write the answer of the protocol ``query``."""
    name, namespace = operation.name, _namespace(operation)
    out = [f'<{name}Response xmlns="{namespace}">']
    shape = operation.output_shape
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper", f"{name}Result")
        out.append(f"<{wrapper}>")
        _content_writer(shape)(answer, out)
        out.append(f"</{wrapper}>")
    out.append(f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>")
    out.append(f"</{name}Response>")
    return "".join(out).encode()


def write_json(operation: OperationModel, answer: Answer) -> bytes:
    """Write the answer of the protocol ``json``; nothing where the operation answers nothing."""
    if operation.output_shape is None:
        return b""
    return msgspec.json.encode(_to_document(operation.output_shape, answer))


def write_ec2_error(code: str, message: str, request_id: str) -> bytes:
    """Write an error of the protocol ``ec2``."""
    error = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Response><Errors>{error}</Errors><RequestID>{request_id}</RequestID></Response>"
    ).encode()


def write_query_error(code: str, message: str, status: int, request_id: str) -> bytes:
    """Write an error of the protocol ``query``."""
    kind = "Sender" if status < 500 else "Receiver"
    return (
        f"<ErrorResponse><Error><Type>{kind}</Type><Code>{escape(code)}</Code>"
        f"<Message>{escape(message)}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()


def write_json_error(code: str, message: str, details: Mapping[str, object]) -> bytes:
    """Write an error of the protocol ``json``."""
    return msgspec.json.encode({"__type": code, "message": message, **details})


def _namespace(operation: OperationModel) -> str:
    metadata: Mapping[str, str] = operation.metadata
    return metadata.get("xmlNamespace") or f"http://ec2.amazonaws.com/doc/{metadata['apiVersion']}/"


# ---------------------------------------------------------------- XML


@cache
def _content_writer(shape: StructureShape) -> Write:
    """Return what writes the members of a structure, without tags around them."""
    members: list[tuple[str, Write]] | None = None

    def write(value: Any, out: list[str]) -> None:
        nonlocal members
        if members is None:  # at the first call: shapes may contain themselves
            members = [(name, _member_writer(name, m)) for name, m in shape.members.items()]
        for name, write_member in members:
            item = value.get(name)
            if item is not None:
                write_member(item, out)

    return write


def _member_writer(name: str, shape: Shape) -> Write:
    tag = shape.serialization.get("name", name)
    if isinstance(shape, ListShape):
        return _list_writer(tag, shape)
    if isinstance(shape, MapShape):
        return _map_writer(tag, shape)
    return _tagged_writer(tag, shape)


def _tagged_writer(tag: str, shape: Shape) -> Write:
    if isinstance(shape, ListShape):
        return _list_writer(tag, shape)
    start, end = f"<{tag}>", f"</{tag}>"
    if isinstance(shape, StructureShape):
        content = _content_writer(shape)

        def write_structure(value: Any, out: list[str]) -> None:
            out.append(start)
            content(value, out)
            out.append(end)

        return write_structure
    text = _text_of(shape)
    return lambda value, out: out.append(f"{start}{text(value)}{end}")


def _list_writer(tag: str, shape: ListShape) -> Write:
    is_flattened = bool(shape.serialization.get("flattened"))
    inner = tag if is_flattened else shape.member.serialization.get("name", "member")
    write_item = _tagged_writer(inner, shape.member)

    def write(value: Any, out: list[str]) -> None:
        if not is_flattened:
            out.append(f"<{tag}>")
        for item in value:
            write_item(item, out)
        if not is_flattened:
            out.append(f"</{tag}>")

    return write


def _map_writer(tag: str, shape: MapShape) -> Write:
    write_key = _tagged_writer(shape.key.serialization.get("name", "key"), shape.key)
    write_value = _tagged_writer(shape.value.serialization.get("name", "value"), shape.value)

    def write(value: Any, out: list[str]) -> None:
        out.append(f"<{tag}>")
        for key, item in value.items():
            out.append("<entry>")
            write_key(key, out)
            write_value(item, out)
            out.append("</entry>")
        out.append(f"</{tag}>")

    return write


def _text_of(shape: Shape) -> Callable[[Any], str]:
    if shape.type_name == "timestamp":
        return lambda value: _write_time(value, shape.serialization.get("timestampFormat"))
    if shape.type_name == "boolean":
        return lambda value: "true" if value else "false"
    if shape.type_name == "blob":
        return lambda value: base64.b64encode(value).decode()
    return lambda value: escape(str(value))


def _write_time(value: float, form: str | None) -> str:
    if form == "rfc822":
        return formatdate(value, usegmt=True)
    return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


# ---------------------------------------------------------------- JSON


def _to_document(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        return {
            member.serialization.get("name", name): _to_document(member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if isinstance(shape, ListShape):
        return [_to_document(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: _to_document(shape.value, item) for key, item in value.items()}
    if shape.type_name == "blob":
        return base64.b64encode(value).decode()
    if shape.type_name == "timestamp" and shape.serialization.get("timestampFormat") == "iso8601":
        return _write_time(value, None)
    return value
