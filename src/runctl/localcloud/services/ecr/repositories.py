"""Repositories: made, described, changed, removed."""

from __future__ import annotations

import re
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ecr.errors import invalid
from runctl.localcloud.services.ecr.paging import page
from runctl.localcloud.services.ecr.tags import merge
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

REPOSITORY = "repository"
IMAGE = "ecr-image"
_WORD = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
_NAME = re.compile(rf"{_WORD}(?:/{_WORD})*")
_RULE = (
    "must satisfy regular expression "
    "'(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*'"
)


def find_repository(call: Call) -> Record:
    """Return the repository that a call names, to read."""
    name = call.get("repositoryName")
    found = None if is_foreign(call) else call.table(REPOSITORY).get(name)
    if found is None:
        raise no_repository(call, name)
    return found


def edit_repository(call: Call) -> Record:
    """Return the repository that a call names, to change."""
    return call.table(REPOSITORY).edit(find_repository(call)["repositoryName"])


def is_foreign(call: Call) -> bool:
    """Whether a call is about another account's registry, of which nothing is known."""
    return call.get("registryId") not in (None, call.cloud.account)


def no_repository(call: Call, name: str) -> AwsError:
    """Make the error that names a repository which does not exist."""
    registry = call.get("registryId") or call.cloud.account
    return AwsError(
        "RepositoryNotFoundException",
        f"The repository with name '{name}' does not exist in the registry with id '{registry}'",
    )


def told(call: Call, record: Record) -> Record:
    """Return a repository as it is told: with the address of the registry as it is now."""
    host = call.cloud.registry.host(call.cloud.account, call.region)
    return {**record, "repositoryUri": f"{host}/{record['repositoryName']}"}


@operation("ecr", "CreateRepository")
def create_repository(call: Call) -> dict[str, Any]:
    """Make a repository."""
    name, account = call.get("repositoryName"), call.cloud.account
    if not _NAME.fullmatch(name):
        raise invalid("repositoryName", _RULE)
    if name in call.table(REPOSITORY):
        raise AwsError(
            "RepositoryAlreadyExistsException",
            f"The repository with name '{name}' already exists in the registry with id '{account}'",
        )
    record: Record = {
        "repositoryArn": f"arn:aws:ecr:{call.region}:{account}:repository/{name}",
        "registryId": account,
        "repositoryName": name,
        "createdAt": call.cloud.clock(),
        "imageTagMutability": call.get("imageTagMutability", "MUTABLE"),
        "imageScanningConfiguration": _scanning(call),
        "encryptionConfiguration": _encryption(call),
        "Tags": merge([], call.get("tags", [])),
    }
    return {"repository": told(call, call.table(REPOSITORY).put(name, record))}


def _scanning(call: Call) -> Record:
    return {"scanOnPush": call.get("imageScanningConfiguration", {}).get("scanOnPush", False)}


def _encryption(call: Call) -> Record:
    given = call.get("encryptionConfiguration", {"encryptionType": "AES256"})
    if given["encryptionType"] == "AES256":
        return {"encryptionType": "AES256"}
    usual = f"arn:aws:kms:{call.region}:{call.cloud.account}:alias/aws/ecr"
    return {"encryptionType": given["encryptionType"], "kmsKey": given.get("kmsKey", usual)}


@operation("ecr", "DescribeRepositories")
def describe_repositories(call: Call) -> dict[str, Any]:
    """List repositories, all or those named."""
    table, names = call.table(REPOSITORY), call.get("repositoryNames") or []
    if names and (call.get("maxResults") or call.get("nextToken")):
        raise invalid("repositoryNames", "cannot be used with maxResults or nextToken")
    for name in names:
        if name not in table or is_foreign(call):
            raise no_repository(call, name)
    found = [] if is_foreign(call) else table.values()
    chosen = [told(call, one) for one in found if not names or one["repositoryName"] in names]
    return page(call, "repositories", chosen, sort_by="repositoryName")


@operation("ecr", "DeleteRepository")
def delete_repository(call: Call) -> dict[str, Any]:
    """Remove a repository; one that holds images only if that is said."""
    record = find_repository(call)
    name = record["repositoryName"]
    held = [ident for ident, one in call.table(IMAGE).items() if one["repositoryName"] == name]
    if held and not call.get("force"):
        raise AwsError(
            "RepositoryNotEmptyException",
            f"The repository with name '{name}' in registry with id '{call.cloud.account}' "
            "cannot be deleted because it still contains images",
        )
    for ident in held:
        call.table(IMAGE).delete(ident)
    call.table(REPOSITORY).delete(name)
    return {"repository": told(call, record)}


@operation("ecr", "PutImageTagMutability")
def put_image_tag_mutability(call: Call) -> dict[str, Any]:
    """Let tags be moved to other images, or never."""
    record = edit_repository(call)
    record["imageTagMutability"] = call.get("imageTagMutability")
    return _named(record, "imageTagMutability")


@operation("ecr", "PutImageScanningConfiguration")
def put_image_scanning_configuration(call: Call) -> dict[str, Any]:
    """Say whether images are to be scanned; here, none are."""
    record = edit_repository(call)
    record["imageScanningConfiguration"] = _scanning(call)
    return _named(record, "imageScanningConfiguration")


def _named(record: Record, member: str) -> Record:
    return {name: record[name] for name in ("registryId", "repositoryName", member)}
