"""Buckets: made, looked at, listed, deleted."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from runctl.localcloud.data import region_facts
from runctl.localcloud.http.messages import Response
from runctl.localcloud.s3 import xml
from runctl.localcloud.s3.acl import check_acl
from runctl.localcloud.s3.address import check_bucket_name
from runctl.localcloud.s3.errors import s3_error
from runctl.localcloud.s3.exchange import Exchange, answer_xml
from runctl.localcloud.s3.metadata import BUCKET_TAGS, check_tags, tags_in, write_tags
from runctl.localcloud.s3.paging import limit_of, open_token, seal
from runctl.localcloud.s3.rows import Piece
from runctl.localcloud.s3.telling import iso

HOME = "us-east-1"
_OWNERSHIP = "BucketOwnerEnforced"
_BLOCK = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_MOST_BUCKETS = 10000


def create_bucket(exchange: Exchange) -> Response:
    """Make a bucket."""
    name = exchange.address.bucket
    check_bucket_name(name)
    check_acl(exchange.headers)
    body = exchange.document()
    wanted = xml.read(body) if body.strip() else ET.Element("CreateBucketConfiguration")
    region, settings = _region(exchange, wanted), _first_settings(exchange, wanted)
    index = exchange.s3.index
    with index.locked():
        known = index.bucket(name)
        if known is not None and not (known["region"] == region == HOME):
            raise s3_error(
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own "
                "it.",
                BucketName=name,
            )
        if known is None:
            made = {"created": exchange.s3.clock(), "region": region}
            index.put_bucket(name, {**made, "settings": settings})
    return Response(200, {"Location": f"/{name}"})


def _first_settings(exchange: Exchange, wanted: ET.Element) -> dict[str, str]:
    """Return the documents that new buckets have: nothing is public, no ACLs, tags if asked."""
    ownership: dict[str, Any] = {"Rule": {"ObjectOwnership": _OWNERSHIP}}
    tags = check_tags(tags_in(wanted), BUCKET_TAGS)
    if tags:
        exchange.s3.authorise_bucket_tags(exchange)
    return {
        **({"tagging": write_tags(tags)} if tags else {}),
        "ownershipControls": xml.write("OwnershipControls", ownership).decode(),
        "publicAccessBlock": xml.write(
            "PublicAccessBlockConfiguration", dict.fromkeys(_BLOCK, True)
        ).decode(),
    }


def _region(exchange: Exchange, document: ET.Element) -> str:
    """Return where a bucket is to be; raise where it cannot be made at this endpoint."""
    signed = exchange.trust.scope.region if exchange.trust.scope else HOME
    wanted = xml.text(document, "LocationConstraint")
    wanted = "eu-west-1" if wanted == "EU" else wanted
    if wanted is not None and (wanted == HOME or wanted not in region_facts()):
        raise s3_error(
            "InvalidLocationConstraint",
            "The specified location-constraint is not valid",
            LocationConstraint=wanted,
        )
    if signed not in (HOME, wanted):
        raise s3_error(
            "IllegalLocationConstraintException",
            f"The {wanted or 'unspecified'} location constraint is incompatible for the region "
            "specific endpoint this request was sent to.",
        )
    return wanted or HOME


def head_bucket(exchange: Exchange) -> Response:
    """Say that a bucket is there, and where."""
    return Response(200, {"x-amz-bucket-region": exchange.settings["region"]})


def delete_bucket(exchange: Exchange) -> Response:
    """Delete a bucket that is empty; unfinished uploads go with it."""
    _ = exchange.settings
    index, name, gone = exchange.s3.index, exchange.address.bucket, list[Piece]()
    with index.locked():
        if not index.is_empty(name):
            raise s3_error(
                "BucketNotEmpty",
                "The bucket you tried to delete is not empty",
                BucketName=name,
            )
        for upload in exchange.s3.uploads.of_bucket(name):
            parts = exchange.s3.uploads.end(upload.ident).values()
            gone += [piece for part in parts for piece in part.pieces]
        index.delete_bucket(name)
    exchange.s3.files.remove(gone)
    return Response(204)


def list_buckets(exchange: Exchange) -> Response:
    """List buckets by name: those of a prefix, those of a region, page by page if asked."""
    query, token = exchange.query, exchange.query.get("continuation-token")
    prefix, region = query.get("prefix", ""), query.get("bucket-region")
    after = open_token(token) if token else ""
    found = [
        {"Name": name, "CreationDate": iso(body["created"]), "BucketRegion": body["region"]}
        for name, body in exchange.s3.index.buckets()
        if name.startswith(prefix) and name > after and region in (None, body["region"])
    ]
    limit = limit_of(query, "max-buckets", _MOST_BUCKETS)
    shown = found[:limit]
    members = {
        "Owner": {"ID": exchange.s3.owner_id},
        "Buckets": {"Bucket": shown},
        "Prefix": prefix or None,
        "ContinuationToken": seal(shown[-1]["Name"]) if len(found) > limit else None,
    }
    return answer_xml("ListAllMyBucketsResult", members)
