"""What passes through S3 on its way to or from an instance, and is gone afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from runctl.aws.account import Account
from runctl.aws.errors import translated
from runctl.errors import ConfigError

VALID_S = 2 * 3600
"""For so long may an address be used; credentials that end earlier end it too."""


@dataclass(frozen=True)
class Depot:
    """``url`` is the root of the store, ``s3://bucket/prefix``."""

    account: Account
    url: str

    @contextmanager
    def transit(self) -> Iterator[Transit]:
        """Give a place of its own for one exchange; it is emptied at the end, however it ends.

        Raises ConfigError where the store is no bucket.
        """
        parts = urlsplit(self.url)
        if parts.scheme != "s3":
            raise ConfigError(
                "what passes over Systems Manager goes through the bucket of the ledger, which is "
                f"at {self.url}",
                hint="runctl config set store.root s3://bucket/prefix",
            )
        root = "/".join(filter(None, (parts.path.strip("/"), "transit", secrets.token_hex(16))))
        transit = Transit(self.account.client("s3"), parts.netloc, root)
        try:
            yield transit
        finally:
            transit.clear()


@dataclass
class Transit:
    """Objects below one nonce; an address is a presigned one, good for its object alone."""

    client: Any
    bucket: str
    root: str
    _names: set[str] = field(default_factory=set)

    def put(self, name: str, source: BinaryIO) -> str:
        """Store what can be read from ``source``; return the address to get it from."""
        self._names.add(name)
        with translated(f"nothing can be put into s3://{self.bucket}/{self.root}"):
            self.client.upload_fileobj(source, self.bucket, self._key(name))
        return self._address("get_object", name)

    def expect(self, name: str) -> str:
        """Return the address that the instance may put an object to, of at most 5 GB."""
        self._names.add(name)
        return self._address("put_object", name)

    def spare(self, name: str) -> None:
        """Take in that an expected object was not needed, and never will be there."""
        self._names.discard(name)

    def fetch(self, name: str, target: BinaryIO) -> None:
        """Write an object to ``target``."""
        with translated(f"s3://{self.bucket}/{self._key(name)} cannot be read"):
            body = self.client.get_object(Bucket=self.bucket, Key=self._key(name))["Body"]
            with body:
                target.writelines(body.iter_chunks(1 << 20))

    def clear(self) -> None:
        """Delete all that is, or may be, there."""
        for name in sorted(self._names):
            with translated(f"s3://{self.bucket}/{self._key(name)} cannot be deleted"):
                self.client.delete_object(Bucket=self.bucket, Key=self._key(name))
        self._names.clear()

    def _key(self, name: str) -> str:
        return f"{self.root}/{name}"

    def _address(self, method: str, name: str) -> str:
        target = {"Bucket": self.bucket, "Key": self._key(name)}
        with translated(f"no address of s3://{self.bucket}/{self.root} can be made"):
            return str(self.client.generate_presigned_url(method, target, ExpiresIn=VALID_S))
