"""Requests to S3 that are signed by hand, for what no client sends of its own."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.localcloud.process import CloudProcess

REGION = "us-east-1"
UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The code of an error that is told as S3 tells errors; empty for what is none."""
        text = self.body.decode()
        if not text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<Error>'):
            return ""
        return text.partition("<Code>")[2].partition("</Code>")[0]


class _Auth(S3SigV4Auth):  # type: ignore[misc]
    """Signs what the caller says of the body, and not what the body is."""

    told = UNSIGNED

    def payload(self, request: Any) -> str:
        return self.told


class Requests:
    """Requests with the credentials of the account's root."""

    def __init__(self, cloud: CloudProcess) -> None:
        keys = cloud.control("GET", "credentials")
        self.endpoint = cloud.endpoint
        self.place = urlsplit(cloud.endpoint).netloc
        self.keys = Credentials(keys["access_key_id"], keys["secret_access_key"])

    def head(
        self,
        method: str,
        target: str,
        *,
        told: str = UNSIGNED,
        host: str | None = None,
        **headers: str,
    ) -> dict[str, str]:
        """Return the headers of a request, signed."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://{host or self.place}/{target}"
        request = AWSRequest(method, url, headers=names)
        auth = _Auth(self.keys, "s3", REGION)
        auth.told = told
        auth.add_auth(request)
        return {**dict(request.headers.items()), "Host": host or self.place}

    def send(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] = b"",
        *,
        told: str = UNSIGNED,
        host: str | None = None,
        **headers: str,
    ) -> Answer:
        """Send a request, and return its answer."""
        known = self.head(method, target, told=told, host=host, **headers)
        with closing(HTTPConnection(self.place, timeout=60)) as connection:
            connection.request(method, f"/{target}", body, known)
            answer = connection.getresponse()
            told_headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, told_headers, answer.read())

    def chunked(
        self, target: str, chunks: list[bytes], trailer: tuple[str, str] | None = None, **more: str
    ) -> Answer:
        """PUT in chunks each of which is signed, perhaps with a trailer that is signed too."""
        suffix = "-TRAILER" if trailer else ""
        told = f"STREAMING-AWS4-HMAC-SHA256-PAYLOAD{suffix}"
        size = str(sum(map(len, chunks)))
        named = {"x_amz_trailer": trailer[0]} if trailer else {}
        headers = {"x_amz_decoded_content_length": size, "Content_Encoding": "aws-chunked"}
        head = self.head("PUT", target, told=told, **headers, **named, **more)
        body = _Chain(self.keys, head).encode(chunks, trailer)
        with closing(HTTPConnection(self.place, timeout=60)) as connection:
            connection.request("PUT", f"/{target}", body, head)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())


class _Chain:
    """The chain of signatures of a body that is signed chunk by chunk."""

    def __init__(self, keys: Credentials, head: dict[str, str]) -> None:
        self.stamp = head["X-Amz-Date"]
        self.previous = head["Authorization"].rpartition("Signature=")[2]
        self.place = f"{self.stamp[:8]}/{REGION}/s3/aws4_request"
        self.key = f"AWS4{keys.secret_key}".encode()
        for part in self.place.split("/"):
            self.key = hmac.new(self.key, part.encode(), hashlib.sha256).digest()

    def sign(self, kind: str, *digests: str) -> str:
        text = "\n".join((f"AWS4-HMAC-SHA256-{kind}", self.stamp, self.place, self.previous))
        whole = "\n".join((text, *digests)).encode()
        self.previous = hmac.new(self.key, whole, hashlib.sha256).hexdigest()
        return self.previous

    def encode(self, chunks: list[bytes], trailer: tuple[str, str] | None) -> bytes:
        empty, body = hashlib.sha256(b"").hexdigest(), b""
        for chunk in (*chunks, b""):
            signature = self.sign("PAYLOAD", empty, hashlib.sha256(chunk).hexdigest())
            body += b"%x;chunk-signature=%b\r\n" % (len(chunk), signature.encode())
            body += chunk + b"\r\n" if chunk else b""
        if trailer is None:
            return body + b"\r\n"
        line = f"{trailer[0]}:{trailer[1]}\n".encode()
        signature = self.sign("TRAILER", hashlib.sha256(line).hexdigest())
        return body + line.strip() + f"\r\nx-amz-trailer-signature:{signature}\r\n\r\n".encode()
