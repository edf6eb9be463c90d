"""Speaks with the control endpoint of a local cloud."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from runctl.errors import (
    CloudNotRunning,
    ConflictError,
    NotFoundError,
    ProviderError,
    RunctlError,
    TryAgain,
    UsageError,
)

A = TypeVar("A")
_PATIENCE_S = 120.0
_HINTS = {
    "credentials": "aws ec2 describe-regions --all-regions",
    "quotas": "runctl cloud quota --help",
    "faults": "runctl cloud fault add --help",
    "faults/clear": "runctl cloud fault list",
    "interrupt": "aws ec2 describe-instances, in a shell that has taken: runctl cloud env",
}
_HINTS_OF_CONFLICTS = {
    ("faults", "IncorrectInstanceState"): "runctl cloud status",
    ("faults", "UnsupportedOperation"): "runctl cloud status",
    ("interrupt", "UnsupportedOperation"): (
        "launch a spot instance: --instance-market-options MarketType=spot"
    ),
}
_CONFLICTS = ("IncorrectInstanceState", "UnsupportedOperation", "IncorrectState")


class Control:
    """Asks one local cloud."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._folder = folder

    def ask(self, method: str, path: str, kind: type[A], order: object = None, **own: object) -> A:
        """Return the answer, as a type; ``own`` is added to it. Raises what it amounts to."""
        status, body = self._exchange(method, path, order)
        if status != 200:
            raise self._translate(status, body, path)
        try:
            document = msgspec.json.decode(body)
            return msgspec.convert({**document, **own} if own else document, kind)
        except msgspec.MsgspecError as error:
            raise ProviderError(
                f"the local cloud {self._name} answers in a form that is not known: {error}",
                hint="it may be of another version: runctl cloud stop, then runctl cloud start",
            ) from error

    def _exchange(self, method: str, path: str, order: object) -> tuple[int, bytes]:
        try:
            stamp = json.loads((self._folder / "cloud.json").read_bytes())
            connection = http.client.HTTPConnection("127.0.0.1", stamp["port"], _PATIENCE_S)
            try:
                headers = {"Authorization": f"Bearer {stamp['token']}"}
                body = None if order is None else msgspec.json.encode(order)
                connection.request(method, f"/_runctl/{path}", body, headers)
                answer = connection.getresponse()
                return answer.status, answer.read()
            finally:
                connection.close()
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise CloudNotRunning(
                f"the local cloud {self._name} does not answer yet, or no more",
                hint="type the same again",
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise TryAgain(
                f"the local cloud {self._name} was interrupted: {error}",
                hint=f"see {self._folder / 'cloud.log'}",
            ) from error

    def _translate(self, status: int, body: bytes, path: str) -> RunctlError:
        try:
            found: dict[str, Any] = json.loads(body)["error"]
            code, message = str(found["code"]), str(found["message"])
        except (ValueError, KeyError, TypeError):
            return TryAgain(f"the local cloud {self._name} answered with status {status}")
        hint = _HINTS.get(path.partition("?")[0])
        if status == 404 or code.endswith(".NotFound"):
            return NotFoundError(message, hint=hint)
        if code in ("fault-refused", "malformed") or code.endswith(".Malformed"):
            return UsageError(message, hint=hint)
        if code in _CONFLICTS:
            return ConflictError(message, hint=_HINTS_OF_CONFLICTS.get((path, code)))
        return ProviderError(message)
