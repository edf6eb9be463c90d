"""Wildcards and variables in the texts of policies."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

Context = Mapping[str, Sequence[str]]
"""Condition keys in lower case, with their values."""
Match = Callable[[str], bool]

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_PARTS = re.compile(r"\$\{[^}]*\}|[*?]|[^*?$]+|\$")
_LITERALS = frozenset("*?$")


def has_variables(text: str) -> bool:
    """Whether the text means something else for each request."""
    return any(name not in _LITERALS for name in _VARIABLE.findall(text))


def wild(texts: Sequence[str], *, is_caseless: bool = False) -> Match:
    """Return what matches one of the texts, in which ``*`` and ``?`` are wild."""
    if "*" in texts:
        return lambda _: True
    expression = _expression(tuple(texts), is_caseless)
    return lambda value: expression.fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _expression(texts: tuple[str, ...], is_caseless: bool) -> re.Pattern[str]:
    flags = re.DOTALL | (re.IGNORECASE if is_caseless else 0)
    return re.compile("|".join(f"(?:{_translate(text)})" for text in texts) or "(?!)", flags)


def _translate(text: str) -> str:
    return "".join(_translate_part(part) for part in _PARTS.findall(text))


def _translate_part(part: str) -> str:
    if part == "*":
        return ".*"
    if part == "?":
        return "."
    literal = part[2:-1] if part.startswith("${") and part[2:-1] in _LITERALS else part
    return re.escape(literal)


def resolve(text: str, context: Context) -> str | None:
    """Put values in the place of variables; None where the request has no such value.

    What is wild in a value is not wild in the text that comes of it.
    """
    missing = False

    def replace(found: re.Match[str]) -> str:
        nonlocal missing
        name, _, default = (part.strip() for part in found[1].partition(","))
        if name in _LITERALS:
            return found[0]
        values = context.get(name.lower(), ())
        if len(values) != 1 and not default:
            missing = True
        value = values[0] if len(values) == 1 else default.strip("'\"")
        return re.sub(r"[*?$]", lambda special: f"${{{special[0]}}}", value)

    resolved = _VARIABLE.sub(replace, text)
    return None if missing else resolved
