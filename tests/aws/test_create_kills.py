"""``runctl aws create`` killed with -9 at every moment, and typed again: there is one."""

from __future__ import annotations

import random
import signal
import subprocess
import time

import pytest

from tests.aws.renter import PATIENCE_S, Renter, await_that, renter, rig

pytestmark = pytest.mark.slow
__all__ = ["renter", "rig"]

KILLS = 8
LATEST_S = 2.5
"""Most of what is not killed has ended by then, unless it waits."""


def _kill(process: subprocess.Popen[bytes]) -> bytes:
    """Kill it; return what it had told until then."""
    process.send_signal(signal.SIGKILL)
    return process.communicate()[0]


def test_killed_at_any_moment_and_typed_again_there_is_one(renter: Renter) -> None:
    moments = random.Random(4)
    for number in range(KILLS):
        words = ("t3.micro", "--name", f"killed-{number}", *(("--wait",) if number % 2 else ()))
        process = renter.start(*words)
        time.sleep(moments.uniform(0.3, LATEST_S))
        told = _kill(process)
        done = renter.type(*words, "-o", "id")
        assert done.returncode == 0, done.stderr
        found = [one["InstanceId"] for one in renter.living(f"killed-{number}")]
        assert done.stdout.decode().strip() in found
        # Who was told of the first and types the same again means a second one.
        assert len(found) == 1 or (told and len(found) == 2), done.stderr
    assert renter.intents() == []


def test_killed_after_the_launch_it_is_found_again(renter: Renter) -> None:
    for number in range(3):
        words = ("t3.micro", "--wait", "--name", f"launched-{number}")
        process = renter.start(*words)
        await_that(lambda name=words[-1]: renter.living(name))  # type: ignore[misc]
        assert _kill(process) == b""
        assert len(renter.intents()) == 1
        [made] = renter.living(words[-1])
        done = renter.type(*words, "-o", "id")
        assert done.stdout.decode().strip() == made["InstanceId"], done.stderr
        assert b"taking up what was typed before" in done.stderr
        assert len(renter.living(words[-1])) == 1
    assert renter.intents() == []


def test_killed_while_the_launch_is_on_its_way_there_is_one(renter: Renter) -> None:
    words = ("t3.micro", "--name", "on-its-way")
    with renter.fault(effect="delay", operation="RunInstances", delay_s=2.0, count=1):
        process = renter.start(*words)
        await_that(renter.intents)
        time.sleep(0.5)  # the launch is asked for right after it was written down
        assert renter.living("on-its-way") == []
        _kill(process)
        assert renter.type(*words).returncode == 0
        time.sleep(2.5)  # until the first one has arrived, too
    assert len(renter.living("on-its-way")) == 1


def test_two_side_by_side_are_two(renter: Renter) -> None:
    words = renter.words("t3.micro", "--name", "twin")
    both = [renter.scene.type_in_background(*words) for _ in range(2)]
    assert [one.wait(PATIENCE_S) for one in both] == [0, 0]
    assert len(renter.living("twin")) == 2
    assert renter.intents() == []
