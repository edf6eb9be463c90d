"""Instances of a local cloud for tests of what reaches them, and the account that made them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import boto3

from runctl.aws.account import Account
from runctl.aws.depot import Depot
from tests.fidelity.world import CloudWorld
from tests.localcloud.process import CloudProcess


class CloudAccount(Account):
    """An account whose clients speak with a local cloud, whatever the environment says."""

    def __init__(self, session: boto3.Session) -> None:
        super().__init__("us-east-1")
        self._own = session

    @property
    def _session(self) -> boto3.Session:
        return self._own


@dataclass
class Rig:
    """One instance that is Online, a bucket, and how both are reached."""

    cloud: CloudProcess

    @cached_property
    def world(self) -> CloudWorld:
        return CloudWorld(self.cloud.session())

    @cached_property
    def account(self) -> Account:
        return CloudAccount(self.cloud.session())

    @cached_property
    def depot(self) -> Depot:
        return Depot(self.account, f"s3://{self.world.bucket}/owner")

    def objects(self) -> list[str]:
        found = self.world.client("s3").list_objects_v2(Bucket=self.world.bucket)
        return [one["Key"] for one in found.get("Contents", [])]
