"""The conditions of policies: operators, and what they say of the values of a request."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from runctl.localcloud.services.iam.patterns import Context, has_variables, resolve, wild

Test = Callable[[str, Sequence[str]], bool]
"""Whether a value of the request is one that the policy names."""
Condition = Callable[[Context], bool]


def compile_conditions(block: Mapping[str, Mapping[str, object]]) -> tuple[Condition, ...]:
    """Compile the ``Condition`` of a statement; ValueError names an unknown operator."""
    return tuple(
        _compile(operator, key.lower(), as_texts(values))
        for operator, keys in block.items()
        for key, values in keys.items()
    )


def as_texts(values: object) -> tuple[str, ...]:
    """Return one value or several of JSON as texts."""
    items = values if isinstance(values, list) else [values]
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in items)


def _compile(operator: str, key: str, values: tuple[str, ...]) -> Condition:
    quantifier, _, name = operator.rpartition(":")
    if name == "Null":
        wants_absence = values[0].lower() == "true"
        return lambda context: (not context.get(key)) == wants_absence
    is_optional = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    if name not in _OPERATORS or quantifier not in _QUANTIFIERS:
        raise ValueError(operator)
    test, is_negated = _OPERATORS[name]
    judge = _QUANTIFIERS[quantifier]
    varies = any(has_variables(value) for value in values)

    def holds(context: Context) -> bool:
        given = context.get(key)
        if not given and is_optional:
            return True
        wanted = _resolve_all(values, context) if varies else values
        return judge(test, given or (), wanted, is_negated)

    return holds


def _resolve_all(values: Sequence[str], context: Context) -> tuple[str, ...]:
    resolved = (resolve(value, context) for value in values)
    return tuple(value for value in resolved if value is not None)


# ---------------------------------------------------------------- how many of the values count


def _any(test: Test, given: Sequence[str], wanted: Sequence[str], is_negated: bool) -> bool:
    """Without a quantifier: one has to match; negated, none may, and a missing one does not."""
    return any(test(value, wanted) for value in given) != is_negated


def _for_any(test: Test, given: Sequence[str], wanted: Sequence[str], is_negated: bool) -> bool:
    return any(test(value, wanted) != is_negated for value in given)


def _for_all(test: Test, given: Sequence[str], wanted: Sequence[str], is_negated: bool) -> bool:
    return all(test(value, wanted) != is_negated for value in given)


_QUANTIFIERS = {"": _any, "ForAnyValue": _for_any, "ForAllValues": _for_all}


# ---------------------------------------------------------------- operators


def _equal(value: str, wanted: Sequence[str]) -> bool:
    return value in [_literal(text) for text in wanted]


def _literal(text: str) -> str:
    return text.replace("${*}", "*").replace("${?}", "?").replace("${$}", "$")


def _equal_caseless(value: str, wanted: Sequence[str]) -> bool:
    return value.lower() in [_literal(text).lower() for text in wanted]


def _like(value: str, wanted: Sequence[str]) -> bool:
    return wild(wanted)(value)


def _arn_like(value: str, wanted: Sequence[str]) -> bool:
    parts = value.split(":", 5)
    return any(_is_arn_like(parts, text.split(":", 5)) for text in wanted)


def _is_arn_like(parts: list[str], wanted: list[str]) -> bool:
    """Each of the six parts has to match: a wildcard reaches over no colon before the last."""
    if wanted == ["*"]:
        return True
    return len(parts) == len(wanted) and all(
        wild([text])(part) for part, text in zip(parts, wanted, strict=True)
    )


def _in_network(value: str, wanted: Sequence[str]) -> bool:
    try:
        address = ipaddress.ip_address(value)
        return any(address in ipaddress.ip_network(text, strict=False) for text in wanted)
    except ValueError:
        return False


def _equal_bytes(value: str, wanted: Sequence[str]) -> bool:
    return base64.b64encode(value.encode()).decode() in wanted


def _compare(read: Callable[[str], float], holds: Callable[[float, float], bool]) -> Test:
    def test(value: str, wanted: Sequence[str]) -> bool:
        try:
            return any(holds(read(value), read(text)) for text in wanted)
        except ValueError:
            return False

    return test


def _read_time(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _comparisons(prefix: str, read: Callable[[str], float]) -> dict[str, tuple[Test, bool]]:
    return {
        f"{prefix}Equals": (_compare(read, lambda a, b: a == b), False),
        f"{prefix}NotEquals": (_compare(read, lambda a, b: a == b), True),
        f"{prefix}LessThan": (_compare(read, lambda a, b: a < b), False),
        f"{prefix}LessThanEquals": (_compare(read, lambda a, b: a <= b), False),
        f"{prefix}GreaterThan": (_compare(read, lambda a, b: a > b), False),
        f"{prefix}GreaterThanEquals": (_compare(read, lambda a, b: a >= b), False),
    }


_OPERATORS: dict[str, tuple[Test, bool]] = {
    "StringEquals": (_equal, False),
    "StringNotEquals": (_equal, True),
    "StringEqualsIgnoreCase": (_equal_caseless, False),
    "StringNotEqualsIgnoreCase": (_equal_caseless, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "Bool": (_equal_caseless, False),
    "BinaryEquals": (_equal_bytes, False),
    "IpAddress": (_in_network, False),
    "NotIpAddress": (_in_network, True),
    "ArnEquals": (_arn_like, False),
    "ArnLike": (_arn_like, False),
    "ArnNotEquals": (_arn_like, True),
    "ArnNotLike": (_arn_like, True),
    **_comparisons("Numeric", float),
    **_comparisons("Date", _read_time),
}
