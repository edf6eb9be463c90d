"""Encryption: no byte is encrypted here, but every record says what AWS would say of it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

DEFAULT_ALIAS = "alias/aws/ebs"
_KIND, _IDENT = "ebs-settings", "settings"


def is_default_key(call: Call, arn: str | None) -> bool:
    """Whether it is the key that AWS manages: what it encrypts cannot be shared."""
    return arn == _arn(call, DEFAULT_ALIAS)


def encryption_of(
    call: Call, wanted: Mapping[str, Any], *, source: Record | None = None
) -> dict[str, Any]:
    """Return Encrypted and KmsKeyId of what is made, perhaps of a snapshot.

    ``wanted`` has Encrypted and KmsKeyId, as far as they were given.
    """
    given = wanted.get("KmsKeyId")
    if given and not wanted.get("Encrypted"):
        raise AwsError(
            "InvalidParameterDependency",
            "The parameter [KmsKeyId] requires the parameter Encrypted to be set.",
        )
    settings = _settings(call)
    inherited = source["KmsKeyId"] if source and source["Encrypted"] else None
    if not (wanted.get("Encrypted") or inherited or settings["IsByDefault"]):
        return {"Encrypted": False}
    key = _arn(call, given or settings["KmsKeyId"]) if given or not inherited else inherited
    return {"Encrypted": True, "KmsKeyId": key}


def _settings(call: Call) -> Record:
    known = call.table(_KIND).get(_IDENT)
    return known or {"KmsKeyId": DEFAULT_ALIAS, "IsByDefault": False}


def _arn(call: Call, key: str) -> str:
    """Return the ARN of a key that is named in one of the four ways."""
    start = f"arn:aws:kms:{call.region}:{call.cloud.account}:key/"
    if key.startswith("arn:") and ":alias/" not in key:
        return key
    alias = re.sub(r"^arn:.*:(?=alias/)", "", key)
    if not alias.startswith("alias/"):
        return start + key
    return start + str(uuid.uuid5(uuid.NAMESPACE_URL, start + alias))


@operation("ec2", "GetEbsEncryptionByDefault")
def get_ebs_encryption_by_default(call: Call) -> dict[str, Any]:
    """Say whether new volumes are encrypted without being asked to."""
    is_on = _settings(call)["IsByDefault"]
    return {"EbsEncryptionByDefault": is_on, "SseType": "sse-ebs" if is_on else "none"}


@operation("ec2", "EnableEbsEncryptionByDefault", "DisableEbsEncryptionByDefault")
def set_ebs_encryption_by_default(call: Call) -> dict[str, Any]:
    """Let new volumes be encrypted without being asked to, or no more."""
    is_on = call.operation.startswith("Enable")
    call.table(_KIND).put(_IDENT, {**_settings(call), "IsByDefault": is_on})
    return {"EbsEncryptionByDefault": is_on}


@operation("ec2", "GetEbsDefaultKmsKeyId")
def get_ebs_default_kms_key_id(call: Call) -> dict[str, Any]:
    """Return the key that volumes are encrypted with unless another is named."""
    return {"KmsKeyId": _settings(call)["KmsKeyId"]}


@operation("ec2", "ModifyEbsDefaultKmsKeyId")
def modify_ebs_default_kms_key_id(call: Call) -> dict[str, Any]:
    """Name that key."""
    key = _arn(call, call.get("KmsKeyId"))
    call.table(_KIND).put(_IDENT, {**_settings(call), "KmsKeyId": key})
    return {"KmsKeyId": key}


@operation("ec2", "ResetEbsDefaultKmsKeyId")
def reset_ebs_default_kms_key_id(call: Call) -> dict[str, Any]:
    """Let it be the one that AWS manages."""
    call.table(_KIND).put(_IDENT, {**_settings(call), "KmsKeyId": DEFAULT_ALIAS})
    return {"KmsKeyId": DEFAULT_ALIAS}
