"""What is known of images: manifests, digests, tags. Their layers are the registry's."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ecr.errors import invalid
from runctl.localcloud.services.ecr.paging import page
from runctl.localcloud.services.ecr.repositories import IMAGE, find_repository
from runctl.localcloud.state.records import Record, Table
from runctl.localcloud.wire.errors import AwsError

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def image_key(repository: str, digest: str) -> str:
    """Return the id of an image's record."""
    return f"{repository}@{digest}"


def images_of(table: Table, repository: str) -> list[Record]:
    """Return the images of a repository."""
    return [one for one in table.values() if one["repositoryName"] == repository]


def find_image(table: Table, repository: str, ident: Record) -> Record | None:
    """Return the image that a digest, a tag or both together mean."""
    digest, tag = ident.get("imageDigest"), ident.get("imageTag")
    for one in images_of(table, repository):
        if digest in (None, one["imageDigest"]) and (tag is None or tag in one["imageTags"]):
            return one
    return None


@operation("ecr", "PutImage")
def put_image(call: Call) -> dict[str, Any]:
    """Keep a manifest, and perhaps let a tag mean it."""
    repository = find_repository(call)
    text, tag = call.get("imageManifest"), call.get("imageTag")
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    if call.get("imageDigest") not in (None, digest):
        raise AwsError(
            "ImageDigestDoesNotMatchException",
            f"The specified digest '{call.get('imageDigest')}' does not match the digest "
            f"'{digest}' of the image manifest",
        )
    known = call.table(IMAGE).get(image_key(repository["repositoryName"], digest))
    if known is not None and tag in (None, *known["imageTags"]):
        raise _already_there(repository, known, tag)
    _check_tag(call, repository, tag)
    record = add_image(call, repository, text, call.get("imageManifestMediaType"), tag)
    return {"image": _told(record, {"imageDigest": digest, "imageTag": tag})}


def add_image(
    call: Call, repository: Record, text: str, media_type: str | None, tag: str | None
) -> Record:
    """Keep the record of an image; a tag is taken from the image that had it before."""
    name, table = repository["repositoryName"], call.table(IMAGE)
    manifest = _read(text)
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    if tag is not None:
        _take_tag(table, name, tag)
    key = image_key(name, digest)
    if key in table:
        record = table.edit(key)
    else:
        record = table.put(key, _record(call, repository, manifest, digest, text, media_type))
    record["imageTags"] += [tag] if tag is not None else []
    return record


def _record(
    call: Call,
    repository: Record,
    manifest: Any,
    digest: str,
    text: str,
    media_type: str | None,
) -> Record:
    pieces = [manifest.get("config") or {}, *(manifest.get("layers") or ())]
    return {
        "registryId": repository["registryId"],
        "repositoryName": repository["repositoryName"],
        "imageDigest": digest,
        "imageTags": [],
        "imageSizeInBytes": sum(int(piece.get("size", 0)) for piece in pieces),
        "imagePushedAt": call.cloud.clock(),
        "imageManifestMediaType": media_type or manifest.get("mediaType") or _MANIFEST,
        "artifactMediaType": (manifest.get("config") or {}).get("mediaType"),
        "_Manifest": text,
    }


def _read(text: str) -> Any:
    try:
        manifest = json.loads(text)
    except json.JSONDecodeError as error:
        raise invalid("ImageManifest", "Invalid JSON syntax") from error
    if not isinstance(manifest, dict) or manifest.get("schemaVersion") not in (1, 2):
        raise invalid("ImageManifest", "Invalid image manifest")
    return manifest


def _already_there(repository: Record, image: Record, tag: str | None) -> AwsError:
    return AwsError(
        "ImageAlreadyExistsException",
        f"Image with digest '{image['imageDigest']}' and tag '{tag or 'null'}' already exists in "
        f"the repository with name '{repository['repositoryName']}' in registry with id "
        f"'{repository['registryId']}'",
    )


def _check_tag(call: Call, repository: Record, tag: str | None) -> None:
    name = repository["repositoryName"]
    is_fixed = repository["imageTagMutability"] == "IMMUTABLE"
    if tag is None or not is_fixed:
        return
    if find_image(call.table(IMAGE), name, {"imageTag": tag}) is not None:
        raise AwsError(
            "ImageTagAlreadyExistsException",
            f"The image tag '{tag}' already exists in the '{name}' repository and cannot be "
            "overwritten because the tag is immutable.",
        )


def _take_tag(table: Table, repository: str, tag: str) -> None:
    found = find_image(table, repository, {"imageTag": tag})
    if found is not None:
        changed = table.edit(image_key(repository, found["imageDigest"]))
        changed["imageTags"] = [one for one in changed["imageTags"] if one != tag]


