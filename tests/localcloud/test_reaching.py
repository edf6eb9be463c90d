"""From inside an instance the cloud is reached with what the environment says, on every tier."""

from __future__ import annotations

from pathlib import Path

import pytest

from runctl.localcloud.machines.probe import probe
from tests.fidelity.world import wait_until
from tests.localcloud.conftest import NewCloud

TIERS = ("root", "namespace", "bubblewrap", "plain")
AMI = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
# What a proxy would answer has no type at all.
ASK = """#!/bin/sh
imds=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}
curl -s -o /dev/null -w 'imds %{http_code} %{content_type}.' "$imds/latest/meta-data/instance-id"
curl -s -o /dev/null -w 's3 %{http_code} %{content_type}.' "$AWS_ENDPOINT_URL/"
"""


@pytest.mark.parametrize("tier", TIERS)
def test_the_cloud_is_reached_past_the_proxy(
    new_cloud: NewCloud, tmp_path: Path, tier: str
) -> None:
    report = {one.name: one for one in probe(str(tmp_path))}[tier]
    if not report.is_usable:
        pytest.skip(f"no {tier} tier here: {report.reason}")
    cloud = new_cloud(tier=tier)
    cloud.start()
    ec2 = cloud.session().client("ec2")
    image = cloud.session().client("ssm").get_parameter(Name=AMI)["Parameter"]["Value"]
    [made] = ec2.run_instances(
        ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, UserData=ASK
    )["Instances"]

    def said() -> str:
        return str(ec2.get_console_output(InstanceId=made["InstanceId"]).get("Output", ""))

    wait_until(lambda: "s3 " in said(), f"it said only: {said()}", 60.0)
    assert "imds 401 text/html." in said()  # it wants a token
    assert "s3 403 application/xml." in said()
