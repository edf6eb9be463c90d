"""A user whose ledger is in S3 of a local cloud, and a look behind: with boto3 alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.localcloud.process import CloudProcess
from tests.scene import Scene

PREFIX = "team/me"
REGION = "us-east-1"


class BucketScene(Scene):
    def __init__(self, folder: Path, cloud: CloudProcess, bucket: str) -> None:
        super().__init__(folder)
        self.cloud, self.bucket = cloud, bucket
        self.s3 = cloud.session(REGION).client("s3")
        keys = cloud.control("GET", "credentials")
        self.keys = (keys["access_key_id"], keys["secret_access_key"])
        self.env |= {
            "AWS_ENDPOINT_URL": cloud.endpoint,
            "AWS_ACCESS_KEY_ID": self.keys[0],
            "AWS_SECRET_ACCESS_KEY": self.keys[1],
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "RUNCTL_CONFIG_STORE_ROOT": f"s3://{bucket}/{PREFIX}",
        }

    def use_profile(self) -> None:
        """Move the credentials from the environment into a profile of AWS's own files."""
        folder = self.home / ".aws"
        folder.mkdir()
        lines = f"aws_access_key_id={self.keys[0]}\naws_secret_access_key={self.keys[1]}\n"
        (folder / "credentials").write_text(f"[team]\n{lines}")
        (folder / "config").write_text(
            f"[profile team]\nregion={REGION}\nendpoint_url={self.cloud.endpoint}\n"
        )
        for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            del self.env[name]
        del self.env["AWS_REGION"]
        self.env["RUNCTL_CONFIG_AWS_PROFILE"] = "team"

    def rights(self) -> str:
        """Return the policy of a role that may use the ledger, and nothing else of the bucket."""
        arn = f"arn:aws:s3:::{self.bucket}"
        under = {"StringLike": {"s3:prefix": [PREFIX, f"{PREFIX}/*"]}}
        objects = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
        statements = [
            {"Effect": "Allow", "Action": objects, "Resource": f"{arn}/{PREFIX}/*"},
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": arn, "Condition": under},
        ]
        return json.dumps({"Version": "2012-10-17", "Statement": statements})

    # -- behind the tool

    def keys_of(self, prefix: str = "") -> list[str]:
        """Return the keys under the ledger's root, without it."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"{PREFIX}/{prefix}"
        )
        found = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return [key.removeprefix(f"{PREFIX}/") for key in found]

    def read(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=self.bucket, Key=f"{PREFIX}/{key}")["Body"].read()
        return body

    def events(self, run_id: str, attempt: int = 1) -> list[dict[str, Any]]:
        keys = self.keys_of(f"runs/{run_id}/events/{attempt:04d}/")
        return [json.loads(self.read(key)) for key in keys]

    def manifests(self, run_id: str) -> list[dict[str, Any]]:
        keys = self.keys_of(f"runs/{run_id}/checkpoints/")
        return [json.loads(self.read(key))["manifest"] for key in keys]

    def committed(self, manifest: dict[str, Any]) -> dict[str, bytes]:
        return {
            file["path"]: b"".join(self.read(f"blobs/{part['sha256']}") for part in file["parts"])
            for file in manifest["files"]
        }

    # -- the cloud

    def fault(self, effect: str, **order: object) -> str:
        """Put a fault of this bucket in force; return its id."""
        service = {} if effect == "truncate" else {"service": "s3"}
        document = {"effect": effect, "bucket": self.bucket, **service, **order}
        return str(self.cloud.control("POST", "faults", document)["id"])

    def hits(self, fault: str) -> int:
        """Return how many calls a fault has hit."""
        found = self.cloud.control("GET", "faults")["faults"]
        return int(next(one["hits"] for one in found if one["id"] == fault))

    def cursor(self) -> str:
        """Return where the events end by now; they come a page at a time."""
        told = self.cloud.control("GET", "events")
        while told["events"]:
            told = self.cloud.control("GET", f"events?cursor={told['cursor']}")
        return str(told["cursor"])

    def calls(self, cursor: str) -> list[str]:
        """Return the operations on this bucket since then."""
        found: list[str] = []
        while True:
            told = self.cloud.control("GET", f"events?cursor={cursor}")
            if not told["events"]:
                return found
            cursor = told["cursor"]
            found += [
                event["operation"]
                for event in told["events"]
                if event.get("bucket") == self.bucket and "operation" in event
            ]
