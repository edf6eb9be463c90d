"""The upload of a large file in parts, which goes on where a cut has left it.

What is kept here is the id of the upload and what the file was; which parts have arrived, and with
which digests, only S3 knows.
"""

from __future__ import annotations

import base64
import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from runctl.aws.errors import code_of, translated
from runctl.errors import ConflictError, IntegrityError
from runctl.store.transfer.download import run_all
from runctl.store.transfer.far import (
    MOST_PARTS,
    PIECE_BYTES,
    PIECES_AT_ONCE,
    SourceFile,
    Stored,
)
from runctl.store.transfer.upload import check_unchanged

MIB = 1024**2


class Begun(msgspec.Struct, frozen=True):
    """An upload of ours that may not be complete."""

    upload_id: str
    bucket: str
    key: str
    part_bytes: int
    size_bytes: int
    mtime_ns: int
    inode: int


class PartUpload:
    """One file to one key."""

    def __init__(self, s3: Any, bucket: str, key: str, file: SourceFile, state_dir: Path) -> None:
        self._s3, self._file = s3, file
        self._object = {"Bucket": bucket, "Key": key}
        told = os.fsencode(f"{s3.meta.endpoint_url}\0{bucket}\0{key}\0{file.path.resolve()}")
        self._state = state_dir / f"{hashlib.sha256(told).hexdigest()[:32]}.upload"
        self._parts: dict[int, dict[str, Any]] = {}
        self._room = threading.local()

    @property
    def _what(self) -> str:
        return f"s3://{self._object['Bucket']}/{self._object['Key']} cannot be written"

    def send(self, on_bytes: Callable[[int], None]) -> Stored:
        """Send what is missing; ConflictError where the file is written to meanwhile."""
        begun = self._go_on() or self._begin()
        resumed = sum(part["Size"] for part in self._parts.values())
        count = -(-self._file.size_bytes // begun.part_bytes)
        missing = [number for number in range(1, count + 1) if number not in self._parts]
        with open(self._file.path, "rb", buffering=0) as source:

            def send_part(number: int) -> None:
                on_bytes(self._send_part(begun, source.fileno(), number))

            with ThreadPoolExecutor(PIECES_AT_ONCE) as pool:
                run_all(pool, send_part, missing)
        self._check_file(begun)
        return Stored(self._complete(begun), resumed)

    def _send_part(self, begun: Begun, descriptor: int, number: int) -> int:
        data = self._read_part(begun, descriptor, number)
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        with translated(self._what):
            told = self._s3.upload_part(
                **self._object,
                UploadId=begun.upload_id,
                PartNumber=number,
                Body=data,
                ChecksumSHA256=digest,
            )
        self._parts[number] = {"ETag": told["ETag"], "ChecksumSHA256": digest, "Size": len(data)}
        return len(data)

    def _read_part(self, begun: Begun, descriptor: int, number: int) -> bytearray:
        """Read a part into this thread's own buffer: memory that is new costs more than the read.

        One that is shorter than it was is found out in the end, with the whole file.
        """
        if not hasattr(self._room, "part"):
            self._room.part = bytearray(begun.part_bytes)
        start = (number - 1) * begun.part_bytes
        size = min(begun.part_bytes, self._file.size_bytes - start)
        room = self._room.part if size == begun.part_bytes else bytearray(size)
        os.preadv(descriptor, [room], start)
        return room

    def _check_file(self, begun: Begun) -> None:
        try:
            check_unchanged(self._file)
        except ConflictError:
            self._abort(begun)
            raise

    def _complete(self, begun: Begun) -> str:
        names = ("ETag", "ChecksumSHA256")
        parts = [
            {"PartNumber": number, **{name: part[name] for name in names}}
            for number, part in sorted(self._parts.items())
        ]
        with translated(self._what):
            told = self._s3.complete_multipart_upload(
                **self._object, UploadId=begun.upload_id, MultipartUpload={"Parts": parts}
            )
        self._state.unlink(missing_ok=True)
        self._check_whole(told, [base64.b64decode(part["ChecksumSHA256"]) for part in parts])
        return str(told["ETag"])

    def _check_whole(self, told: dict[str, Any], digests: list[bytes]) -> None:
        """Compare the composite checksum with our own; a store that tells none has had the parts'.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
        """
        whole = base64.b64encode(hashlib.sha256(b"".join(digests)).digest()).decode()
        answer = told.get("ChecksumSHA256", whole).partition("-")[0]
        if answer != whole:
            url = f"s3://{self._object['Bucket']}/{self._object['Key']}"
            raise IntegrityError(
                f"{url} does not hold the bytes of {self._file.path}",
                hint=f"runctl s3 verify {url}",
                key=self._object["Key"],
            )

    # -- from one call to the next

    def _begin(self) -> Begun:
        # Parts are of whole MiB, and no more than S3 takes of them.
        needed = -(-self._file.size_bytes // MOST_PARTS)
        part_bytes = max(PIECE_BYTES, -(-needed // MIB) * MIB)
        with translated(self._what):
            told = self._s3.create_multipart_upload(**self._object, ChecksumAlgorithm="SHA256")
        file = self._file
        begun = Begun(
            told["UploadId"], self._object["Bucket"], self._object["Key"], part_bytes,
            file.size_bytes, file.mtime_ns, file.inode,
        )  # fmt: skip
        self._state.parent.mkdir(parents=True, exist_ok=True)
        draft = self._state.with_suffix(f".{os.getpid()}")
        draft.write_bytes(msgspec.json.encode(begun))
        draft.replace(self._state)
        return begun

    def _go_on(self) -> Begun | None:
        """Return the upload that was cut, if it is of this very file and S3 still has it."""
        try:
            begun = msgspec.json.decode(self._state.read_bytes(), type=Begun)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        file = self._file
        if (file.size_bytes, file.mtime_ns, file.inode) != (
            begun.size_bytes, begun.mtime_ns, begun.inode,
        ):  # fmt: skip
            self._abort(begun)
            return None
        return begun if self._find_parts(begun) else None

    def _find_parts(self, begun: Begun) -> bool:
        pages = self._s3.get_paginator("list_parts").paginate(
            **self._object, UploadId=begun.upload_id
        )
        with translated(self._what):
            try:
                found = [part for page in pages for part in page.get("Parts", ())]
            except ClientError as error:
                if code_of(error) == "NoSuchUpload":
                    return False
                raise
        self._parts = {part["PartNumber"]: part for part in found if self._is_whole(begun, part)}
        return True

    def _is_whole(self, begun: Begun, part: dict[str, Any]) -> bool:
        start = (part["PartNumber"] - 1) * begun.part_bytes
        expected = min(begun.part_bytes, self._file.size_bytes - start)
        return "ChecksumSHA256" in part and part["Size"] == expected

    def _abort(self, begun: Begun) -> None:
        with suppress(ClientError, BotoCoreError):  # cleanup finds what is left
            self._s3.abort_multipart_upload(**self._object, UploadId=begun.upload_id)
        self._state.unlink(missing_ok=True)
        self._parts = {}
