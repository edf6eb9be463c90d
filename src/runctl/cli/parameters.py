"""What may stand on the command line: durations, moments, lists; and its options in one meaning."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from runctl.errors import UsageError

if TYPE_CHECKING:
    from runctl.model.access import Forward
    from runctl.model.hyperparams import Hyperparameters

F = TypeVar("F", bound=Callable[..., object])
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Duration(click.ParamType["timedelta | str"]):
    """``90s``, ``1h30m``; where ``has_none``, the word ``none`` too, which stays a word."""

    name = "duration"

    def __init__(self, *, has_none: bool = False) -> None:
        self._has_none = has_none

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta | str:
        del ctx
        from runctl.model.quantities import parse_duration  # noqa: PLC0415

        if isinstance(value, timedelta) or (self._has_none and value == "none"):
            return value  # type: ignore[no-any-return]
        try:
            return parse_duration(value)
        except UsageError as error:
            raise UsageError(f"{_flag(param)}: {error.message}", hint=error.hint) from error


class Moment(click.ParamType[datetime]):
    """An age such as ``10m``, or a time such as ``2026-01-31T12:00``: local, but for a zone."""

    name = "age|time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        del ctx
        from runctl.model.quantities import parse_duration  # noqa: PLC0415

        if isinstance(value, datetime):
            return value
        try:
            return datetime.now(UTC) - parse_duration(value)
        except (UsageError, OverflowError):
            pass
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except ValueError:
            raise UsageError(
                f"{_flag(param)}: {value!r} is neither an age nor a time",
                hint="write 10m, 2h, or 2026-01-31T12:00",
            ) from None


def _flag(param: click.Parameter | None) -> str:
    return param.opts[-1] if param and param.opts else "a duration"


def read_indices(text: str | None) -> tuple[int, ...]:
    """Read ``0,1``: numbers of GPUs, each once."""
    items = [item.strip() for item in (text or "").split(",") if item.strip()]
    if not all(re.fullmatch(r"[0-9]{1,4}", item) for item in items):
        raise UsageError(f"--gpus: {text!r} is not a list of numbers", hint="write --gpus 0,1")
    return tuple(sorted({int(item) for item in items}))


def split_lists(texts: Iterable[str]) -> tuple[str, ...]:
    """Read options that may be repeated, and each of which may be a list with commas."""
    return tuple(item.strip() for text in texts for item in text.split(",") if item.strip())


def read_env(items: Sequence[str]) -> dict[str, str]:
    """Read ``NAME=VALUE`` items; the last one of a name counts."""
    return dict(_read_variable(item) for item in items)


def _read_variable(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not equals or not _VARIABLE.fullmatch(name):
        raise UsageError(f"--env: {item!r} is not of the form NAME=VALUE", hint="--env NAME=VALUE")
    if not _is_unicode(value):
        raise UsageError(
            f"--env: the value of {name} is not UTF-8 text",
            hint="put it in a file of the project, and name the file",
        )
    return name, value


def check_secrets(names: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse what names no variable, above all ``NAME=VALUE``: values have no place here."""
    for name in names:
        if not _VARIABLE.fullmatch(name):
            shown = name.partition("=")[0]
            raise UsageError(
                f"--secret: {shown!r} must be the name alone of an environment variable",
                hint="export NAME=… and type --secret NAME",
            )
    return names


def read_hyperparams(texts: Sequence[str]) -> Hyperparameters | None:
    """Merge ``k=v,…`` texts over ``@file`` texts; None where there are none of either.

    Raises UsageError naming what is malformed, or given twice.
    """
    from runctl.model.hyperparams import merge_hyperparams, parse_hyperparams  # noqa: PLC0415

    if not texts:
        return None
    files = [_read_params_file(text[1:]) for text in texts if text.startswith("@")]
    typed = [text for text in texts if not text.startswith("@")]
    for text in typed:
        parse_hyperparams(text)  # so that an error names the item, not where two texts meet
    return merge_hyperparams(*files, parse_hyperparams(",".join(filter(str.strip, typed))))


def _read_params_file(name: str) -> Hyperparameters:
    from runctl.model.hyperparams import parse_hyperparams_toml  # noqa: PLC0415

    try:
        text = Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"--hyperparams: {name} cannot be read: {error.strerror}",
            hint="--hyperparams @FILE takes a TOML file of this machine",
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--hyperparams: {name} is not UTF-8 text") from error
    return parse_hyperparams_toml(text, name)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def together(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """Make one decorator of several, in the order in which help shows them."""

    def decorate(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def read_forwards(texts: Sequence[str]) -> tuple[Forward, ...]:
    """Read ``6006`` and ``8080:6006``: a port of the instance, and the one here before it."""
    from runctl.model.access import Forward  # noqa: PLC0415

    found: dict[int, Forward] = {}
    for text in texts:
        local, _, remote = text.rpartition(":")
        local = local or remote
        if not (_is_port(local) and _is_port(remote)):
            raise UsageError(
                f"--forward: {text!r} is no port", hint="runctl ssh RUN --forward 6006"
            )
        if int(local) in found:
            raise UsageError(
                f"--forward: port {local} of this machine is named twice",
                hint=f"runctl ssh RUN --forward LOCAL:{remote}",
            )
        found[int(local)] = Forward(local_port=int(local), remote_port=int(remote))
    return tuple(found.values())


def _is_port(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,5}", text)) and 1 <= int(text) <= 65535


transport_option = click.option(
    "--transport", type=click.Choice(["auto", "ssm", "ssh"]), help="How it is reached."
)
wait_timeout = click.option("--wait-timeout", type=Duration(), help="End only the waiting.")
run_argument = click.argument("run", default="@last")
needed_run = click.argument("run")
travel_options = together(
    click.option(
        "--include-pattern",
        "--include",
        "include",
        multiple=True,
        metavar="GLOB,…",
        help="Bring these files too, ignored or not.",
    ),
    click.option(
        "--exclude-pattern",
        "--exclude",
        "exclude",
        multiple=True,
        metavar="GLOB,…",
        help="Leave these files here.",
    ),
    click.option("--project-root", metavar="FOLDER", help="The folder whose files travel."),
    click.option(
        "--explain", multiple=True, metavar="PATH", help="With --dry-run: why it is in or out."
    ),
)
