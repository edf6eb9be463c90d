"""Patterns of ``runctl s3``, and what is told of a bucket: all looked at with boto3."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.aws.bucketscene import BucketScene
from tests.scene import RUNCTL

pytestmark = pytest.mark.slow
MIB = 1024**2


def _s3(scene: BucketScene, *words: str, status: int = 0) -> Any:
    done = scene.type("s3", *words, "-o", "json")
    assert done.returncode == status, (done.stdout, done.stderr)
    return json.loads(done.stdout)


def _put(scene: BucketScene, *keys: str, size_bytes: int = 10, **how: Any) -> None:
    for key in keys:
        scene.s3.put_object(Bucket=scene.bucket, Key=key, Body=b"x" * size_bytes, **how)


def _keys(scene: BucketScene) -> list[str]:
    told = scene.s3.list_objects_v2(Bucket=scene.bucket)
    return [one["Key"] for one in told.get("Contents", [])]


def test_a_pattern_means_what_a_shell_would(in_s3: BucketScene) -> None:
    _put(in_s3, "a/1.csv", "a/2.csv", "a/b/3.csv", "a/4.txt", "star*", "starry")
    url = f"s3://{in_s3.bucket}"

    def listed(*words: str) -> list[str]:
        return [one["key"] for one in _s3(in_s3, "list", *words)["objects"]]

    assert listed(f"{url}/a/*.csv") == ["a/1.csv", "a/2.csv"]
    assert listed(f"{url}/a/**/*.csv") == ["a/1.csv", "a/2.csv", "a/b/3.csv"]
    assert listed(f"{url}/a/", "--include", "*.csv", "--exclude", "b/") == ["a/1.csv", "a/2.csv"]
    assert listed(f"{url}/star*") == ["star*"]  # there is such a key: it is that one
    assert _s3(in_s3, "du", f"{url}/a", "--exclude", "*.txt")["object_count"] == 3
    _s3(in_s3, "cp", f"{url}/a/*.csv", f"{url}/c/")
    assert [key for key in _keys(in_s3) if key.startswith("c/")] == ["c/1.csv", "c/2.csv"]
    _s3(in_s3, "rm", f"{url}/a/**/*.csv", "--yes")
    _s3(in_s3, "rm", f"{url}/c/?.tsv", "--yes", status=4)
    assert _keys(in_s3) == ["a/4.txt", "c/1.csv", "c/2.csv", "star*", "starry"]


def test_a_review_sums_up_and_a_cleanup_gives_up_what_is_unfinished(in_s3: BucketScene) -> None:
    _put(in_s3, "out/checkpoints/1.pt", "out/checkpoints/2.pt", size_bytes=1000)
    _put(in_s3, "out/log.txt", StorageClass="STANDARD_IA")
    begun = [_begin(in_s3, key) for key in ("out/big.pt", "output/other.pt")]
    url = f"s3://{in_s3.bucket}/out"
    told = _s3(in_s3, "review", url)
    assert (told["object_count"], told["size_bytes"]) == (3, 2010)
    assert [(one["name"], one["object_count"]) for one in told["shares"]] == [
        ("", 1), ("checkpoints/", 2),
    ]  # fmt: skip
    assert told["class_bytes"] == {"STANDARD": 2000, "STANDARD_IA": 10}
    [unfinished] = told["unfinished"]
    assert (unfinished["url"], unfinished["size_bytes"]) == (f"{url}/big.pt", 5 * MIB)
    assert b"runctl s3 cleanup" in in_s3.type("s3", "review", url).stdout

    assert _s3(in_s3, "cleanup", url, "--yes")["uploads"] == []  # it is not a day old
    now = ("cleanup", url, "--older-than", "0s")
    assert len(_s3(in_s3, *now, "--dry-run")["uploads"]) == 1
    assert in_s3.type("s3", *now).returncode == 11  # nobody was asked
    assert _uploads(in_s3) == sorted(begun)
    _s3(in_s3, *now, "--yes")
    assert _uploads(in_s3) == [begun[1]]
    assert len(_keys(in_s3)) == 3


def _begin(scene: BucketScene, key: str) -> str:
    place = {"Bucket": scene.bucket, "Key": key}
    upload_id = str(scene.s3.create_multipart_upload(**place)["UploadId"])
    scene.s3.upload_part(**place, UploadId=upload_id, PartNumber=1, Body=b"x" * (5 * MIB))
    return upload_id


def _uploads(scene: BucketScene) -> list[str]:
    told = scene.s3.list_multipart_uploads(Bucket=scene.bucket)
    return sorted(one["UploadId"] for one in told.get("Uploads", []))


def test_a_watch_tells_what_comes_and_goes(in_s3: BucketScene) -> None:
    _put(in_s3, "w/old", "w/gone", "elsewhere")
    url = f"s3://{in_s3.bucket}/w"
    with _watching(in_s3, url) as typed:
        _put(in_s3, "w/new", "elsewhere2")
        _put(in_s3, "w/old", size_bytes=20)
        in_s3.s3.delete_object(Bucket=in_s3.bucket, Key="w/gone")
        found: dict[str, str] = {}
        while len(found) < 3:
            line = json.loads(typed.stdout.readline())  # type: ignore[union-attr]
            found[line["object"]["key"]] = line["what"]
        assert found == {"w/new": "new", "w/old": "changed", "w/gone": "gone"}
        typed.send_signal(signal.SIGINT)
        assert typed.wait(30) == 130


@contextmanager
def _watching(scene: BucketScene, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """Type ``watch``; it has looked once."""
    words = [RUNCTL, "s3", "watch", url, "--interval", "300ms", "-o", "json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, env=scene.env, stdout=pipe, stderr=pipe) as typed:
        try:
            assert b"watching" in typed.stderr.readline()  # type: ignore[union-attr]
            yield typed
        finally:
            typed.kill()
