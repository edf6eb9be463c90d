"""An owner's part of the bucket, and the bucket once nothing is in it: deleted for good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runctl.aws.account import Account
from runctl.aws.errors import translated
from runctl.errors import ProviderError
from runctl.providers.aws.setup.blueprint import Blueprint
from runctl.providers.aws.setup.bucket import Bucket
from runctl.providers.aws.setup.lifecycle import without_rules
from runctl.providers.aws.setup.settling import Change

_Entry = Mapping[str, Any]


@dataclass(frozen=True)
class LedgerGone:
    """All below the owner's prefix: objects, their older versions, unfinished uploads."""

    account: Account
    plan: Blueprint

    kind = "ledger"

    @property
    def name(self) -> str:
        return self.plan.store_root

    def examine(self) -> Sequence[Change]:
        if not Bucket(self.account, self.plan).is_there():
            return []
        is_empty = not any(self._versions()) and not any(self._uploads())
        return [] if is_empty else [Change("deleted", self._delete)]

    def measure(self) -> tuple[int, int]:
        """Return how many objects there are, each version counted, and their bytes."""
        if not Bucket(self.account, self.plan).is_there():
            return 0, 0
        sizes = [one.get("Size", 0) for page in self._versions() for one in page]
        return len(sizes), sum(sizes)

    def _delete(self) -> None:
        # From the start each time: the version that a page ended with is gone by the next one.
        while page := next(self._versions(), None):
            self._delete_versions(page)
        s3 = self.account.client("s3")
        for one in [one for page in self._uploads() for one in page]:
            target = {"Key": one["Key"], "UploadId": one["UploadId"]}
            with translated(f"an upload to {self.name} cannot be ended"):
                s3.abort_multipart_upload(**self._target, **target)

    def _delete_versions(self, page: Sequence[_Entry]) -> None:
        keys = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in page]
        delete = {"Objects": keys, "Quiet": True}
        with translated(f"{self.name} cannot be deleted"):
            told = self.account.client("s3").delete_objects(**self._target, Delete=delete)
        for error in told.get("Errors", []):
            raise ProviderError(
                f"{error['Key']} cannot be deleted: {error.get('Message', error['Code'])}",
                hint="runctl aws teardown --delete-ledger",
            )

    def _versions(self) -> Iterator[list[_Entry]]:
        """Yield pages of at most a thousand, the most that one call deletes."""
        return self._pages("list_object_versions", "Versions", "DeleteMarkers")

    def _uploads(self) -> Iterator[list[_Entry]]:
        return self._pages("list_multipart_uploads", "Uploads")

    def _pages(self, operation: str, *members: str) -> Iterator[list[_Entry]]:
        pages = self.account.client("s3").get_paginator(operation)
        prefix = f"{self.plan.place.owner}/"
        with translated(f"{self.name} cannot be listed"):
            for page in pages.paginate(**self._target, Prefix=prefix):
                found = [one for member in members for one in page.get(member, [])]
                if found:
                    yield found

    @property
    def _target(self) -> dict[str, str]:
        return {"Bucket": self.plan.bucket, "ExpectedBucketOwner": self.plan.place.account_id}


class BucketGone(Bucket):
    """The bucket loses the rule of this owner; it goes itself if nothing of others is in it."""

    def examine(self) -> Sequence[Change]:
        if not self.is_there():
            return []
        changes, seen = [], self.lifecycle()
        rest = self._rest(seen)
        if len(rest) < len(seen.get("Rules", [])):
            changes.append(Change("your lifecycle rule removed", lambda: self._drop(rest, seen)))
        if not self.is_shared():
            changes.append(Change("removed", self._remove))
        return changes

    def is_shared(self) -> bool:
        """Tell whether bytes or a rule of others are in it."""
        shared = self.plan.lifecycle[0]
        if any(rule != shared for rule in self._rest(self.lifecycle())):
            return True
        s3, own = self.account.client("s3"), f"{self.plan.place.owner}/"
        with translated(f"the bucket {self.name} cannot be listed"):
            pages = [
                s3.list_object_versions(**self._target),
                s3.list_multipart_uploads(**self._target),
            ]
        members = ("Versions", "DeleteMarkers", "Uploads")
        entries = [one for page in pages for member in members for one in page.get(member, [])]
        is_whole = not any(page.get("IsTruncated") for page in pages)
        return not is_whole or any(not one["Key"].startswith(own) for one in entries)

    def _rest(self, seen: _Entry) -> list[_Entry]:
        return without_rules(seen.get("Rules", []), [self.plan.lifecycle[1]["ID"]])

    def _drop(self, rest: Sequence[_Entry], seen: _Entry) -> None:
        if rest:
            self.put_lifecycle(rest, seen)
        else:
            self._put("delete_bucket_lifecycle")

    def _remove(self) -> None:
        self._put("delete_bucket")
