"""Systems Manager: managed instances, commands, documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.fidelity.table import Answered, Parameters, Refused, Row, Story, World
from tests.fidelity.world import code_of, wait_until

SHELL = "AWS-RunShellScript"
UNKNOWN = "i-0123456789abcdef0"
NO_COMMAND = "00000000-0000-0000-0000-000000000000"
SEND = "SendCommand"
OVER = ("Success", "Failed", "TimedOut", "Cancelled")


def row(says: str, call: str, parameters: Parameters, outcome: Refused | Answered) -> Row:
    return Row(says, "ssm", call, parameters, outcome, "AWS Systems Manager API Reference")


def command(world: World, *lines: str, **more: Any) -> dict[str, Any]:
    return {
        "DocumentName": SHELL,
        "InstanceIds": [world.instance],
        "Parameters": {"commands": list(lines)},
        **more,
    }


def run(world: World, *lines: str, **more: Any) -> Any:
    """Run lines on the instance; return the invocation, once it is over."""
    ssm = world.client("ssm")
    sent = ssm.send_command(**command(world, *lines, **more))["Command"]["CommandId"]
    return finish(world, sent)


def finish(world: World, sent: str) -> Any:
    ssm, found = world.client("ssm"), {}

    def is_over() -> bool:
        try:
            found.update(ssm.get_command_invocation(CommandId=sent, InstanceId=world.instance))
        except ssm.exceptions.InvocationDoesNotExist:
            return False
        return found["Status"] in OVER

    wait_until(is_over, f"command {sent} never ended")
    return found


ROWS = [
    row(
        "a command for an unknown instance is InvalidInstanceId",
        "send_command",
        {
            "DocumentName": SHELL,
            "InstanceIds": [UNKNOWN],
            "Parameters": {"commands": ["true"]},
        },
        Refused("InvalidInstanceId", "not in a valid state", 400),
    ),
    row(
        "a document that does not exist is InvalidDocument",
        "send_command",
        lambda world: {**command(world, "true"), "DocumentName": "Nobody-HasThis"},
        Refused("InvalidDocument"),
    ),
    row(
        "a command without commands is InvalidParameters",
        "send_command",
        lambda world: {"DocumentName": SHELL, "InstanceIds": [world.instance]},
        Refused("InvalidParameters"),
    ),
    row(
        "a parameter that the document does not have is InvalidParameters",
        "send_command",
        lambda world: command(world, "true", Parameters={"commands": ["true"], "nonsense": ["x"]}),
        Refused("InvalidParameters"),
    ),
    row(
        "a command that is sent is pending, and counts its targets",
        "send_command",
        lambda world: command(world, "true"),
        Answered(
            lambda answer: (
                answer["Command"]["Status"] in ("Pending", "InProgress")
                and answer["Command"]["TargetCount"] <= 1
            )
        ),
    ),
    row(
        "the invocation of an unknown command does not exist",
        "get_command_invocation",
        lambda world: {"CommandId": NO_COMMAND, "InstanceId": world.instance},
        Refused("InvocationDoesNotExist"),
    ),
    row(
        "an unknown command cannot be cancelled",
        "cancel_command",
        {"CommandId": NO_COMMAND},
        Refused("InvalidCommandId"),
    ),
    row(
        "a command id has thirty-six characters",
        "list_commands",
        {"CommandId": "0" * 36},
        Refused("InvalidCommandId"),
    ),
    row(
        "an instance with a profile is managed, and Online",
        "describe_instance_information",
        lambda world: {"Filters": [{"Key": "InstanceIds", "Values": [world.instance]}]},
        Answered(
            lambda answer: (
                [
                    (one["PingStatus"], one["PlatformType"], one["ResourceType"])
                    for one in answer["InstanceInformationList"]
                ]
                == [("Online", "Linux", "EC2Instance")]
            )
        ),
    ),
    row(
        "managed instances are found by how they answer",
        "describe_instance_information",
        {"Filters": [{"Key": "PingStatus", "Values": ["Inactive"]}]},
        Answered(lambda answer: answer["InstanceInformationList"] == []),
    ),
    row(
        "the shell document is Amazon's, and for Linux",
        "describe_document",
        {"Name": SHELL},
        Answered(
            lambda answer: (
                answer["Document"]["Owner"] == "Amazon"
                and "Linux" in answer["Document"]["PlatformTypes"]
            )
        ),
    ),
    row(
        "an unknown document cannot be described",
        "describe_document",
        {"Name": "Nobody-HasThis"},
        Refused("InvalidDocument"),
    ),
    row(
        "a session with an unknown instance is TargetNotConnected",
        "start_session",
        {"Target": UNKNOWN},
        Refused("TargetNotConnected"),
    ),
    row(
        "a session of an unknown document is InvalidDocument",
        "start_session",
        lambda world: {"Target": world.instance, "DocumentName": "Nobody-HasThis"},
        Refused("InvalidDocument"),
    ),
    row(
        "an unknown session cannot be resumed",
        "resume_session",
        {"SessionId": "nobody-0123456789abcdef0"},
        Refused("DoesNotExistException"),
    ),
]


def _it_runs_as_root_under_sh(world: World) -> None:
    found = run(world, "id -u", "echo $0 >&2", "exit 0")
    assert (found["Status"], found["StatusDetails"], found["ResponseCode"]) == (
        "Success",
        "Success",
        0,
    )
    assert found["StandardOutputContent"] == "0\n"
    assert found["PluginName"] == "aws:runShellScript"
    assert found["ExecutionElapsedTime"].startswith("PT")


def _a_failure_has_its_status(world: World) -> None:
    found = run(world, "echo before", "echo why >&2", "exit 42")
    assert (found["Status"], found["ResponseCode"]) == ("Failed", 42)
    assert found["StandardOutputContent"] == "before\n"
    assert found["StandardErrorContent"].startswith("why\n")
    assert "exit status 42" in found["StandardErrorContent"]


def _lines_are_one_script(world: World) -> None:
    found = run(world, "x=1", "cd /tmp", "echo $x $(pwd)")
    assert found["StandardOutputContent"] == "1 /tmp\n"


def _an_interpreter_can_be_named(world: World) -> None:
    found = run(world, "#!/bin/bash", "echo ${BASH_VERSION:+bash}")
    assert found["StandardOutputContent"] == "bash\n"


def _the_working_directory_is_taken(world: World) -> None:
    parameters = {"commands": ["pwd"], "workingDirectory": ["/var"]}
    assert run(world, Parameters=parameters)["StandardOutputContent"] == "/var\n"


def _output_is_cut_at_24000(world: World) -> None:
    found = run(
        world, "head -c 30000 /dev/zero | tr '\\0' x", "head -c 9000 /dev/zero | tr '\\0' y >&2"
    )
    assert len(found["StandardOutputContent"]) == 24000
    assert len(found["StandardErrorContent"]) == 8000
    assert "truncated" in found["StandardOutputContent"][-40:]


def _an_execution_times_out(world: World) -> None:
    parameters = {"commands": ["echo begun; sleep 600"], "executionTimeout": ["5"]}
    found = run(world, Parameters=parameters)
    assert (found["Status"], found["StatusDetails"]) == ("TimedOut", "ExecutionTimedOut")


def _a_command_is_cancelled(world: World) -> None:
    ssm, mark = world.client("ssm"), world.name("/tmp/cancelled")
    sent = ssm.send_command(**command(world, "sleep 600", f"touch {mark}"))["Command"]["CommandId"]

    def is_running() -> bool:
        found = ssm.list_command_invocations(CommandId=sent)["CommandInvocations"]
        return bool(found) and found[0]["Status"] == "InProgress"

    wait_until(is_running, "the command never began")
    ssm.cancel_command(CommandId=sent)
    assert finish(world, sent)["Status"] == "Cancelled"
    assert run(world, f"ls {mark} 2>/dev/null | wc -l")["StandardOutputContent"] == "0\n"


def _targets_are_found_by_tag(world: World) -> None:
    ssm = world.client("ssm")
    _ = world.instance
    sent = ssm.send_command(
        DocumentName=SHELL,
        Targets=[{"Key": "tag:runctl:owner", "Values": ["fidelity-suite"]}],
        Parameters={"commands": ["hostname"]},
    )["Command"]["CommandId"]
    assert finish(world, sent)["Status"] == "Success"


def _commands_are_listed(world: World) -> None:
    ssm = world.client("ssm")
    sent = run(world, "echo listed")["CommandId"]
    [told] = ssm.list_commands(CommandId=sent)["Commands"]
    assert (told["Status"], told["CompletedCount"], told["ErrorCount"]) == ("Success", 1, 0)
    [found] = ssm.list_command_invocations(CommandId=sent, Details=True)["CommandInvocations"]
    [plugin] = found["CommandPlugins"]
    assert (plugin["Output"], plugin["ResponseCode"]) == ("listed\n", 0)


def _an_instance_without_a_profile_is_not_managed(world: World) -> None:
    ec2, ssm = world.client("ec2"), world.client("ssm")
    [made] = ec2.run_instances(
        ImageId=world.image,
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=world.tags("instance"),
    )["Instances"]
    ident = made["InstanceId"]
    world.later(lambda: ec2.terminate_instances(InstanceIds=[ident]))
    ec2.get_waiter("instance_status_ok").wait(
        InstanceIds=[ident], WaiterConfig={"Delay": 2, "MaxAttempts": 150}
    )
    parameters = {"commands": ["true"]}
    call: Callable[..., object] = ssm.send_command
    code = code_of(call, DocumentName=SHELL, InstanceIds=[ident], Parameters=parameters)
    assert code == "InvalidInstanceId"


def _a_session_is_started_resumed_and_ended(world: World) -> None:
    ssm = world.client("ssm")
    begun = ssm.start_session(Target=world.instance)
    session = begun["SessionId"]
    try:
        assert begun["TokenValue"]
        assert begun["StreamUrl"].startswith("wss://")
        again = ssm.resume_session(SessionId=session)
        assert again["SessionId"] == session
        assert again["TokenValue"] != begun["TokenValue"]
    finally:
        assert ssm.terminate_session(SessionId=session)["SessionId"] == session


STORIES = [
    Story("a command runs as root under /bin/sh", _it_runs_as_root_under_sh, SEND),
    Story("a command that fails has its exit status", _a_failure_has_its_status, SEND),
    Story("the lines of a command are one script", _lines_are_one_script, SEND),
    Story("a script can name its interpreter", _an_interpreter_can_be_named, SEND),
    Story("a command has a working directory", _the_working_directory_is_taken, SEND),
    Story("output is cut at 24,000 and 8,000 characters", _output_is_cut_at_24000, SEND),
    Story("an execution times out", _an_execution_times_out, "executionTimeout"),
    Story("a command that is cancelled really ends", _a_command_is_cancelled, "CancelCommand"),
    Story("targets of a command are found by tag", _targets_are_found_by_tag, SEND),
    Story("commands are listed with their counts and output", _commands_are_listed, "ListCommands"),
    Story(
        "a session is started, resumed and ended",
        _a_session_is_started_resumed_and_ended,
        "StartSession, ResumeSession, TerminateSession",
    ),
    Story(
        "an instance without a profile cannot be commanded",
        _an_instance_without_a_profile_is_not_managed,
        "Troubleshooting managed node availability",
    ),
]
