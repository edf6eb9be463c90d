"""Key pairs: made here, or brought along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.idents import KEY_PAIR, find_all, new_id
from runctl.localcloud.services.ec2.keymaterial import (
    KINDS,
    KeyRefused,
    fingerprint_of_created,
    fingerprint_of_imported,
    make_pair,
    read_public,
)
from runctl.localcloud.services.ec2.tags import tags_for
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_LONGEST = 255
_FILTERS: Mapping[str, Filter] = {
    "fingerprint": path("KeyFingerprint"),
    "key-name": path("KeyName"),
    "key-pair-id": path("KeyPairId"),
}


def public_key(call: Call, name: str) -> str:
    """Return the public key of a pair; raise what RunInstances answers to an unknown name."""
    return str(_find(call, name)["_PublicKey"])


def _find(call: Call, name: str) -> Record:
    for record in call.table("key-pair").values():
        if record["KeyName"] == name:
            return record
    raise AwsError("InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist")


@operation("ec2", "CreateKeyPair")
def create_key_pair(call: Call) -> dict[str, Any]:
    """Make a key pair; its private half is told once, and not kept."""
    _check_new(call)
    if call.get("KeyFormat", "pem") != "pem":
        raise AwsError("UnsupportedOperation", "The local cloud makes keys in the format pem.")
    kind = call.get("KeyType", "rsa")
    private, public = make_pair(kind)
    record = _add(call, public, fingerprint_of_created(kind, private, public))
    return {**record, "KeyMaterial": private}


@operation("ec2", "ImportKeyPair")
def import_key_pair(call: Call) -> dict[str, Any]:
    """Take the public half of a pair that the user has."""
    _check_new(call)
    try:
        public = read_public(call.get("PublicKeyMaterial").decode("utf-8", "replace").strip())
    except KeyRefused as refusal:
        words = "Key is not in valid OpenSSH public key format"
        raise AwsError("InvalidKey.Format", words) from refusal
    return _add(call, public, fingerprint_of_imported(public))


def _check_new(call: Call) -> None:
    name = call.get("KeyName")
    if not name or len(name) > _LONGEST or not name.isascii():
        raise AwsError(
            "InvalidParameterValue",
            f"Value ({name}) for parameter keyName is invalid. It has 1 to {_LONGEST} ASCII "
            "characters.",
        )
    if any(one["KeyName"] == name for one in call.table("key-pair").values()):
        raise AwsError("InvalidKeyPair.Duplicate", f"The keypair already exists: {name}")


def _add(call: Call, public: str, fingerprint: str) -> Record:
    kind, text = public.split()[:2]
    record = {
        "KeyPairId": new_id(KEY_PAIR),
        "KeyName": call.get("KeyName"),
        "KeyType": KINDS[kind],
        "KeyFingerprint": fingerprint,
        "CreateTime": call.cloud.clock(),
        "Tags": tags_for(call, KEY_PAIR),
        "_PublicKey": f"{kind} {text} {call.get('KeyName')}",
    }
    return call.table("key-pair").put(record["KeyPairId"], record)


@operation("ec2", "DescribeKeyPairs")
def describe_key_pairs(call: Call) -> dict[str, Any]:
    """List key pairs; with their public halves, if asked."""
    found = call.table("key-pair").values()
    names, idents = call.get("KeyNames"), call.get("KeyPairIds")
    if names:
        found = [_find(call, name) for name in dict.fromkeys(names)]
    if idents:
        chosen = find_all(call, KEY_PAIR, idents)
        found = [one for one in found if one in chosen]
    found = apply(_FILTERS, call.get("Filters"), found)
    if call.get("IncludePublicKey"):
        found = [{**one, "PublicKey": one["_PublicKey"]} for one in found]
    return {"KeyPairs": found}


@operation("ec2", "DeleteKeyPair")
def delete_key_pair(call: Call) -> dict[str, Any]:
    """Remove a pair; one that is not there is no error."""
    name, ident = call.get("KeyName"), call.get("KeyPairId")
    if not name and not ident:
        raise AwsError(
            "MissingParameter", "The request must contain the parameter KeyName or KeyPairId"
        )
    for found_id, record in call.table("key-pair").items():
        if record["KeyName"] == name or found_id == ident:
            call.table("key-pair").delete(found_id)
            return {"Return": True, "KeyPairId": found_id}
    return {"Return": True}
