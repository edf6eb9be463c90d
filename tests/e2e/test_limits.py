"""Spending ends: by the run's own limit, and without anything of ours alive to see to it."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest

from tests.e2e.trainee import LIVING, PATIENCE_S, Trainee

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.parametrize("cloud", ["root"], indirect=True),
]
RENTED = ("--on", "aws:m5.large", "--yes", "--no-install", "--detach")
TTL_S = 30
KILL_ALL = "pkill -9 -f 'runctl[.]agent|agent/reaper'; rm -rf /home/*/.runctl/agents"
SCRIPT = """\
import json, os, signal, sys, time
place = os.path.join(os.environ["RUNCTL_CHECKPOINT_DIR"], "last.json")
step = 0
def save(*_):
    with open(place + ".new", "w") as file:
        json.dump({"step": step}, file)
    os.replace(place + ".new", place)
    if _:
        sys.exit(0)
signal.signal(signal.SIGTERM, save)
while True:
    step += 1
    print(json.dumps({"step": step}), flush=True)
    if step % 10 == 1:
        save()
    time.sleep(0.1)
"""


def launch(user: Trainee, *words: str) -> tuple[str, str]:
    """Rent for a run; return its id and the instance's."""
    user.write("steps.py", SCRIPT)
    run_id = user.ident("train", "steps.py", *RENTED, *words)
    user.wait_for("a checkpoint", lambda: user.committed_files(run_id))
    [one] = user.instances("running")
    return run_id, str(one["InstanceId"])


def do(user: Trainee, ident: str, script: str) -> None:
    """Let root of the instance do something, past the tool."""
    ssm = user.session.client("ssm")
    sent = ssm.send_command(
        InstanceIds=[ident],
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": [script]},
    )
    place = {"CommandId": sent["Command"]["CommandId"], "InstanceId": ident}
    ssm.get_waiter("command_executed").wait(**place, WaiterConfig={"Delay": 1})


def described(user: Trainee, ident: str) -> dict[str, Any]:
    return next(one for one in user.instances() if one["InstanceId"] == ident)


def test_a_limit_saves_stores_and_ends_instance_and_run(trainee: Trainee) -> None:
    """It is not tried again; and a timer stands behind it that is the system's own."""
    run_id, ident = launch(trainee, "--max-time", "12s", "--retries", "2")
    told = trainee.ec2.describe_instance_attribute(InstanceId=ident, Attribute="userData")
    keeper = base64.b64decode(told["UserData"]["Value"]).decode()
    assert "ttl_s=3612" in keeper.replace('"', "").replace("'", "")
    assert trainee.type("wait", run_id, timeout_s=PATIENCE_S).returncode == 23
    report = trainee.told("report", run_id)
    assert (report["state"], report["steps_redone"], len(report["attempts"])) == ("limit", 0, 1)
    trainee.wait_for("its end", lambda: not trainee.instances(*LIVING))
    assert trainee.told("reconcile", "--yes") == []
    trainee.check_nothing_is_left()


def test_with_agent_and_reaper_dead_and_a_reboot_it_still_ends(trainee: Trainee) -> None:
    """Nobody follows the run, and none of its processes could have told its end."""
    began = time.monotonic()
    run_id, ident = launch(trainee, "--ttl", f"{TTL_S}s")
    do(
        trainee,
        ident,
        "pkill -9 -f 'runctl[.]agent|agent/reaper'; sleep 1; rm -rf /home/*/.runctl/agents",
    )
    trainee.ec2.reboot_instances(InstanceIds=[ident])
    trainee.wait_for("its end", lambda: described(trainee, ident)["State"]["Name"] == "terminated")
    assert TTL_S <= time.monotonic() - began < TTL_S + 40
    reason = described(trainee, ident)["StateReason"]["Code"]
    assert reason == "Client.InstanceInitiatedShutdown"
    assert trainee.type("wait", run_id, timeout_s=PATIENCE_S).returncode == 21
    assert trainee.type("checkpoint", "verify", run_id, "--deep").returncode == 0
    trainee.check_nothing_is_left()
