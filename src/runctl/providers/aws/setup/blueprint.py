"""What is wanted, once: made in the account, compared with it, and printed from here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runctl.aws import names
from runctl.aws.tags import OWNER_TAG
from runctl.model.setup import Document, SetupWish
from runctl.providers.aws.setup import policy
from runctl.providers.aws.setup.place import Place
from runctl.providers.aws.setup.wishes import read_block

SSH_PORT = 22
UPLOAD_DAYS, TRANSIT_DAYS = 7, 1


@dataclass(frozen=True)
class Opening:
    """One block of addresses that SSH is open to."""

    block: str
    is_ipv6: bool


@dataclass(frozen=True)
class Blueprint:
    place: Place
    wish: SetupWish

    @property
    def tags(self) -> list[dict[str, str]]:
        return [{"Key": OWNER_TAG, "Value": self.place.owner}]

    # -- the bucket

    @property
    def bucket(self) -> str:
        return names.bucket_name(self.place.account_id, self.place.region)

    @property
    def store_root(self) -> str:
        return names.ledger_url(self.bucket, self.place.owner)

    @property
    def tls_statement(self) -> Document:
        return policy.tls_statement(self.place, self.bucket)

    @property
    def encryption(self) -> dict[str, Any]:
        """The rule of encryption, as S3 has it."""
        key = self.wish.kms_key
        if key is None:
            return {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        by = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
        # One call of KMS for many objects: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
        return {"ApplyServerSideEncryptionByDefault": by, "BucketKeyEnabled": True}

    @property
    def lifecycle(self) -> list[dict[str, Any]]:
        """Our rules: one that all owners share, and one of this owner's prefix."""
        owner = self.place.owner
        return [
            {
                "ID": "runctl-incomplete-uploads",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UPLOAD_DAYS},
            },
            {
                "ID": f"runctl-{owner}-transit",
                "Status": "Enabled",
                "Filter": {"Prefix": f"{owner}/transit/"},
                "Expiration": {"Days": TRANSIT_DAYS},
            },
        ]

    # -- the role

    @property
    def role(self) -> str:
        return names.role_name(self.place.owner)

    @property
    def profile(self) -> str:
        return names.instance_profile_name(self.place.owner)

    @property
    def policy_name(self) -> str:
        """A role is of all regions, and what the policy names is of one."""
        return f"runctl-{self.place.region}"

    @property
    def trust(self) -> Document:
        return policy.trust_policy(self.place)

    @property
    def policy(self) -> Document:
        return policy.instance_policy(self.place, self.bucket, self.wish)

    @property
    def managed_policy(self) -> str:
        """What Systems Manager's agent needs."""
        return f"arn:{self.place.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"

    # -- the security group

    @property
    def group(self) -> str:
        return names.security_group_name(self.place.owner)

    @property
    def group_description(self) -> str:
        return f"Instances of runctl, owner {self.place.owner}"

    @property
    def openings(self) -> Sequence[Opening]:
        blocks = [read_block(text) for text in self.wish.ssh_from]
        return [Opening(str(block), block.version == 6) for block in dict.fromkeys(blocks)]
