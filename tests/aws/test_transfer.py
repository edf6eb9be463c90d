"""``runctl s3``: what arrives is what was sent, whole or not at all, and nothing is sent twice."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.aws.bucketscene import BucketScene
from tests.scene import RUNCTL

pytestmark = pytest.mark.slow
MIB = 1024**2
MANY = 1500  # more than one page of a list


def _s3(scene: BucketScene, *words: str, status: int = 0) -> dict[str, Any]:
    done = scene.type("s3", *words, "-o", "json")
    assert done.returncode == status, (done.stdout, done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _moved(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(move["action"], move["name"]) for move in report["moves"]]


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _keys(scene: BucketScene, prefix: str = "") -> list[str]:
    pages = scene.s3.get_paginator("list_objects_v2").paginate(Bucket=scene.bucket, Prefix=prefix)
    return [one["Key"] for page in pages for one in page.get("Contents", [])]


def test_a_folder_travels_both_ways_and_only_what_differs_moves(in_s3: BucketScene) -> None:
    wanted = {f"n/{number:04}.txt": b"%d" % number for number in range(MANY)}
    wanted |= {"ü b/c d#?.bin": os.urandom(3 * MIB), "large": os.urandom(40 * MIB), "empty": b""}
    for name, data in wanted.items():
        path = in_s3.project / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    url = f"s3://{in_s3.bucket}/in"
    assert len(_s3(in_s3, "upload", "data", url)["moves"]) == len(wanted)
    assert sorted(_keys(in_s3, "in/")) == sorted(f"in/{name}" for name in wanted)
    body = in_s3.s3.get_object(Bucket=in_s3.bucket, Key="in/large")["Body"].read()
    assert hashlib.sha256(body).digest() == hashlib.sha256(wanted["large"]).digest()

    assert len(_s3(in_s3, "download", url, "back")["moves"]) == len(wanted)
    assert _files(in_s3.project / "back") == wanted

    in_s3.s3.put_object(Bucket=in_s3.bucket, Key="in/empty", Body=b"now not")
    (in_s3.project / "data/n/0001.txt").write_bytes(b"changed")
    assert _moved(_s3(in_s3, "download", url, "back")) == [("download", "empty")]
    again = _s3(in_s3, "sync", "data", url, "--exclude", "empty")
    assert _moved(again) == [("upload", "n/0001.txt")]


def test_what_a_sync_deletes_is_asked_for_and_limited(in_s3: BucketScene) -> None:
    for name in ("a", "b", "c"):
        in_s3.s3.put_object(Bucket=in_s3.bucket, Key=f"d/{name}", Body=name.encode())
    in_s3.write("data/a", "a")
    words = ("sync", "data", f"s3://{in_s3.bucket}/d", "--delete")
    _s3(in_s3, *words, status=11)
    _s3(in_s3, *words, "--yes", "--max-delete", "1", status=11)
    planned = [("delete-there", "b"), ("delete-there", "c")]
    assert _moved(_s3(in_s3, *words, "--dry-run")) == planned
    assert _keys(in_s3) == ["d/a", "d/b", "d/c"]
    assert _moved(_s3(in_s3, *words, "--yes")) == planned
    assert _keys(in_s3) == ["d/a"]


def test_both_ways_refuse_a_conflict_until_told(in_s3: BucketScene) -> None:
    in_s3.write("data/x", "here")
    in_s3.s3.put_object(Bucket=in_s3.bucket, Key="d/x", Body=b"there!")
    words = ("sync", "data", f"s3://{in_s3.bucket}/d", "--direction", "both")
    _s3(in_s3, *words, status=5)
    assert (in_s3.project / "data/x").read_text() == "here"
    _s3(in_s3, *words, "--prefer", "there")
    assert (in_s3.project / "data/x").read_text() == "there!"


def test_hostile_keys_hinder_no_other(in_s3: BucketScene) -> None:
    bad = ("h/../../out", "h//double", "h/both", "h/" + "x" * 300)
    for key in (*bad, "h/both/below", "h/good", "h/marker/"):
        in_s3.s3.put_object(Bucket=in_s3.bucket, Key=key, Body=b"" if key[-1] == "/" else b"hi")
    report = _s3(in_s3, "download", f"s3://{in_s3.bucket}/h", "to/in", status=10)
    assert {trouble["name"] for trouble in report["troubles"]} == {key[2:] for key in bad}
    assert _files(in_s3.project) == {"to/in/both/below": b"hi", "to/in/good": b"hi"}


def test_a_flipped_byte_is_never_called_by_the_name(in_s3: BucketScene) -> None:
    in_s3.write("big", "x" * (20 * MIB))
    in_s3.write("small", "y" * 1000)
    for name in ("big", "small"):
        _s3(in_s3, "upload", name, f"s3://{in_s3.bucket}/f/")
    assert _flip(in_s3.cloud.folder, b"x" * 1000) >= 1
    assert _flip(in_s3.cloud.folder, b"y" * 1000) == 1
    report = _s3(in_s3, "download", f"s3://{in_s3.bucket}/f", "back", status=10)
    assert {trouble["name"] for trouble in report["troubles"]} == {"big", "small"}
    assert _files(in_s3.project / "back") == {}
    _s3_states = {one["state"] for one in _verify(in_s3, f"s3://{in_s3.bucket}/f")}
    assert _s3_states == {"bad"}


def _flip(folder: Path, beginning: bytes) -> int:
    """Change the first byte of what the cloud keeps, where it begins so; return how often."""
    flipped = 0
    for path in filter(Path.is_file, folder.rglob("*")):
        with path.open("r+b") as file:
            if file.read(len(beginning)) == beginning:
                file.seek(0)
                file.write(b"?")
                flipped += 1
    return flipped


def _verify(scene: BucketScene, url: str) -> list[dict[str, Any]]:
    done = scene.type("s3", "verify", url, "-o", "json")
    assert done.returncode == 10
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_a_killed_transfer_goes_on_where_it_was(in_s3: BucketScene) -> None:
    data = os.urandom(160 * MIB)
    (in_s3.project / "big").write_bytes(data)
    url = f"s3://{in_s3.bucket}/k/big"
    _kill_when(in_s3, "UploadPart", lambda: _parts(in_s3) >= 2, "s3", "upload", "big", url)
    assert _keys(in_s3, "k/") == []
    kept = _parts(in_s3)
    cursor = in_s3.cursor()
    report = _s3(in_s3, "upload", "big", url)
    assert report["resumed_bytes"] == kept * 16 * MIB
    assert in_s3.calls(cursor).count("UploadPart") == 10 - kept

    _kill_when(in_s3, "GetObject", lambda: _pieces(in_s3) >= 2, "s3", "download", url, "back/")
    assert not (in_s3.project / "back/big").exists()
    report = _s3(in_s3, "download", url, "back/")
    assert report["resumed_bytes"] >= 2 * 16 * MIB
    assert _files(in_s3.project / "back") == {"big": data}


def test_ctrl_c_says_how_to_go_on_and_what_has_arrived_stays(in_s3: BucketScene) -> None:
    count = 2500
    for number in range(count):
        in_s3.write(f"many/{number:04}", str(number))
    words = [RUNCTL, "s3", "upload", "many", f"s3://{in_s3.bucket}/c"]
    process = subprocess.Popen(
        words, cwd=in_s3.project, env=in_s3.env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    until = time.monotonic() + 60
    while not _keys(in_s3, "c/"):
        assert time.monotonic() < until
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"what has arrived is kept" in said
    assert b"type the same again" in said
    arrived = len(_keys(in_s3, "c/"))
    assert 0 < arrived < count
    assert len(_s3(in_s3, "upload", "many", f"s3://{in_s3.bucket}/c")["moves"]) == count - arrived
    assert len(_keys(in_s3, "c/")) == count


def test_a_store_that_asks_to_slow_down_is_obeyed(in_s3: BucketScene) -> None:
    for number in range(60):
        in_s3.write(f"many/{number:04}", str(number))
    url = f"s3://{in_s3.bucket}/s"
    puts = in_s3.fault("throttle", operation="PutObject", count=40)
    assert len(_s3(in_s3, "upload", "many", url)["moves"]) == 60
    gets = in_s3.fault("throttle", operation="GetObject", count=40)
    assert len(_s3(in_s3, "download", url, "back")["moves"]) == 60
    assert (in_s3.hits(puts), in_s3.hits(gets)) == (40, 40)
    assert _files(in_s3.project / "back") == _files(in_s3.project / "many")


def _parts(scene: BucketScene) -> int:
    uploads = scene.s3.list_multipart_uploads(Bucket=scene.bucket).get("Uploads", [])
    if not uploads:
        return 0
    told = scene.s3.list_parts(Bucket=scene.bucket, Key="k/big", UploadId=uploads[0]["UploadId"])
    return len(told.get("Parts", []))


def _pieces(scene: BucketScene) -> int:
    states = (scene.home / ".cache/runctl/transfers").glob("*.pieces")
    return sum(state.read_text().count("\n") for state in states)


def _kill_when(scene: BucketScene, operation: str, is_time: Any, *words: str) -> None:
    """Kill a command that the store lets do two of its pieces, and no third."""
    scene.fault("throttle", operation=operation, after=2)
    process = scene.type_in_background(*words)
    until = time.monotonic() + 30
    while not is_time():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    scene.cloud.control("POST", "faults/clear", {})


def test_objects_are_copied_listed_counted_and_deleted(in_s3: BucketScene) -> None:
    for name in ("a", "b/c", "b//d"):
        in_s3.s3.put_object(Bucket=in_s3.bucket, Key=f"p/{name}", Body=b"12345")
    url = f"s3://{in_s3.bucket}"
    level = _s3(in_s3, "list", f"{url}/p/")
    assert level["folders"] == [f"{url}/p/b/"]
    assert [one["key"] for one in level["objects"]] == ["p/a"]
    assert _s3(in_s3, "du", f"{url}/p")["size_bytes"] == 15
    _s3(in_s3, "cp", f"{url}/p", f"{url}/q")
    assert _keys(in_s3, "q/") == ["q/a", "q/b//d", "q/b/c"]
    _s3(in_s3, "rm", f"{url}/p", "--yes", status=11)
    _s3(in_s3, "rm", "-r", f"{url}/p", "--yes")
    assert _keys(in_s3) == ["q/a", "q/b//d", "q/b/c"]
