"""Commands in instances: delivered, run, cancelled, and their output read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runctl.localcloud.cloud import settles
from runctl.localcloud.machines.errors import MachineError
from runctl.localcloud.machines.machine import CommandRequest, Machine
from runctl.localcloud.machines.results import CommandStatus, Event
from runctl.localcloud.state.records import Record

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

INVOCATION = "command-invocation"
OVER = ("Success", "Failed", "TimedOut", "Cancelled")
_OUTPUT_CHARACTERS = 24000
_ERROR_CHARACTERS = 8000
_OUTPUT_BYTES = 1 << 20
_ASK_AGAIN_S = 1.0
# The agent writes the script into a file, and runs that: as a program where it says by which.
_RUN = """
for d in /var/lib/amazon/ssm "${TMPDIR:-/tmp}/ssm"; do
    mkdir -p "$d/$1" 2>/dev/null && break
done
f=$d/$1/_script.sh
cat >"$f" && chmod 700 "$f" || exit 1
exec </dev/null
case $(head -c 2 "$f") in
'#!') exec "$f" ;;
*) exec /bin/sh "$f" ;;
esac
"""


def invocation_id(command: str, instance: str) -> str:
    """Return the id of a command on an instance."""
    return f"{command}:{instance}"


def watch_commands(cloud: Cloud) -> None:
    """Look at a command as soon as its machine says that it has ended."""
    cloud.tier.listen(lambda event: _hear(cloud, event))


def _hear(cloud: Cloud, event: Event) -> None:
    if event.kind != "command" or event.command_id is None:
        return
    key = invocation_id(event.command_id, event.instance_id)
    for region in cloud.records.regions(INVOCATION):
        if cloud.records.peek(INVOCATION, region, key) is not None:
            cloud.settle_later(0.0, INVOCATION, region, key)


@settles(INVOCATION)
def settle_invocation(cloud: Cloud, region: str, key: str) -> None:
    """Deliver a command, or see what has become of it."""
    found = cloud.records.peek(INVOCATION, region, key)
    if found is None or found["Status"] in OVER:
        return
    machine = cloud.tier.find(found["InstanceId"])
    if machine is None:
        _finish(cloud, region, key, "Failed", "Undeliverable")
    elif cloud.faults.is_cut_off(found["InstanceId"]):
        _wait(cloud, region, key, found)
    else:
        _look(cloud, region, key, found, machine)


def _wait(cloud: Cloud, region: str, key: str, found: Record) -> None:
    """An agent that cannot be reached gets its command later, or never."""
    if found["Status"] == "Pending" and cloud.clock() > found["_DeliverBefore"]:
        _finish(cloud, region, key, "TimedOut", "DeliveryTimedOut")
    else:
        cloud.settle_later(_ASK_AGAIN_S, INVOCATION, region, key)


def _look(cloud: Cloud, region: str, key: str, found: Record, machine: Machine) -> None:
    command = found["CommandId"]
    try:
        status = machine.command(command)
        if status is None:
            if found.get("_IsCancelled"):
                _finish(cloud, region, key, "Cancelled", "Cancelled")
                return
            status = machine.exec(_request(found))
        if found.get("_IsCancelled") and status.state == "running":
            machine.signal(command)
    except MachineError as error:
        _finish(cloud, region, key, "Failed", "Undeliverable", _Error=str(error))
        return
    if status.state == "running":
        _begin(cloud, region, key, status)
        cloud.settle_later(_ASK_AGAIN_S, INVOCATION, region, key)
    else:
        _end(cloud, region, key, found, status)


def _request(found: Record) -> CommandRequest:
    return CommandRequest(
        id=found["CommandId"],
        argv=("/bin/sh", "-c", _RUN, "ssm", found["CommandId"]),
        user="root",
        cwd=found["_Folder"] or "/usr/bin",
        environment={
            "AWS_SSM_INSTANCE_ID": found["InstanceId"],
            "SSM_COMMAND_ID": found["CommandId"],
        },
        stdin=found["_Script"],
        timeout_s=float(found["_TimeoutS"]),
        stdout_limit_bytes=_OUTPUT_BYTES,
        stderr_limit_bytes=_OUTPUT_BYTES,
    )


def _begin(cloud: Cloud, region: str, key: str, status: CommandStatus) -> None:
    with cloud.records.transaction() as transaction:
        table = transaction.table(INVOCATION, region)
        invocation = table.get(key)
        if invocation is not None and invocation["Status"] == "Pending":
            changed = table.edit(key)
            changed |= {"Status": "InProgress", "_Started": status.started}
            if not changed.get("_IsCancelled"):
                changed["StatusDetails"] = "InProgress"


def _end(cloud: Cloud, region: str, key: str, found: Record, status: CommandStatus) -> None:
    code = status.exit_status if status.exit_status is not None else 128 + (status.signal or 0)
    word, detail = _outcome(found, status, code)
    output, error = _read(status.stdout), _read(status.stderr)
    if word == "Failed" and status.state != "lost":
        error += f"failed to run commands: exit status {code}"
    _finish(
        cloud,
        region,
        key,
        word,
        detail,
        ResponseCode=code if status.state != "lost" else -1,
        _Output=_cut(output, _OUTPUT_CHARACTERS, "--output truncated--"),
        _Error=_cut(error, _ERROR_CHARACTERS, "--error truncated--"),
        _Started=status.started,
    )


def _outcome(found: Record, status: CommandStatus, code: int) -> tuple[str, str]:
    if status.state == "lost":
        return "Failed", "Terminated"
    if found.get("_IsCancelled") or status.cancelled:
        return "Cancelled", "Cancelled"
    if status.timed_out:
        return "TimedOut", "ExecutionTimedOut"
    word = "Success" if code == 0 else "Failed"
    return word, word


def _finish(cloud: Cloud, region: str, key: str, word: str, detail: str, **more: object) -> None:
    """Give an invocation its last status; the first one to do so counts."""
    with cloud.records.transaction() as transaction:
        table = transaction.table(INVOCATION, region)
        if key not in table or table.edit(key)["Status"] in OVER:
            return
        last = {"Status": word, "StatusDetails": detail, "ResponseCode": -1}
        table.edit(key).update({**last, "_Ended": cloud.clock(), **more})
    cloud.jobs.forget(f"{INVOCATION}:{key}")


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_OUTPUT_BYTES)
    except FileNotFoundError:
        return ""


def _cut(text: str, limit: int, mark: str) -> str:
    return text if len(text) <= limit else text[: limit - len(mark)] + mark


def output_of(found: Record) -> str:
    """Return what a command wrote, as the listing shows it: output, then errors."""
    error = found.get("_Error", "")
    return str(found.get("_Output", "")) + (f"\n----------ERROR-------\n{error}" if error else "")
