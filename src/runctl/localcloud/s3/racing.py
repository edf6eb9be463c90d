"""Readers and writers at once: a file may go between being looked up and being opened."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from runctl.localcloud.http.messages import Response
from runctl.localcloud.s3.errors import s3_error
from runctl.localcloud.s3.exchange import Exchange

_TURNS = 100


def looks_again(handle: Callable[[Exchange], Response]) -> Callable[[Exchange], Response]:
    """Do it again where an object was overwritten or deleted before its files were opened."""

    @wraps(handle)
    def run(exchange: Exchange) -> Response:
        for _ in range(_TURNS):
            try:
                return handle(exchange)
            except FileNotFoundError:
                continue  # there is another version now, or none
        raise s3_error("InternalError", "The bytes of the object are not there.")

    return run
