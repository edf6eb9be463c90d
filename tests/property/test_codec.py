"""Any name survives its escape, and any bytes are a record or a RecordError."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.errors import RecordError
from runctl.model.codec import Record, decode, encode, escape_name, unescape_name
from runctl.model.events import CommandStarted, Event
from runctl.model.spec import Spec
from tests.records import RECORDS, make_event, make_spec

AWKWARD = st.sampled_from([b"\\", b"x", b"\\x", b"\xff", b"\x80", b"8", b"/", b"\xc3", b"\xa9"])
NAMES = st.one_of(st.binary(), st.lists(AWKWARD).map(b"".join)).map(os.fsdecode)


@given(name=NAMES)
def test_escape_has_an_exact_inverse_and_is_valid_utf8(name: str) -> None:
    escaped = escape_name(name)
    escaped.encode("utf-8")
    assert unescape_name(escaped) == name


@given(first=NAMES, second=NAMES)
def test_two_names_never_share_an_escape(first: str, second: str) -> None:
    assert (escape_name(first) == escape_name(second)) == (first == second)


@given(text=st.one_of(st.text(), st.lists(st.sampled_from("\\x8fF ")).map("".join)))
def test_any_text_is_an_escaped_name_or_refused(text: str) -> None:
    try:
        name = unescape_name(text)
    except RecordError:
        return
    assert escape_name(name) == text
    os.fsencode(name)


@given(arguments=st.lists(NAMES))
def test_arguments_travel_byte_for_byte(arguments: list[str]) -> None:
    event = make_event(CommandStarted(pid=1, argv=tuple(map(escape_name, arguments))))
    body = decode(encode(event), Event, key="k").body
    assert isinstance(body, CommandStarted)
    assert [unescape_name(each) for each in body.argv] == arguments


@given(data=st.binary())
def test_any_bytes_are_refused_by_name(data: bytes) -> None:
    with pytest.raises(RecordError, match="the-key"):
        decode(data, Spec, key="the-key")


@given(
    record=st.sampled_from(RECORDS),
    at=st.integers(min_value=0),
    flip=st.integers(min_value=1, max_value=255),
)
def test_a_changed_byte_is_refused_or_another_record(record: Record, at: int, flip: int) -> None:
    data = bytearray(encode(record))
    data[at % len(data)] ^= flip
    try:
        found = decode(bytes(data), type(record), key="k")
    except RecordError:
        return
    assert decode(encode(found), type(record), key="k") == found


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_unicode_survives_in_a_record(text: str) -> None:
    assert decode(encode(make_spec(name=text)), Spec, key="k").name == text
