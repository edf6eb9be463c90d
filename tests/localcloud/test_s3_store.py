"""The store of runs and checkpoints in S3 of a local cloud, held to the contract of all stores."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from obstore.store import S3Store

from runctl.store.bucket import BucketObjects
from runctl.store.objects import Objects
from runctl.testing.objects import SharedObjectsContract
from tests.localcloud.process import CloudProcess
from tests.localcloud.s3_requests import REGION


class TestBucketOfALocalCloud(SharedObjectsContract):
    @pytest.fixture(autouse=True)
    def _in_a_local_cloud(self, local_cloud: CloudProcess) -> None:
        self.cloud = local_cloud

    def make_objects(self, folder: Path) -> Objects:
        name = f"contract-{secrets.token_hex(4)}"
        self.cloud.session().client("s3").create_bucket(Bucket=name)
        return BucketObjects(self._open(name), f"s3://{name}")

    def open_again(self, objects: Objects) -> Objects:
        return BucketObjects(self._open(objects.url.removeprefix("s3://")), objects.url)

    def _open(self, name: str) -> S3Store:
        keys = self.cloud.control("GET", "credentials")
        return S3Store(
            name,
            endpoint=self.cloud.endpoint,
            region=REGION,
            access_key_id=keys["access_key_id"],
            secret_access_key=keys["secret_access_key"],
            client_options={"allow_http": True},
        )
