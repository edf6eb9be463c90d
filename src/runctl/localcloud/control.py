"""The control endpoint, ``/_runctl/…``: JSON over HTTP, for whoever has the token.

The gate has checked the token. Every answer is a JSON document; an error is
``{"error": {"code": …, "message": …}}``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl

import msgspec

from runctl.localcloud.control_verbs import VERBS, Refusal
from runctl.localcloud.gate import CONTROL_PREFIX
from runctl.localcloud.http.messages import Request, Response
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

_LOG = logging.getLogger(__name__)
_BODY_BYTES = 1 << 20


class Host(Protocol):
    """The process that is controlled."""

    cloud: Cloud
    started: float

    def reset(self) -> None:
        """Take everything back to an empty cloud."""
        ...

    def stop(self) -> None:
        """End the process, once this request is answered."""
        ...


class Control:
    """Answers what is asked of the cloud as a whole."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def __call__(self, request: Request) -> Response:
        """Answer one request; raises nothing that a request could bring about."""
        try:
            verb, names = _find(request.method, request.path.removeprefix(CONTROL_PREFIX))
            given = {**dict(parse_qsl(request.query)), **names}
            return _answer(200, verb(self._host, given, _read(request)))
        except Refusal as refusal:
            return _refuse(refusal.status, refusal.code, str(refusal))
        except AwsError as error:
            return _refuse(error.status, error.code, error.message)
        except msgspec.MsgspecError as error:
            return _refuse(400, "malformed", str(error))


def _find(method: str, path: str) -> tuple[Callable[..., Any], Mapping[str, str]]:
    is_known = False
    for (wanted, pattern), verb in VERBS.items():
        found = re.fullmatch(pattern, path)
        if found is not None and wanted == method:
            return verb, found.groupdict()
        is_known |= found is not None
    if is_known:
        raise Refusal(405, "method", f"{method} cannot be done to {path}")
    raise Refusal(404, "not-found", f"there is no {path}")


def _read(request: Request) -> bytes:
    body = b""
    while more := request.body.read(_BODY_BYTES):
        body += more
        if len(body) > _BODY_BYTES:
            raise Refusal(413, "too-large", "the body is too large")
    return body


def _answer(status: int, document: object) -> Response:
    return Response(status, {"Content-Type": "application/json"}, msgspec.json.encode(document))


def _refuse(status: int, code: str, message: str) -> Response:
    return _answer(status, {"error": {"code": code, "message": message}})
