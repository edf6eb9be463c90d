"""Key pairs: made here, or brought along."""

from __future__ import annotations

import base64
import binascii
import hashlib
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.idents import KEY_PAIR, new_id, not_found
from runctl.localcloud.services.ec2.tags import tags_for
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_FILTERS: Mapping[str, Filter] = {
    "fingerprint": path("KeyFingerprint"),
    "key-name": path("KeyName"),
    "key-pair-id": path("KeyPairId"),
}
_KINDS = {"ssh-rsa": "rsa", "ssh-ed25519": "ed25519"}


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
    if call.get("KeyFormat", "pem") != "pem":
        raise AwsError("UnsupportedOperation", "The local cloud makes keys in the format pem.")
    kind = call.get("KeyType", "rsa")
    private, public = _generate(kind)
    der = subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-nocrypt", "-outform", "DER"],
        input=private.encode(),
        capture_output=True,
        check=False,
    ).stdout
    fingerprint = _colons(hashlib.sha1(der).hexdigest()) if kind == "rsa" else _sha256(public)  # noqa: S324
    record = _add(call, public, fingerprint)
    return {**record, "KeyMaterial": private}


def _generate(kind: str) -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "key")
        size = ["-b", "2048", "-m", "PEM"] if kind == "rsa" else []
        subprocess.run(
            ["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-C", "", "-f", str(file)],
            check=True,
            capture_output=True,
        )
        return file.read_text(), file.with_suffix(".pub").read_text().strip()


@operation("ec2", "ImportKeyPair")
def import_key_pair(call: Call) -> dict[str, Any]:
    """Take the public half of a pair that the user has."""
    public = call.get("PublicKeyMaterial").decode("utf-8", "replace").strip()
    words = public.split()
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (IndexError, binascii.Error):
        blob = b""
    if not blob or words[0] not in _KINDS:
        raise AwsError("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
    is_rsa = words[0] == "ssh-rsa"
    fingerprint = _colons(hashlib.md5(blob).hexdigest()) if is_rsa else _sha256(public)  # noqa: S324
    return _add(call, public, fingerprint)


def _add(call: Call, public: str, fingerprint: str) -> Record:
    name = call.get("KeyName")
    if any(one["KeyName"] == name for one in call.table("key-pair").values()):
        raise AwsError("InvalidKeyPair.Duplicate", f"The keypair already exists: {name}")
    record = {
        "KeyPairId": new_id(KEY_PAIR),
        "KeyName": name,
        "KeyType": _KINDS[public.split(maxsplit=1)[0]],
        "KeyFingerprint": fingerprint,
        "CreateTime": call.cloud.clock(),
        "Tags": tags_for(call, KEY_PAIR),
        "_PublicKey": f"{' '.join(public.split()[:2])} {name}",
    }
    return call.table("key-pair").put(record["KeyPairId"], record)


@operation("ec2", "DescribeKeyPairs")
def describe_key_pairs(call: Call) -> dict[str, Any]:
    """List key pairs; with their public halves, if asked."""
    found = call.table("key-pair").values()
    names, idents = call.get("KeyNames"), call.get("KeyPairIds")
    if names:
        found = [_find(call, name) for name in names]
    if idents:
        missing = [ident for ident in idents if ident not in call.table("key-pair")]
        if missing:
            raise not_found(KEY_PAIR, missing)
        found = [one for one in found if one["KeyPairId"] in idents]
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


def _colons(digest: str) -> str:
    return ":".join(digest[index : index + 2] for index in range(0, len(digest), 2))


def _sha256(public: str) -> str:
    blob = base64.b64decode(public.split()[1])
    return base64.b64encode(hashlib.sha256(blob).digest()).decode()
