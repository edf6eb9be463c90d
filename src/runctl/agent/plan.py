"""What an attempt is started with; it arrives with the start, and stays on the instance."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from runctl.agent.environment.settings import StagedWheel
from runctl.agent.folder import AttemptFolder
from runctl.errors import ConfigError
from runctl.model.codec import Record, Value, decode
from runctl.model.data import bucket_of


class BucketPlan(Value, frozen=True, kw_only=True):
    """How the instance reaches a ledger in S3; credentials never travel.

    ``is_users``: the instance is the user's own machine, and requests are signed as the user's
    calls are, with ``profile`` and the files of AWS's settings; else the instance's role signs.
    """

    region: str
    endpoint: str | None = None
    profile: str | None = None
    is_users: bool = False


class Plan(Record, frozen=True, kw_only=True):
    """Which attempt this is, and where its things are. ``store`` is the ledger's root.

    ``ends_instance``: the instance is there for this run, and is to end with it.
    ``wheels``: those that were sent for its environment; None where an index is asked.
    ``data``: how the run's data and outputs in S3 are reached where the ledger is not there.
    ``regions``: those of the buckets of data and outputs, by name, where they are known.
    ``is_spot``: its provider may take it back, and says so before.
    ``is_taken_up``: it is started again when the instance comes back from a reboot.
    """

    run_id: str
    attempt: int
    instance: str
    store: str
    instance_root: str
    base_python: str
    is_exclusive: bool = False
    ends_instance: bool = False
    is_spot: bool = False
    is_taken_up: bool = False
    bucket: BucketPlan | None = None
    data: BucketPlan | None = None
    regions: dict[str, str] = {}
    wheels: tuple[StagedWheel, ...] | None = None

    def reach(self, url: str) -> BucketPlan:
        """Return how the bucket of ``s3://bucket/…`` is reached, in its own region."""
        plan, name = self.bucket_of_data, bucket_of(url)
        return replace(plan, region=self.regions.get(name, plan.region))

    @property
    def bucket_of_data(self) -> BucketPlan:
        """How the run's own data and outputs in S3 are reached; ConfigError where nobody said."""
        found = self.data or self.bucket
        if found is None:
            raise ConfigError(
                f"attempt {self.attempt} was not told how S3 is reached",
                hint=f"runctl resume {self.run_id}",
            )
        return found

    @property
    def envs_root(self) -> Path:
        return Path(self.instance_root) / "envs"


def read_plan(folder: AttemptFolder) -> Plan:
    return decode(folder.plan.read_bytes(), Plan, key=str(folder.plan))
