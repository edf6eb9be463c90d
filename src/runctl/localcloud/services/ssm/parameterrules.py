"""What names and values of parameters may be."""

from __future__ import annotations

import re

from runctl.localcloud.wire.errors import AwsError

_MOST_LEVELS = 15
_MOST_CHARACTERS = {"Standard": 4096, "Advanced": 8192}
_FORM = (
    "If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can "
    "be formed as a mix of letters, numbers and the following 3 symbols .-_"
)


def check_name(name: str) -> None:
    """Raise what AWS says of a name that is reserved or ill-formed."""
    bare = name.lower().lstrip("/")
    if "/" in name and not name.startswith("/"):
        raise _invalid("Parameter name must be a fully qualified name.")
    if bare.startswith("aws") and name.startswith("/"):
        raise AwsError(
            "AccessDeniedException", f"No access to reserved parameter name: {name.lstrip('/')}."
        )
    if bare.startswith(("aws", "ssm")):
        kinds = '"ssm"' if name.startswith("/") else '"aws" or "ssm"'
        words = f"Parameter name: can't be prefixed with {kinds} (case-insensitive)."
        raise _invalid(f"{words} {_FORM}" if name.startswith("/") else words)
    if not re.fullmatch(r"(/[A-Za-z0-9._-]+)+|[A-Za-z0-9._-]+", name):
        raise _invalid(f"Parameter name: {_FORM}")
    if name.count("/") > _MOST_LEVELS:
        raise AwsError(
            "HierarchyLevelLimitExceededException",
            f"Parameter name must have at most {_MOST_LEVELS} levels in its hierarchy.",
        )


def check_value(value: str, pattern: str | None) -> None:
    """Raise what AWS says of an empty value, or one that a pattern does not allow."""
    if not value:
        raise _invalid(
            "1 validation error detected: Value '' at 'value' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1."
        )
    if not pattern:
        return
    try:
        is_allowed = re.search(pattern, value) is not None
    except re.error as error:
        raise AwsError(
            "InvalidAllowedPatternException", f"The pattern {pattern} is not a regular expression."
        ) from error
    if not is_allowed:
        raise AwsError(
            "ParameterPatternMismatchException",
            f"Parameter value, cannot be validated against allowedPattern: {pattern}",
        )


def tier_for(value: str, wanted: str | None, before: str | None) -> str:
    """Return the tier of a new version: it never goes down, and tells what does not fit."""
    if wanted == "Intelligent-Tiering":
        is_large = len(value) > _MOST_CHARACTERS["Standard"]
        wanted = "Advanced" if is_large or before == "Advanced" else "Standard"
    if wanted == "Standard" and before == "Advanced":
        raise _invalid(
            "This parameter uses the advanced-parameter tier. You can't downgrade a parameter "
            "from the advanced-parameter tier to the standard-parameter tier. If necessary, you "
            "can delete the advanced parameter and recreate it as a standard parameter."
        )
    tier = wanted or before or "Standard"
    if len(value) > _MOST_CHARACTERS[tier]:
        more = (
            " To create a larger parameter value, upgrade the parameter to use the "
            "advanced-parameter tier."
        )
        raise _invalid(
            f"{tier} tier parameters support a maximum parameter value of "
            f"{_MOST_CHARACTERS[tier]} characters.{more if tier == 'Standard' else ''}"
        )
    return tier


def _invalid(words: str) -> AwsError:
    return AwsError("ValidationException", words)
