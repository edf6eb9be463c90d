"""XML as S3 writes and reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from runctl.localcloud.s3.errors import malformed

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""What no document may contain, and keys do."""
_REPLACEMENT = "\ufffd"
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def write(root: str, members: Mapping[str, Any]) -> bytes:
    """Write a document; a list is its element repeated, None is left out."""
    return f'{_HEAD}<{root} xmlns="{NAMESPACE}">{_inside(members)}</{root}>'.encode()


def _inside(members: Mapping[str, Any]) -> str:
    return "".join(_element(name, value) for name, value in members.items())


def _element(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "".join(_element(name, one) for one in value)
    if isinstance(value, Mapping):
        return f"<{name}>{_inside(value)}</{name}>"
    if isinstance(value, bool):
        value = "true" if value else "false"
    return f"<{name}>{escape(_ILLEGAL.sub(_REPLACEMENT, str(value)))}</{name}>"


def read(body: bytes, root: str | None = None) -> ET.Element:
    """Read a document, whatever its namespace; one with entities of its own is refused."""
    if b"<!" in body and (b"<!DOCTYPE" in body or b"<!ENTITY" in body):
        raise malformed()
    try:
        found = ET.fromstring(body)  # noqa: S314 - what has a document type never comes here
    except (ET.ParseError, ValueError, LookupError) as error:
        raise malformed() from error
    for element in found.iter():
        element.tag = element.tag.rpartition("}")[2]
    if root is not None and found.tag != root:
        raise malformed()
    return found


def text(element: ET.Element, path: str) -> str | None:
    """Return the text under a path; None where there is none."""
    return element.findtext(path)