def _told(record: Record, ident: Record) -> Record:
    return {
        "registryId": record["registryId"],
        "repositoryName": record["repositoryName"],
        "imageId": {**ident, "imageDigest": record["imageDigest"]},
        "imageManifest": record["_Manifest"],
        "imageManifestMediaType": record["imageManifestMediaType"],
    }


@operation("ecr", "DescribeImages")
def describe_images(call: Call) -> dict[str, Any]:
    """List images with all that is known of them."""
    repository, table = find_repository(call), call.table(IMAGE)
    name, idents = repository["repositoryName"], call.get("imageIds")
    found = _of_status(call, images_of(table, name))
    if idents:
        found = [_required(table, repository, ident) for ident in idents]
    told = [{**one, "imageTags": one["imageTags"] or None} for one in found]
    return page(call, "imageDetails", told, sort_by="imageDigest")


def _required(table: Table, repository: Record, ident: Record) -> Record:
    name = repository["repositoryName"]
    found = find_image(table, name, ident)
    if found is None:
        words = ", ".join(
            f"{member}:'{ident.get(member) or 'null'}'" for member in ("imageDigest", "imageTag")
        )
        raise AwsError(
            "ImageNotFoundException",
            f"The image with imageId {{{words}}} does not exist within the repository with name "
            f"'{name}' in the registry with id '{repository['registryId']}'",
        )
    return found


def _of_status(call: Call, found: list[Record]) -> list[Record]:
    status = call.get("filter", {}).get("tagStatus", "ANY")
    if status == "ANY":
        return found
    return [one for one in found if bool(one["imageTags"]) == (status == "TAGGED")]


@operation("ecr", "ListImages")
def list_images(call: Call) -> dict[str, Any]:
    """List digests with tags: an image with two tags is listed twice."""
    name = find_repository(call)["repositoryName"]
    found = [
        {"imageDigest": one["imageDigest"], "imageTag": tag, "_Id": f"{one['imageDigest']}:{tag}"}
        for one in _of_status(call, images_of(call.table(IMAGE), name))
        for tag in one["imageTags"] or [None]
    ]
    return page(call, "imageIds", found, sort_by="_Id")


# ---------------------------------------------------------------- several at once


@operation("ecr", "BatchGetImage")
def batch_get_image(call: Call) -> dict[str, Any]:
    """Return manifests; what is not there is told apart."""
    table, name = call.table(IMAGE), find_repository(call)["repositoryName"]
    images, failures = [], []
    for ident in call.get("imageIds"):
        failure = _failure(table, name, ident)
        found = find_image(table, name, ident)
        if failure is None and found is not None:
            images.append(_told(found, ident))
        else:
            failures.append(failure)
    return {"images": images, "failures": failures}


@operation("ecr", "BatchDeleteImage")
def batch_delete_image(call: Call) -> dict[str, Any]:
    """Remove tags, and with its last tag or by its digest an image."""
    table, name = call.table(IMAGE), find_repository(call)["repositoryName"]
    gone: list[Record] = []
    failures = []
    for ident in call.get("imageIds"):
        failure = _failure(table, name, ident)
        if failure is None:
            gone += _remove(table, name, ident)
        else:
            failures.append(failure)
    return {"imageIds": gone, "failures": failures}


def _remove(table: Table, name: str, ident: Record) -> list[Record]:
    found, tag = find_image(table, name, ident), ident.get("imageTag")
    if found is None:
        return []
    digest = found["imageDigest"]
    key, tags = image_key(name, digest), found["imageTags"]
    if tag is not None and len(tags) > 1:
        table.edit(key)["imageTags"] = [one for one in tags if one != tag]
        return [{"imageDigest": digest, "imageTag": tag}]
    table.delete(key)
    return [{"imageDigest": digest, "imageTag": one} for one in tags or [None]]


def _failure(table: Table, name: str, ident: Record) -> Record | None:
    digest, tag = ident.get("imageDigest"), ident.get("imageTag")
    if digest is None and tag is None:
        return _fail(
            ident,
            "MissingDigestAndTag",
            "Invalid request parameters: both tag and digest cannot be null",
        )
    if digest is not None and not digest.startswith("sha256:"):
        words = f"Invalid request parameters: image digest should satisfy the regex: {digest}"
        return _fail(ident, "InvalidImageDigest", words)
    if find_image(table, name, ident) is not None:
        return None
    by_digest = digest is not None and find_image(table, name, {"imageDigest": digest})
    if tag is not None and by_digest:
        return _fail(ident, "ImageTagDoesNotMatchDigest", "Tag does not match the digest")
    return _fail(ident, "ImageNotFound", "Requested image not found")


def _fail(ident: Record, code: str, reason: str) -> Record:
    return {"imageId": ident, "failureCode": code, "failureReason": reason}
