"""What the instance is told of itself: the metadata service of EC2, version 2.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

ENDPOINT = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
_USUAL = "http://169.254.169.254"
_TOKEN = "/latest/api/token"  # noqa: S105 - a path
_TOKEN_LIFE_S = 21600
_PATIENCE_S = 1.0
_OK, _UNAUTHORIZED = 200, 401
_IS_TOKEN = re.compile(r"[!-~]+")
"""What can stand in a header."""


class Metadata:
    """Asks without a proxy, with a token that is kept until it is refused."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        place = urlsplit(environ.get(ENDPOINT) or _USUAL)
        self._host, self._port = place.hostname or "", place.port or 80
        self._token = ""

    def read(self, path: str) -> str | None:
        """Return what stands under ``meta-data/``, None where nothing does.

        OSError or HTTPException where the service does not answer.
        """
        status, text = self._get(path)
        if status == _UNAUTHORIZED:
            self._token = ""
            status, text = self._get(path)
        return text if status == _OK else None

    def _get(self, path: str) -> tuple[int, str]:
        if not self._token:
            self._token = self._ask_token()
        given = {"X-aws-ec2-metadata-token": self._token}
        return self._ask("GET", f"/latest/meta-data/{path}", given)

    def _ask_token(self) -> str:
        """Return a new token; HTTPException for an answer that is none, such as a page of error."""
        wanted = {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_LIFE_S)}
        status, text = self._ask("PUT", _TOKEN, wanted)
        if status != _OK or not _IS_TOKEN.fullmatch(text):
            raise HTTPException(f"no token was given, with status {status}")
        return text

    def _ask(self, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, str]:
        connection = HTTPConnection(self._host, self._port, timeout=_PATIENCE_S)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()
