"""JSON documents: whole if and only if they parse to their end."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import BinaryIO

from runctl.errors import IntegrityError
from runctl.store.formats.description import Description, Verdict, undecided, whole
from runctl.store.formats.findings import Findings
from runctl.store.formats.source import CHUNK_BYTES

PARSED_LIMIT_BYTES = 4 << 20
DEPTH_LIMIT = 100_000
_OUTSIDE = re.compile(rb'["\[\]{}]')
_INSIDE = re.compile(rb'["\\]')
_CLOSES = {ord("]"): ord("["), ord("}"): ord("{")}


class JsonDocument:
    """Small documents are parsed; the brackets of large ones are balanced as they stream by."""

    name = "json"
    suffixes = frozenset({".json"})

    def matches(self, path: Path, head: bytes) -> bool:  # noqa: ARG002
        return False

    def check(self, path: Path, *, deep: bool) -> Verdict:  # noqa: ARG002
        if path.stat().st_size <= PARSED_LIMIT_BYTES:
            document = read_document(path)
            if isinstance(document, dict | list):
                return whole("the document parses to its end")
            return undecided("a bare value has no end mark: it may have been longer")
        with path.open("rb") as handle:
            _balance(handle)
        return whole("every bracket and string of the document is closed")

    def describe(self, path: Path) -> Description:
        findings = Findings()
        size_bytes = path.stat().st_size
        if size_bytes > PARSED_LIMIT_BYTES:
            findings.notes.append("too large to be described")
        else:
            findings.explore(read_document(path))
        return findings.description(self.name, size_bytes)


def read_document(path: Path) -> object:
    """The parsed document; IntegrityError where it is damaged or larger than is parsed."""
    with path.open("rb") as handle:
        data = handle.read(PARSED_LIMIT_BYTES + 1)
    if len(data) > PARSED_LIMIT_BYTES:
        raise IntegrityError("is a larger document than runctl parses")
    try:
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"is not a complete JSON document: {error}") from error


class Balance:
    """The brackets that are open, as text goes by in pieces."""

    def __init__(self) -> None:
        self.open = bytearray()
        self.is_in_string = False
        self.has_begun = False
        self._is_escaped = False

    def feed(self, text: bytes) -> None:
        at = 0
        if self._is_escaped and text:
            at, self._is_escaped = 1, False
        while True:
            found = (_INSIDE if self.is_in_string else _OUTSIDE).search(text, at)
            if found is None:
                return
            at = found.end()
            at += self._take(text[found.start()], is_last=at == len(text))

    def _take(self, character: int, *, is_last: bool) -> int:
        """Take in one character; gives how many more to step over."""
        if character == ord("\\"):
            self._is_escaped = is_last
            return 0 if is_last else 1
        if character == ord('"'):
            self.is_in_string = not self.is_in_string
        elif character in _CLOSES:
            self._close(character)
        else:
            self._begin(character)
        return 0

    def _begin(self, character: int) -> None:
        if (self.has_begun and not self.open) or len(self.open) >= DEPTH_LIMIT:
            raise IntegrityError("is not one JSON document")
        self.has_begun = True
        self.open.append(character)

    def _close(self, character: int) -> None:
        if not self.open or self.open.pop() != _CLOSES[character]:
            raise IntegrityError("has a bracket that closes none")


def _balance(handle: BinaryIO) -> None:
    balance = Balance()
    while text := handle.read(CHUNK_BYTES):
        balance.feed(text)
    if balance.open or balance.is_in_string or not balance.has_begun:
        raise IntegrityError("ends before its JSON document does")
