"""The bucket that an account's owners share: private, encrypted, tidied up."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runctl.aws.account import Account
from runctl.aws.asking import ask
from runctl.aws.errors import translated
from runctl.errors import RefusedError, RunctlError
from runctl.providers.aws.setup.blueprint import Blueprint
from runctl.providers.aws.setup.lifecycle import has_rules, merge_rules
from runctl.providers.aws.setup.policy import TLS_SID, is_same
from runctl.providers.aws.setup.settling import Change
from runctl.providers.aws.setup.wishes import is_key

BLOCKED = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
_HOME = "us-east-1"  # the region whose name S3 does not take as a place


@dataclass(frozen=True)
class Bucket:
    account: Account
    plan: Blueprint

    kind = "bucket"

    @property
    def name(self) -> str:
        return self.plan.bucket

    def examine(self) -> Sequence[Change]:
        if not self.is_there():
            return [Change("made", self._make), *self._settings(is_there=False)]
        return self._settings(is_there=True)

    def is_there(self) -> bool:
        """Tell whether we have it; RefusedError where it is another account's."""
        try:
            return self._ask("head_bucket", "404", "NoSuchBucket") is not None
        except RunctlError as error:
            if error.details.get("aws_code") not in ("403", "AccessDenied"):
                raise
            raise self._foreign() from error

    def encryption(self) -> Mapping[str, Any]:
        """Return the rule of encryption that is in force, empty where there is none."""
        told = self._ask("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError")
        rules = told["ServerSideEncryptionConfiguration"]["Rules"] if told else []
        return rules[0] if rules else {}

    def key(self) -> str | None:
        """Return the ARN of the key that objects are encrypted with, if one of KMS is named."""
        by = self.encryption().get("ApplyServerSideEncryptionByDefault", {})
        key = str(by.get("KMSMasterKeyID", ""))
        return key if is_key(key) else None

    def lifecycle(self) -> Mapping[str, Any]:
        """Return ``Rules``, and what else stands beside them."""
        return self._ask("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration") or {}

    def put_lifecycle(self, rules: Sequence[Mapping[str, Any]], seen: Mapping[str, Any]) -> None:
        size = "TransitionDefaultMinimumObjectSize"
        kept = {size: seen[size]} if size in seen else {}
        document = {"Rules": list(rules)}
        self._put("put_bucket_lifecycle_configuration", LifecycleConfiguration=document, **kept)

    # -- each setting: compared, and changed

    def _settings(self, *, is_there: bool) -> list[Change]:
        looks = (self._access, self._encryption, self._policy, self._lifecycle)
        return [change for look in looks for change in look(is_there=is_there)]

    def _access(self, *, is_there: bool) -> list[Change]:
        absent = "NoSuchPublicAccessBlockConfiguration"
        told = self._ask("get_public_access_block", absent) if is_there else None
        if told and told["PublicAccessBlockConfiguration"] == BLOCKED:
            return []
        put = self._later("put_public_access_block", PublicAccessBlockConfiguration=BLOCKED)
        return [Change("public access blocked", put)]

    def _encryption(self, *, is_there: bool) -> list[Change]:
        wanted = self.plan.encryption
        seen = self.encryption() if is_there else {}
        by = seen.get("ApplyServerSideEncryptionByDefault")
        is_wanted = by == wanted["ApplyServerSideEncryptionByDefault"]
        if by and (is_wanted or self.plan.wish.kms_key is None):
            return []  # a key that somebody chose for all owners stays
        document = {"Rules": [wanted]}
        put = self._later("put_bucket_encryption", ServerSideEncryptionConfiguration=document)
        return [Change(f"encrypted with {self.plan.wish.kms_key or 'SSE-S3'}", put)]

    def _policy(self, *, is_there: bool) -> list[Change]:
        told = self._ask("get_bucket_policy", "NoSuchBucketPolicy") if is_there else None
        seen: dict[str, Any] = (
            json.loads(told["Policy"]) if told else {"Version": "2012-10-17", "Statement": []}
        )
        listed = seen["Statement"] if isinstance(seen["Statement"], list) else [seen["Statement"]]
        ours = self.plan.tls_statement
        if any(is_same(one, ours) for one in listed):
            return []
        others = [one for one in listed if one.get("Sid") != TLS_SID]
        text = json.dumps({**seen, "Statement": [*others, ours]})
        return [Change("plain http refused", self._later("put_bucket_policy", Policy=text))]

    def _lifecycle(self, *, is_there: bool) -> list[Change]:
        seen = self.lifecycle() if is_there else {}
        rules, ours = seen.get("Rules", []), self.plan.lifecycle
        if has_rules(rules, ours):
            return []
        merged = merge_rules(rules, ours)
        return [Change("lifecycle rules set", lambda: self.put_lifecycle(merged, seen))]

    # -- speaking with S3

    def _make(self) -> None:
        region = self.plan.place.region
        place = {} if region == _HOME else {"LocationConstraint": region}
        configuration = {"CreateBucketConfiguration": place} if place else {}
        try:
            with translated(f"the bucket {self.name} cannot be made"):
                self._s3.create_bucket(Bucket=self.name, **configuration)
        except RunctlError as error:
            if error.details.get("aws_code") == "BucketAlreadyExists":
                raise self._foreign() from error
            raise

    def _foreign(self) -> RefusedError:
        return RefusedError(
            f"the bucket {self.name} belongs to another account, or is closed to you",
            hint=f"aws s3api head-bucket --bucket {self.name}",
        )

    def _ask(self, operation: str, *absent: str) -> Any | None:
        call = getattr(self._s3, operation)
        return ask(f"the bucket {self.name}", lambda: call(**self._target), *absent)

    def _later(self, operation: str, **parameters: Any) -> Callable[[], None]:
        return lambda: self._put(operation, **parameters)

    def _put(self, operation: str, **parameters: Any) -> None:
        with translated(f"the bucket {self.name} cannot be changed"):
            getattr(self._s3, operation)(**self._target, **parameters)

    @property
    def _target(self) -> dict[str, str]:
        """Never a bucket of another account, whoever may write to it."""
        return {"Bucket": self.name, "ExpectedBucketOwner": self.plan.place.account_id}

    @property
    def _s3(self) -> Any:
        return self.account.client("s3")
