"""DeleteObject, DeleteObjects."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from runctl.localcloud.http.messages import Response
from runctl.localcloud.s3 import xml
from runctl.localcloud.s3.conditions import check_write
from runctl.localcloud.s3.errors import malformed
from runctl.localcloud.s3.exchange import Exchange, answer_xml
from runctl.localcloud.s3.reading import check_version
from runctl.localcloud.s3.rows import NULL, Piece, Stored
from runctl.localcloud.s3.writing import new_version
from runctl.localcloud.wire.errors import AwsError

_MOST = 1000


def delete_object(exchange: Exchange) -> Response:
    """Delete an object, a version, or nothing: that is no error."""
    address, gone = exchange.address, list[Piece]()
    with exchange.s3.index.locked():
        told = _delete(exchange, address.key, exchange.query.get("versionId"), gone)
    exchange.s3.files.remove(gone)
    headers = {}
    if exchange.settings.get("versioning") and "VersionId" in told:
        headers["x-amz-version-id"] = told["VersionId"]
    if told.get("DeleteMarker"):
        headers["x-amz-delete-marker"] = "true"
    return Response(204, headers)


def _delete(
    exchange: Exchange, key: str, version: str | None, gone: list[Piece], match: str | None = None
) -> dict[str, Any]:
    """Delete in the caller's transaction; collect the files that are of no use any more."""
    index, bucket = exchange.s3.index, exchange.address.bucket
    settings = index.bucket(bucket) or exchange.settings
    match = match or exchange.headers.get("if-match")
    if match is not None:
        check_write({"if-match": match}, index.latest(bucket, key), key)
    if version is not None:
        check_version(version)
        found = index.version(bucket, key, version)
        gone += index.remove(bucket, key, version)
        return {"VersionId": version, "DeleteMarker": found is not None and found.is_marker}
    if not settings.get("versioning"):
        gone += index.remove(bucket, key, NULL)
        return {}
    marker = new_version(settings)
    stored = Stored(modified=exchange.s3.clock())
    newest = index.latest(bucket, key)
    gone += index.add(bucket, key, marker, stored, newest, is_marker=True)
    return {"VersionId": marker, "DeleteMarker": True}


def delete_objects(exchange: Exchange) -> Response:
    """Delete up to a thousand objects in one request."""
    _ = exchange.settings
    root = xml.read(exchange.document(), "Delete")
    wanted = root.findall("Object")
    if not 1 <= len(wanted) <= _MOST or not all(xml.text(one, "Key") for one in wanted):
        raise malformed()
    deleted, errors, gone = list[Any](), list[Any](), list[Piece]()
    with exchange.s3.index.locked():
        for one in wanted:
            try:
                deleted.append(_delete_one(exchange, one, gone))
            except AwsError as error:
                errors.append(_refused(one, error))
    exchange.s3.files.remove(gone)
    is_quiet = (xml.text(root, "Quiet") or "").lower() == "true"
    return answer_xml("DeleteResult", {"Deleted": [] if is_quiet else deleted, "Error": errors})


def _delete_one(exchange: Exchange, wanted: ET.Element, gone: list[Piece]) -> dict[str, Any]:
    key, version = xml.text(wanted, "Key") or "", xml.text(wanted, "VersionId")
    exchange.s3.authorise_delete(exchange, key, version)
    done = _delete(exchange, key, version, gone, xml.text(wanted, "ETag"))
    told: dict[str, Any] = {"Key": key, "VersionId": version}
    if done.get("DeleteMarker"):
        told |= {"DeleteMarker": True, "DeleteMarkerVersionId": done["VersionId"]}
    return told


def _refused(wanted: ET.Element, error: AwsError) -> dict[str, Any]:
    return {
        "Key": xml.text(wanted, "Key"),
        "VersionId": xml.text(wanted, "VersionId"),
        "Code": error.code,
        "Message": error.message,
    }
