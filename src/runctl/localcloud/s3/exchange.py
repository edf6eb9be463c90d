"""One request to S3 on its way: what it is about, who asks, and what the answers share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runctl.localcloud.http.messages import Request, Response
from runctl.localcloud.identity import Principal
from runctl.localcloud.s3 import xml
from runctl.localcloud.s3.address import Address
from runctl.localcloud.s3.chunks import Trust
from runctl.localcloud.s3.errors import no_such_bucket
from runctl.localcloud.s3.payload import read_document

if TYPE_CHECKING:
    from runctl.localcloud.s3.engine import S3


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

    def document(self, *, is_own: bool = True) -> bytes:
        """Return the body, of a request whose body is a document.

        ``is_own``: checksums in the headers are of the body, not of the object that it is about.
        """
        return read_document(self.request, self.trust, has_checksum=is_own)


def answer_xml(root: str, members: Mapping[str, Any]) -> Response:
    """Return a document."""
    return Response(200, {"Content-Type": "application/xml"}, xml.write(root, members))


def version_header(settings: Mapping[str, Any], version: str) -> dict[str, str]:
    """Return the header that tells a version, of a bucket that has ever kept any."""
    return {"x-amz-version-id": version} if settings.get("versioning") else {}
