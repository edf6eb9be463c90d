"""What AWS refuses before an operation begins, read off the service's model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from runctl.localcloud.wire.errors import AwsError
from runctl.localcloud.wire.models import load_operation, load_service

# Refused by the operations themselves, with codes and words of their own.
_OPEN_ENUMS = frozenset({"InstanceType", "VolumeType", "SpotInstanceType"})


def validate(service: str, operation: str, parameters: dict[str, Any]) -> None:
    """Raise the service's own error for missing, unknown or ill-formed parameters."""
    model = load_operation(service, operation)
    if model is None or model.input_shape is None:
        return
    is_ec2 = load_service(service).metadata["protocol"] == "ec2"
    if is_ec2:
        _validate_ec2(model.input_shape, parameters)
        return
    problems = list(_problems(model.input_shape, parameters, ""))
    if problems:
        count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected: "
        code = "ValidationError" if service in ("iam", "sts") else "ValidationException"
        raise AwsError(code, count + "; ".join(problems))


def _validate_ec2(shape: StructureShape, parameters: dict[str, Any]) -> None:
    for name in shape.required_members:
        if name not in parameters:
            wire_name = _singular(shape, name)
            raise AwsError(
                "MissingParameter", f"The request must contain the parameter {wire_name}"
            )
    for problem_name, value in _bad_enums(shape, parameters):
        raise AwsError(
            "InvalidParameterValue", f"Value ({value}) for parameter {problem_name} is invalid."
        )


def _singular(shape: StructureShape, name: str) -> str:
    location = str(shape.members[name].serialization.get("name", name))
    return location[:1].lower() + location[1:]


def _bad_enums(shape: Shape, value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(shape, StructureShape):
        for key, item in value.items():
            yield from _bad_enums(shape.members[key], item, _singular(shape, key))
    elif isinstance(shape, ListShape):
        for item in value:
            yield from _bad_enums(shape.member, item, name)
    elif _is_bad_enum(shape, value):
        yield name, value


def _is_bad_enum(shape: Shape, value: Any) -> bool:
    allowed = shape.metadata.get("enum")
    return bool(allowed) and shape.name not in _OPEN_ENUMS and value not in allowed


def _problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        yield from _structure_problems(shape, value, path)
    elif isinstance(shape, ListShape):
        yield from _length_problems(shape, value, path)
        for number, item in enumerate(value, 1):
            yield from _problems(shape.member, item, f"{path}{number}.member.")
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from _problems(shape.value, item, f"{path}{key}.")
    else:
        yield from _scalar_problems(shape, value, path)


def _structure_problems(shape: StructureShape, value: Any, path: str) -> Iterator[str]:
    for name in shape.required_members:
        if name not in value:
            yield _say("null", f"{path}{_lower(name)}", "Member must not be null")
    for name, item in value.items():
        yield from _problems(shape.members[name], item, f"{path}{_lower(name)}.")


def _scalar_problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if _is_bad_enum(shape, value):
        allowed = ", ".join(shape.metadata["enum"])
        rule = f"Member must satisfy enum value set: [{allowed}]"
        yield _say(value, path[:-1], rule)
    elif isinstance(value, str):
        yield from _length_problems(shape, value, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _range_problems(shape, value, path)


def _length_problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and len(value) < low:
        rule = f"Member must have length greater than or equal to {low}"
        yield _say(value, path[:-1], rule)
    if high is not None and len(value) > high:
        yield _say(value, path[:-1], f"Member must have length less than or equal to {high}")


def _range_problems(shape: Shape, value: float, path: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and value < low:
        yield _say(value, path[:-1], f"Member must have value greater than or equal to {low}")
    if high is not None and value > high:
        yield _say(value, path[:-1], f"Member must have value less than or equal to {high}")


def _say(value: object, path: str, rule: str) -> str:
    if isinstance(value, list):
        value = f"[{', '.join(map(str, value))}]"
    return f"Value '{value}' at '{path}' failed to satisfy constraint: {rule}"


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]
