"""Records as bytes: strict, versioned, canonical; and names as valid Unicode."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest

from runctl.errors import IntegrityError, RecordError, RecordVersionError
from runctl.model import checkpoint, codec, events, instance, run, spec
from runctl.model.codec import Record, decode, encode, escape_name, unescape_name
from runctl.store import outputs, snapshot
from tests.records import BODIES, INSTANCE, NOW, OFFER, RECORDS, make_event, make_spec

KEY = "runs/r/spec.json"
MODULES = (checkpoint, events, instance, outputs, run, snapshot, spec)


def changed(record: Record, **changes: object) -> bytes:
    return json.dumps({**json.loads(encode(record)), **changes}).encode()


def record_types() -> set[type[Record]]:
    found = (vars(module).values() for module in MODULES)
    types = {one for values in found for one in values if isinstance(one, type)}
    return {one for one in types if issubclass(one, Record) and one is not Record}


def test_the_samples_hold_every_type_of_record_and_of_event() -> None:
    assert {type(record) for record in RECORDS} == record_types()
    assert {type(body) for body in BODIES} == set(get_args(events.Body))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_every_record_comes_back_as_it_was(record: Record) -> None:
    data = encode(record)
    assert decode(data, type(record), key=KEY) == record
    assert encode(decode(data, type(record), key=KEY)) == data
    data.decode("utf-8")


@pytest.mark.parametrize("value", [OFFER, INSTANCE], ids=["offer", "instance"])
def test_values_come_back_as_they_were(value: Any) -> None:
    assert msgspec.json.decode(encode(value), type=type(value)) == value


def test_a_map_has_one_encoding_whatever_its_order() -> None:
    first = events.PhaseFinished(phase=events.Phase.CODE, seconds=1.0, notes={"a": "1", "b": "2"})
    second = msgspec.structs.replace(first, notes={"b": "2", "a": "1"})
    assert encode(make_event(first)) == encode(make_event(second))


@pytest.mark.parametrize("version", [0, 2, 99, -1])
def test_another_version_is_named_and_not_guessed(version: int) -> None:
    data = changed(make_spec(), schema=version, something_new=True)
    with pytest.raises(RecordVersionError, match=f"{KEY} has schema version {version}") as caught:
        decode(data, spec.Spec, key=KEY)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"surprise": 1}, "surprise"),
        ({"name": 7}, r"\$\.name"),
        ({"name": None}, r"\$\.name"),
        ({"created_at": "yesterday"}, r"\$\.created_at"),
        ({"limits": {"retries": "2"}}, r"\$\.limits\.retries"),
        ({"limits": {"retrys": 2}}, "retrys"),
        ({"command": {}}, "script"),
        ({"gpus": [0, "1"]}, r"\$\.gpus"),
        ({"schema": "1"}, r"\$\.schema"),
        ({"schema": None}, r"\$\.schema"),
    ],
)
def test_a_field_that_is_wrong_is_named_with_its_path(
    changes: dict[str, object], place: str
) -> None:
    with pytest.raises(RecordError, match=place) as caught:
        decode(changed(make_spec(), **changes), spec.Spec, key=KEY)
    assert KEY in caught.value.message
    assert caught.value.details["key"] == KEY
    assert not isinstance(caught.value, RecordVersionError)


def test_a_field_that_is_missing_is_named() -> None:
    fields = json.loads(encode(make_spec()))
    for name in ("schema", "run_id", "code"):
        rest = {key: value for key, value in fields.items() if key != name}
        with pytest.raises(RecordError, match=name):
            decode(json.dumps(rest).encode(), spec.Spec, key=KEY)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"null", b"[]", b"7", b"\xff\xfe", b'{"schema":1}', b"[" * 100_000, b'{"schema":'],
    ids=["empty", "torn", "null", "list", "number", "binary", "bare", "deep", "cut"],
)
def test_what_is_no_record_is_a_record_error(data: bytes) -> None:
    with pytest.raises(RecordError, match=KEY):
        decode(data, spec.Spec, key=KEY)


def test_every_truncation_of_a_record_is_an_error() -> None:
    data = encode(make_spec())
    for length in range(len(data)):
        with pytest.raises(RecordError):
            decode(data[:length], spec.Spec, key=KEY)


def test_a_record_of_another_kind_is_refused() -> None:
    with pytest.raises(RecordError):
        decode(encode(RECORDS[1]), spec.Spec, key=KEY)


def test_an_unknown_event_is_refused_by_its_tag() -> None:
    data = encode(make_event(BODIES[0])).replace(b"attempt_started", b"attempt_dreamt")
    with pytest.raises(RecordError, match="attempt_dreamt"):
        decode(data, events.Event, key=KEY)


def test_a_record_error_is_an_integrity_error() -> None:
    assert issubclass(RecordError, IntegrityError)


def test_times_keep_their_microseconds_and_their_zone() -> None:
    back = decode(encode(make_event(BODIES[0])), events.Event, key=KEY)
    assert (back.at, back.at.utcoffset()) == (NOW, NOW.utcoffset())


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("plain", "plain"),
        ("ö 🚂\n", "ö 🚂\n"),
        ("\udcff", "\\xff"),
        ("a\\b", "a\\\\b"),
        ("\\xff", "\\\\xff"),
        ("\\\udc80\\", "\\\\\\x80\\\\"),
        ("\\\\x80", "\\\\\\\\x80"),
    ],
)
def test_names_are_escaped_as_documented(name: str, escaped: str) -> None:
    assert escape_name(name) == escaped
    assert unescape_name(escaped) == name


@pytest.mark.parametrize(
    "escaped", ["\\", "a\\b", "\\x", "\\xf", "\\xzz", "\\x+f", "\\x41", "\\xFF"]
)
def test_what_was_never_escaped_is_refused(escaped: str) -> None:
    with pytest.raises(RecordError):
        unescape_name(escaped)


def test_no_decoder_is_made_twice() -> None:
    decode(encode(make_spec()), spec.Spec, key=KEY)
    before = dict(codec._decoders)
    decode(encode(make_spec()), spec.Spec, key=KEY)
    assert codec._decoders == before
