"""Between a bucket and an instance, by addresses that are good for one object each.

The instance needs curl and the way to the store, and no rights of its own; no byte comes here.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from runctl.errors import UnsafePath
from runctl.store.transfer.digests import etag_digest
from runctl.store.transfer.names import check_name
from runctl.transports.folder_copy import run_script

if TYPE_CHECKING:
    from runctl.aws.far_bucket import FarS3Bucket
    from runctl.store.transfer.far import FarObject
    from runctl.transports.api import Transport

_PROGRAMS = {"crc32": "crc32_of", "md5": "md5sum", "sha1": "sha1sum", "sha256": "sha256sum"}


def fetch_there(
    transport: Transport,
    bucket: FarS3Bucket,
    objects: Mapping[str, FarObject],
    folder: str,
) -> list[str]:
    """Let an instance fetch objects into a folder, by the name of each below it.

    Return the names of those whose bytes nothing could prove. IntegrityError where one is damaged.
    """
    lines: list[str] = []
    unproven: list[str] = []
    for name, found in objects.items():
        program, parts = _proof(bucket, found)
        if program == "-":
            unproven.append(name)
        lines += [_line(check_name(name)), bucket.link(found), program, parts]
    what = f"{bucket.url} cannot be copied to {folder}"
    run_script(transport, "fetch_urls.sh", [folder], what, _text(lines))
    return unproven


def send_from_there(
    transport: Transport, bucket: FarS3Bucket, keys: Mapping[str, str], folder: str
) -> None:
    """Let an instance send files of a folder, each to its key, with its SHA-256."""
    digests = _digests_there(transport, folder, keys)
    lines: list[str] = []
    for name, key in keys.items():
        told = base64.b64encode(digests[name]).decode()
        lines += [_line(name), bucket.link_to_put(key, told), told]
    what = f"{folder} cannot be copied to {bucket.url}"
    run_script(transport, "send_urls.sh", [folder], what, _text(lines))


def sizes_there(transport: Transport, path: str) -> dict[str, int]:
    """Return the sizes of the files at a path of an instance, by their names below it.

    A single file is ``""``. Raises NotFoundError where there is nothing.
    """
    told = run_script(transport, "sizes.sh", [path], path)
    pairs = (line.partition("\t") for line in _records(told))
    return {name: int(size) for size, _, name in pairs}


def _digests_there(transport: Transport, folder: str, names: Iterable[str]) -> dict[str, bytes]:
    """Return the SHA-256 of files in a folder of an instance."""
    asked = "".join(f"{name}\0" for name in names).encode("utf-8", "surrogateescape")
    what = f"{folder} cannot be read"
    told = run_script(transport, "digests.sh", [folder], what, asked)
    return {line[66:]: bytes.fromhex(line[:64]) for line in _records(told)}


def _proof(bucket: FarS3Bucket, found: FarObject) -> tuple[str, str]:
    """Return the program that computes a digest of an object, and its parts, for the script.

    An ETag that looks like an MD5 is none under KMS: what S3 knows besides goes before.
    """
    digest = bucket.digest(found) or etag_digest(found)
    if digest is None:
        return "-", ""
    parts = " ".join(f"{size}:{told.hex()}" for size, told in digest.pieces)
    return _PROGRAMS[digest.algorithm], parts


def _records(told: bytes) -> Iterator[str]:
    yield from (one.decode("utf-8", "surrogateescape") for one in told.split(b"\0") if one)


def _line(name: str) -> str:
    if "\n" in name:
        raise UnsafePath(f"{name!r} has a line break, and cannot be sent directly", path=name)
    return name


def _text(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
