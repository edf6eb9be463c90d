"""The settings of a bucket: documents, kept as they came, and what S3 answers without them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

from runctl.localcloud.http.messages import Response
from runctl.localcloud.s3 import xml
from runctl.localcloud.s3.acl import check_acl, get_acl
from runctl.localcloud.s3.buckets import HOME
from runctl.localcloud.s3.errors import S3Error, bad_argument, malformed, s3_error
from runctl.localcloud.s3.exchange import Exchange, answer_xml
from runctl.localcloud.s3.metadata import BUCKET_TAGS, read_tags
from runctl.localcloud.s3.policies import check_policy, is_public
from runctl.localcloud.s3.setting_documents import LISTS, NAMED, ROOTS, UNSET

_TRANSITION = {"x-amz-transition-default-minimum-object-size": "all_storage_classes_128K"}


def _slot(exchange: Exchange) -> str:
    """Return under which name a document is kept: those with an id have a name for each."""
    part = exchange.address.part
    return f"{part}:{exchange.query.get('id', '')}" if part in NAMED else part


def get_setting(exchange: Exchange) -> Response:
    """Return a setting, or what S3 answers while it is not set."""
    part, slot = exchange.address.part, _slot(exchange)
    if part in NAMED and "id" not in exchange.query:
        return _list_named(exchange)
    document = exchange.settings["settings"].get(slot)
    if document is not None:
        kind = "application/json" if part == "policy" else "application/xml"
        told = _TRANSITION if part == "lifecycle" else {}
        return Response(200, {"Content-Type": kind, **told}, document.encode())
    if part in NAMED:
        raise s3_error("NoSuchConfiguration", "The specified configuration does not exist.")
    if part in UNSET:
        raise _unset(exchange, part)
    if part not in ROOTS:
        raise s3_error("NotImplemented", f"The local cloud does not support {part}.")
    return answer_xml(*ROOTS[part])


def _unset(exchange: Exchange, part: str) -> S3Error:
    code, words = UNSET[part]
    return s3_error(code, words, BucketName=exchange.address.bucket)


def _list_named(exchange: Exchange) -> Response:
    part = exchange.address.part
    found = "".join(
        document[document.index(f"<{ROOTS[part][0]}") :]
        for slot, document in sorted(exchange.settings["settings"].items())
        if slot.startswith(f"{part}:")
    )
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{LISTS[part]} xmlns="{xml.NAMESPACE}">'
        f"<IsTruncated>false</IsTruncated>{found}</{LISTS[part]}>"
    )
    return Response(200, {"Content-Type": "application/xml"}, body.encode())


def put_setting(exchange: Exchange) -> Response:
    """Change a setting."""
    part, settings = exchange.address.part, exchange.settings
    if part != "policy" and part not in ROOTS:
        raise s3_error("MethodNotAllowed", f"{part} of a bucket cannot be set.")
    document = _checked(exchange, part, exchange.document())
    name, index = exchange.address.bucket, exchange.s3.index
    with index.locked():
        settings = index.bucket(name) or settings
        documents = {**settings["settings"], _slot(exchange): document}
        index.put_bucket(name, {**settings, "settings": documents})
    told = _TRANSITION if part == "lifecycle" else {}
    return Response(204 if part in ("policy", "tagging") else 200, dict(told))


def _checked(exchange: Exchange, part: str, body: bytes) -> str:
    """Return a document that can be kept; raise for one that cannot be."""
    if part == "policy":
        text = check_policy(body, exchange.address.bucket)
        if is_public(text) and is_blocked(exchange.settings, "BlockPublicPolicy"):
            raise s3_error(
                "AccessDenied",
                "Access Denied: public policies are prevented by the BlockPublicPolicy setting "
                "in S3 Block Public Access.",
            )
        return text
    if part == "tagging":
        read_tags(body, BUCKET_TAGS)
    root = xml.read(body, ROOTS[part][0])
    if part in NAMED and (xml.text(root, "Id") or "") != exchange.query.get("id"):
        raise bad_argument("id", exchange.query.get("id", ""), "The id is not the document's")
    if part == "lifecycle":
        _check_lifecycle(root)
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise malformed() from error


def _check_lifecycle(root: ET.Element) -> None:
    rules = root.findall("Rule")
    if not rules:
        raise malformed()
    for days in (xml.text(rule, "Expiration/Days") for rule in rules):
        if days is not None and not (days.isascii() and days.isdigit() and int(days)):
            words = "'Days' for Expiration action must be a positive integer"
            raise bad_argument("Days", days, words)


def is_blocked(settings: Mapping[str, Any], name: str) -> bool:
    """Whether the bucket's public access block has a switch on."""
    document = settings["settings"].get("publicAccessBlock")
    return document is not None and xml.text(xml.read(document.encode()), name) == "true"


def delete_setting(exchange: Exchange) -> Response:
    """Unset a setting; that it is not set is no error."""
    name, index = exchange.address.bucket, exchange.s3.index
    _ = exchange.settings
    with index.locked():
        settings = index.bucket(name) or exchange.settings
        documents = dict(settings["settings"])
        known = documents.pop(_slot(exchange), None)
        index.put_bucket(name, {**settings, "settings": documents})
    if known is None and exchange.address.part in NAMED:
        raise s3_error("NoSuchConfiguration", "The specified configuration does not exist.")
    return Response(204)


# ---------------------------------------------------------------- those that are no documents


def get_location(exchange: Exchange) -> Response:
    """Return the region, which for us-east-1 is nothing."""
    region = exchange.settings["region"]
    text = "" if region == HOME else region
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<LocationConstraint xmlns="{xml.NAMESPACE}">{text}</LocationConstraint>'
    )
    return Response(200, {"Content-Type": "application/xml"}, body.encode())


def get_versioning(exchange: Exchange) -> Response:
    """Return whether versions are kept; nothing where that was never said."""
    status = exchange.settings.get("versioning")
    return answer_xml("VersioningConfiguration", {"Status": status})


def put_versioning(exchange: Exchange) -> Response:
    """Begin to keep versions, or suspend it."""
    root = xml.read(exchange.document(), "VersioningConfiguration")
    status = xml.text(root, "Status")
    if status not in ("Enabled", "Suspended"):
        raise s3_error(
            "IllegalVersioningConfigurationException",
            "The Versioning element must be specified",
        )
    name, index, settings = exchange.address.bucket, exchange.s3.index, exchange.settings
    with index.locked():
        settings = index.bucket(name) or settings
        index.put_bucket(name, {**settings, "versioning": status})
    return Response(200)


def get_policy_status(exchange: Exchange) -> Response:
    """Return whether the policy makes the bucket public."""
    policy = exchange.settings["settings"].get("policy")
    if policy is None:
        raise _unset(exchange, "policy")
    return answer_xml("PolicyStatus", {"IsPublic": is_public(policy)})


def put_acl(exchange: Exchange) -> Response:
    """Accept the ACL that a bucket has anyway, and no other."""
    _ = exchange.settings, exchange.document()
    check_acl(exchange.headers)
    return Response(200)


HANDLERS = {
    "GetBucketAcl": get_acl,
    "GetBucketLocation": get_location,
    "GetBucketPolicyStatus": get_policy_status,
    "GetBucketVersioning": get_versioning,
    "PutBucketAcl": put_acl,
    "PutBucketVersioning": put_versioning,
}
