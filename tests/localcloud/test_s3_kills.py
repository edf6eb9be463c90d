"""S3 of a local cloud that is killed while it is written to: what was answered is there, whole."""

from __future__ import annotations

import hashlib
import json
import os
import random
import sqlite3
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.localcloud.conftest import NewCloud
from tests.localcloud.process import CloudProcess

BUCKET = "killed"
WRITERS = 6
ROUNDS = int(os.environ.get("RUNCTL_TEST_KILLS", "4"))
PART = 5 << 20


@dataclass
class Key:
    """What a writer knows of its key: what was answered last, and what was asked for since."""

    name: str
    answered: bytes | None = None
    asked: list[bytes] = field(default_factory=list)

    def ask(self, body: bytes) -> None:
        self.asked.append(body)

    def answer(self, body: bytes) -> None:
        self.answered, self.asked = body, []

    def allows(self, found: bytes | None) -> bool:
        return found == self.answered or found in self.asked


def client_of(cloud: CloudProcess) -> Any:
    config = Config(retries={"total_max_attempts": 1}, max_pool_connections=WRITERS)
    return cloud.session().client("s3", config=config)


def write(s3: Any, key: Key, seed: int) -> None:
    """Overwrite one key until nobody answers any more."""
    chance = random.Random(seed)
    while True:
        body = chance.randbytes(chance.choice((0, 100, 50_000, 3_000_000)))
        try:
            if chance.random() < 0.3:
                body = write_parts(s3, key, body)
            else:
                key.ask(body)
                s3.put_object(Bucket=BUCKET, Key=key.name, Body=body)
        except (BotoCoreError, ClientError) as error:
            if isinstance(error, ClientError):
                raise
            return
        key.answer(body)


def write_parts(s3: Any, key: Key, tail: bytes) -> bytes:
    """Overwrite a key with a multipart upload; return what it was."""
    known, first = {"Bucket": BUCKET, "Key": key.name}, bytes([len(tail) % 256]) * PART
    upload = {**known, "UploadId": s3.create_multipart_upload(**known)["UploadId"]}
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**upload, PartNumber=n, Body=body)["ETag"]}
        for n, body in ((1, first), (2, tail))
    ]
    key.ask(first + tail)
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    return first + tail


def read(s3: Any, name: str) -> bytes | None:
    """Return what a key holds, which has to be what its ETag says."""
    try:
        found = s3.get_object(Bucket=BUCKET, Key=name)
    except s3.exceptions.NoSuchKey:
        return None
    body: bytes = found["Body"].read()
    assert len(body) == found["ContentLength"]
    if "-" not in found["ETag"]:
        assert found["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    return body


def files_of(cloud: CloudProcess) -> set[str]:
    folder = cloud.folder / "s3" / "files"
    return {path.name for path in folder.rglob("*") if path.is_file()}


def named_files(cloud: CloudProcess) -> set[str]:
    """The files that rows name, read behind the cloud's back."""
    with closing(sqlite3.connect(f"file:{cloud.folder}/s3/index.db?mode=ro", uri=True)) as rows:
        bodies = rows.execute("SELECT body FROM object UNION ALL SELECT body FROM part").fetchall()
    stored = [json.loads(body) for (body,) in bodies]
    return {file for one in stored for file, _ in one.get("pieces", [])}


@pytest.mark.slow
def test_what_was_answered_survives_kills(new_cloud: NewCloud) -> None:
    cloud = new_cloud()
    cloud.start()
    s3 = client_of(cloud)
    s3.create_bucket(Bucket=BUCKET)
    keys = [Key(f"key/{number}") for number in range(WRITERS)]
    for turn in range(ROUNDS):
        with ThreadPoolExecutor(WRITERS) as pool:
            doing: list[Future[None]] = [
                pool.submit(write, s3, key, turn * WRITERS + number)
                for number, key in enumerate(keys)
            ]
            time.sleep(0.5 + random.Random(turn).random())
            cloud.kill()
        for one in doing:
            one.result()
        cloud.start()
        s3 = client_of(cloud)
        assert files_of(cloud) == named_files(cloud)
        for key in keys:
            found = read(s3, key.name)
            assert key.allows(found), key.name
            key.answered, key.asked = found, []
    assert any(key.answered for key in keys)
    assert_parts_can_go(s3)


def assert_parts_can_go(s3: Any) -> None:
    """What was begun and never completed can still be listed, and aborted."""
    for upload in s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
        known = {"Bucket": BUCKET, "Key": upload["Key"], "UploadId": upload["UploadId"]}
        s3.list_parts(**known)
        s3.abort_multipart_upload(**known)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)
