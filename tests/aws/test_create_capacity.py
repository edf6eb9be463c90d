"""``runctl aws create`` where there is none to be had, no quota, and no price."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from contextlib import suppress

import pytest

from tests.aws.renter import Renter, renter, rig, tags_of
from tests.scene import RUNCTL

pytestmark = pytest.mark.slow
__all__ = ["renter", "rig"]


def test_where_one_zone_has_none_the_next_is_taken(renter: Renter) -> None:
    with renter.fault(effect="capacity", zone="us-east-1a", instance_type="t3.micro"):
        done = renter.type("t3.micro", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["place"] == "us-east-1b"
    assert b"t3.micro could not be rented in us-east-1a" in done.stderr


def test_where_no_zone_has_any_the_difference_is_named(renter: Renter) -> None:
    with renter.fault(effect="capacity", market="spot", instance_type="g5.xlarge"):
        done = renter.type("g5.xlarge", "--spot", "--zone", "us-east-1a,us-east-1b", "-o", "json")
    assert done.returncode == 7
    error = json.loads(done.stdout)["error"]
    assert "there is no g5.xlarge to be had in us-east-1a, us-east-1b (spot)" in error["message"]
    assert "on demand it is g5.xlarge at $1.006 an hour: $0." in error["message"]
    assert "--fallback on-demand" in error["hint"]
    assert renter.living() == []
    assert renter.intents() == []


def test_a_fallback_is_told_and_taken(renter: Renter) -> None:
    with renter.fault(effect="capacity", market="spot", instance_type="g5.xlarge"):
        done = renter.type("g5.xlarge", "--spot", "--fallback", "on-demand", "-o", "json")
        asked = renter.type("g5.xlarge", "--spot", "--fallback", "ask")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["is_spot"] is False
    assert b"an hour more; going on without spot" in done.stderr
    [found] = renter.living()
    assert "InstanceLifecycle" not in found
    assert asked.returncode == 7  # nobody can be asked


@pytest.mark.parametrize("answer", ["y", "n"])
def test_the_fallback_is_asked_about_on_a_terminal(renter: Renter, answer: str) -> None:
    with renter.fault(effect="capacity", market="spot", instance_type="g5.xlarge"):
        status, told = _type_on_terminal(
            renter, ("g5.xlarge", "--spot", "--fallback", "ask"), f"{answer}\n"
        )
    assert "an hour more. Go on without spot? [y/N]" in told
    assert status == (0 if answer == "y" else 7), told
    assert len(renter.living()) == (1 if answer == "y" else 0)


def _type_on_terminal(renter: Renter, words: tuple[str, ...], answer: str) -> tuple[int, str]:
    """Type it on a terminal, and an answer as soon as there is a question."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [RUNCTL, *renter.words(*words)],
        cwd=renter.scene.project,
        env=renter.scene.env,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    told = b""
    with os.fdopen(ours, "r+b", buffering=0) as terminal, suppress(OSError):  # EIO is its end
        while data := terminal.read(4096):
            told += data
            if told.endswith(b"[y/N] "):
                terminal.write(answer.encode())
    return process.wait(), told.decode()


def test_a_quota_says_how_it_is_raised(renter: Renter) -> None:
    renter.rig.cloud.control("PUT", "quotas", {"code": "L-DB2E81BA", "value": 0})
    try:
        done = renter.type("g5.xlarge", "-o", "json")
    finally:
        renter.rig.cloud.control("PUT", "quotas", {"code": "L-DB2E81BA", "value": 256})
    assert done.returncode == 7
    error = json.loads(done.stdout)["error"]
    assert "Running On-Demand G and VT instances" in error["message"]
    assert "--quota-code L-DB2E81BA --desired-value 4 --region us-east-1" in error["hint"]
    assert renter.living() == []


def test_a_denied_price_list_is_a_note(renter: Renter) -> None:
    with renter.fault(effect="deny", service="pricing"):
        done = renter.type("t3.micro", "-o", "id")
        limited = renter.type("t3.micro", "--max-cost", "5")
    assert done.returncode == 0, done.stderr
    assert b"at an unknown price" in done.stderr
    assert "runctl:usd-per-hour" not in tags_of(renter.describe(done.stdout.decode().strip()))
    assert limited.returncode == 11
    assert b"--max-cost cannot be kept" in limited.stderr
    assert len(renter.living()) == 1
