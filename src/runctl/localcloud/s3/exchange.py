"""One request to S3 on its way: what it is about, who asks, and what the answers share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from runctl.localcloud.http.messages import Request, Response
from runctl.localcloud.identity import Principal
from runctl.localcloud.s3 import xml
from runctl.localcloud.s3.address import Address
from runctl.localcloud.s3.errors import no_such_bucket
from runctl.localcloud.s3.payload import Trust, open_source

if TYPE_CHECKING:
    from runctl.localcloud.s3.engine import S3

_DOCUMENT_BYTES = 2 << 20


@dataclass(slots=True)
class Exchange:
    """One request."""

    s3: S3
    request: Request
    address: Address
    trust: Trust
    bucket: dict[str, Any] | None
    """Settings of the bucket; None where there is none."""
    caller: Principal | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        return self.request.headers

    @property
    def query(self) -> dict[str, str]:
        return self.address.query

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the bucket, which has to be there."""
        if self.bucket is None:
            raise no_such_bucket(self.address.bucket)
        return self.bucket

    def document(self) -> bytes:
        """Return the body, of a request whose body is a document."""
        return open_source(self.request, self.trust).read_all(_DOCUMENT_BYTES)


def answer_xml(root: str, members: Mapping[str, Any]) -> Response:
    """Return a document."""
    return Response(200, {"Content-Type": "application/xml"}, xml.write(root, members))


def iso(moment: float) -> str:
    """Return a time as documents tell it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def http_date(moment: float) -> str:
    """Return a time as headers tell it."""
    return formatdate(moment, usegmt=True)


def quoted(etag: str) -> str:
    """Return an ETag as it is told."""
    return f'"{etag}"'
