"""The parameters of a request, read by the shape that the service's model gives them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from runctl.localcloud.wire.errors import AwsError

Parameters = dict[str, Any]
_Tree = dict[str, Any]


def parse_form(body: bytes) -> dict[str, str]:
    """Read the form that the query protocols send; the last of equal names counts."""
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def parse_query(operation: OperationModel, form: Mapping[str, str], protocol: str) -> Parameters:
    """Read parameters of the protocols ``query`` and ``ec2``: names with dots and numbers."""
    if operation.input_shape is None:
        return {}
    tree = _grow({k: v for k, v in form.items() if k not in ("Action", "Version")})
    return dict(_Reader(protocol).read_structure(operation.input_shape, tree, ""))


def parse_json(operation: OperationModel, body: bytes) -> Parameters:
    """Read parameters of the protocol ``json``."""
    try:
        document = msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AwsError("SerializationException", "the body is not JSON") from error
    if not isinstance(document, dict):
        raise AwsError("SerializationException", "the body is not a JSON object")
    if operation.input_shape is None:
        return {}
    return dict(_read_document(operation.input_shape, document))


def _grow(form: Mapping[str, str]) -> _Tree:
    """Turn ``A.1.B=x`` into ``{"A": {"1": {"B": "x"}}}``."""
    tree: _Tree = {}
    for name, value in form.items():
        *path, last = name.split(".")
        node = tree
        for part in path:
            child = node.setdefault(part, {})
            if not isinstance(child, dict):
                raise AwsError("InvalidParameterCombination", f"{name} has a value and parts")
            node = child
        node[last] = value
    return tree


class _Reader:
    """Reads a tree of names; the protocol says how members are called on the wire."""

    def __init__(self, protocol: str) -> None:
        self._is_ec2 = protocol == "ec2"

    def read(self, shape: Shape, node: Any, path: str) -> Any:
        if isinstance(shape, StructureShape):
            return self.read_structure(shape, _expect_tree(node, path), path)
        if isinstance(shape, ListShape):
            return self._read_list(shape, node, path)
        if isinstance(shape, MapShape):
            return self._read_map(shape, _expect_tree(node, path), path)
        return _read_scalar(shape, node, path)

    def read_structure(self, shape: StructureShape, tree: _Tree, path: str) -> Parameters:
        members = {self._name(name, member): name for name, member in shape.members.items()}
        found: Parameters = {}
        for wire_name, node in tree.items():
            if wire_name not in members:
                raise AwsError(
                    "UnknownParameter", f"The parameter {path}{wire_name} is not recognized"
                )
            name = members[wire_name]
            found[name] = self.read(shape.members[name], node, f"{path}{wire_name}.")
        return found

    def _name(self, name: str, member: Shape) -> str:
        given = member.serialization
        if self._is_ec2:
            location = given.get("queryName") or given.get("name", name)
            return str(location[:1].upper() + location[1:])
        if isinstance(member, ListShape) and member.serialization.get("flattened"):
            return str(member.member.serialization.get("name", given.get("name", name)))
        return str(given.get("name", name))

    def _read_list(self, shape: ListShape, node: Any, path: str) -> list[Any]:
        if node == "":
            return []  # how an empty list is sent
        tree = _expect_tree(node, path)
        if not self._is_ec2 and not shape.serialization.get("flattened"):
            tree = tree.get(shape.member.serialization.get("name", "member"), {})
        try:
            ordered = sorted(tree.items(), key=lambda item: int(item[0]))
        except ValueError as error:
            raise AwsError("MalformedQueryString", f"{path} is not numbered") from error
        return [self.read(shape.member, child, f"{path}{number}.") for number, child in ordered]

    def _read_map(self, shape: MapShape, tree: _Tree, path: str) -> Parameters:
        entries = tree if shape.serialization.get("flattened") else tree.get("entry", {})
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")
        return {
            str(entry[key_name]): self.read(shape.value, entry.get(value_name, ""), path)
            for entry in entries.values()
        }


def _expect_tree(node: Any, path: str) -> _Tree:
    if isinstance(node, dict):
        return node
    raise AwsError("InvalidParameterValue", f"Value ({node}) for parameter {path[:-1]} is invalid.")


def _read_scalar(shape: Shape, node: Any, path: str) -> Any:
    if isinstance(node, dict):
        raise AwsError(
            "UnknownParameter", f"The parameter {path}{next(iter(node), '')} is not recognized"
        )
    read = _SCALARS.get(shape.type_name, str)
    try:
        return read(node)
    except (ValueError, binascii.Error) as error:
        raise AwsError(
            "InvalidParameterValue", f"Value ({node}) for parameter {path[:-1]} is invalid."
        ) from error


def _read_boolean(value: str) -> bool:
    known = {"true": True, "false": False, "1": True, "0": False}
    if value.lower() not in known:
        raise ValueError(value)
    return known[value.lower()]


def _read_time(value: str) -> float:
    moment = datetime.fromisoformat(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


_SCALARS: dict[str, Callable[[str], Any]] = {
    "boolean": _read_boolean,
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
    "timestamp": _read_time,
    "blob": base64.b64decode,
}


def _read_document(shape: Shape, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(shape, StructureShape):
        return _read_members(shape, value)
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_read_document(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _read_document(shape.value, item) for key, item in value.items()}
    if shape.type_name == "blob" and isinstance(value, str):
        return base64.b64decode(value)
    return _check_type(shape, value)


def _read_members(shape: StructureShape, value: Any) -> Parameters:
    if not isinstance(value, dict):
        raise AwsError("SerializationException", f"an object is expected, not {value!r}")
    names = {m.serialization.get("name", name): name for name, m in shape.members.items()}
    return {
        names[key]: _read_document(shape.members[names[key]], item)
        for key, item in value.items()
        if key in names and item is not None
    }


def _check_type(shape: Shape, value: Any) -> Any:
    wanted = _JSON_TYPES.get(shape.type_name)
    if wanted is not None and not isinstance(value, wanted):
        raise AwsError("SerializationException", f"{shape.type_name} expected, not {value!r}")
    return value


_JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
    "list": list,
    "map": dict,
}
