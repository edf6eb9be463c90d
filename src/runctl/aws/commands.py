"""One shell script on one instance, through Systems Manager."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from runctl.aws.account import Account
from runctl.aws.errors import code_of, translated
from runctl.errors import RunctlError, TransportError

DELIVERY_S, EXECUTION_S = 60, 3600
FIRST_PAUSE_S, LAST_PAUSE_S = 0.1, 1.0
LOOK_AROUND_S = 5.0
_OVER = frozenset({"Success", "Cancelled", "TimedOut", "Failed"})


def run_script(account: Account, instance_id: str, script: str) -> str:
    """Run a script as root; return what it printed, at most 24,000 characters.

    Raises TransportError unless it ended with status 0 within an hour.
    """
    command_id = _send(account, instance_id, script)
    try:
        done = _wait(account, instance_id, command_id)
    except BaseException:
        with suppress(ClientError, BotoCoreError):  # what went wrong first is what is told
            account.client("ssm").cancel_command(CommandId=command_id)
        raise
    if done["Status"] != "Success":
        raise _unfinished(account, instance_id, done)
    return str(done["StandardOutputContent"])


def _send(account: Account, instance_id: str, script: str) -> str:
    try:
        with translated(f"no command can be sent to {instance_id}"):
            sent = account.client("ssm").send_command(
                InstanceIds=[instance_id],
                DocumentName="AWS-RunShellScript",
                TimeoutSeconds=DELIVERY_S,
                Parameters={"commands": [script], "executionTimeout": [str(EXECUTION_S)]},
            )
    except RunctlError as error:
        if error.details.get("aws_code") != "InvalidInstanceId":
            raise
        raise unreachable(account, instance_id, "is not Online there") from error
    return str(sent["Command"]["CommandId"])


def _wait(account: Account, instance_id: str, command_id: str) -> Mapping[str, Any]:
    """Return the invocation once it is over, or raise if its instance is not heard any more."""
    pause, began = FIRST_PAUSE_S, time.monotonic()
    looked = began
    while True:
        time.sleep(pause)
        pause = min(1.5 * pause, LAST_PAUSE_S)
        found = _look(account, instance_id, command_id)
        if found is not None and found["Status"] in _OVER:
            return found
        now = time.monotonic()
        if now - began > DELIVERY_S + EXECUTION_S + LOOK_AROUND_S:
            raise unreachable(account, instance_id, "did not end a command in time")
        if now - looked > LOOK_AROUND_S:
            looked = now
            _check_heard(account, instance_id)


def _look(account: Account, instance_id: str, command_id: str) -> Mapping[str, Any] | None:
    """Return the invocation; a new command is not known everywhere at once."""
    what = f"the command {command_id} cannot be looked at"
    try:
        with translated(what):
            found: Mapping[str, Any] = account.client("ssm").get_command_invocation(
                CommandId=command_id, InstanceId=instance_id
            )
            return found
    except RunctlError as error:
        if error.details.get("aws_code") == "InvocationDoesNotExist":
            return None
        raise


def _check_heard(account: Account, instance_id: str) -> None:
    """Raise if the agent is silent: its commands stay InProgress for as long as an hour."""
    if not is_online(account, instance_id):
        raise unreachable(account, instance_id, "was lost while a command ran")


def is_online(account: Account, instance_id: str) -> bool:
    """Tell whether its agent was heard of, and lately."""
    wanted = [{"Key": "InstanceIds", "Values": [instance_id]}]
    with translated(f"{instance_id} cannot be looked at"):
        told = account.client("ssm").describe_instance_information(Filters=wanted)
    return any(one["PingStatus"] == "Online" for one in told["InstanceInformationList"])


def _unfinished(account: Account, instance_id: str, done: Mapping[str, Any]) -> TransportError:
    detail = str(done.get("StatusDetails") or done["Status"])
    words = str(done.get("StandardErrorContent", "")).strip()
    told = f"did not run a command to its end ({detail})" + (f": {words}" if words else "")
    return unreachable(account, instance_id, told)


def unreachable(account: Account, instance_id: str, told: str) -> TransportError:
    """Return the error, with what its instance lacks as far as EC2 tells it."""
    return TransportError(
        f"{instance_id} cannot be reached over Systems Manager: it {told}",
        hint=f"aws ssm describe-instance-information ({_known_of(account, instance_id)})",
    )


def _known_of(account: Account, instance_id: str) -> str:
    try:
        answer = account.client("ec2").describe_instances(InstanceIds=[instance_id])
        found = answer["Reservations"][0]["Instances"][0]
    except ClientError as error:
        return f"EC2 answers {code_of(error)}"
    except (BotoCoreError, LookupError):
        return "EC2 does not tell of it"
    profile = found.get("IamInstanceProfile", {}).get("Arn", "").rpartition("/")[2]
    of_profile = f"its profile {profile} must allow it" if profile else "it has no profile"
    return f"it is {found['State']['Name']}, and {of_profile}"
