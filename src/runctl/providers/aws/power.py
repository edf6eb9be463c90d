"""Stop and start: what EC2 allows of which instance, and what to do where it does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runctl.aws.errors import translated
from runctl.errors import ConflictError, ProviderError, RunctlError
from runctl.model.instance import GONE, Instance, InstanceState
from runctl.providers.aws.ending import protected
from runctl.providers.aws.patience import await_state

_DOWN = frozenset({InstanceState.STOPPING, InstanceState.STOPPED})
_UP = frozenset({InstanceState.PENDING, InstanceState.RUNNING})


def check_stop(ec2: Any, told: Mapping[str, Any]) -> None:
    """Raise ConflictError if an instance of DescribeInstances cannot be stopped."""
    ident = told["InstanceId"]
    if told.get("RootDeviceType") == "instance-store":
        raise _unstoppable(ident, "its root is an instance store, which a stop would wipe")
    if told.get("InstanceLifecycle") == "spot" and _request_type(ec2, ident) != "persistent":
        raise _unstoppable(ident, "it was rented on the spot market, for one time")


def _request_type(ec2: Any, instance_id: str) -> str:
    mine = [{"Name": "instance-id", "Values": [instance_id]}]
    with translated(f"the spot request of {instance_id} cannot be described"):
        found = ec2.describe_spot_instance_requests(Filters=mine)["SpotInstanceRequests"]
    return str(found[0]["Type"]) if found else "one-time"


def _unstoppable(ident: str, why: str) -> ConflictError:
    return ConflictError(
        f"AWS cannot stop {ident}: {why}. What its runs have committed is safe: end it, and go on "
        "elsewhere with runctl resume RUN --on aws:INSTANCE",
        hint=f"runctl aws terminate {ident}",
        instance=ident,
    )


def stop(ec2: Any, instance_id: str, describe: Callable[[], Instance]) -> None:
    _check_there(describe(), "stopped")
    try:
        with translated(f"{instance_id} could not be stopped"):
            ec2.stop_instances(InstanceIds=[instance_id])
    except RunctlError as error:
        raise protected(error, instance_id, "stops", "--no-disable-api-stop") from error
    if await_state(describe, _DOWN) is None:
        raise ProviderError(
            f"{instance_id} was told to stop, and still runs",
            hint=f"runctl aws stop {instance_id}",
        )


def start(ec2: Any, instance_id: str, describe: Callable[[], Instance]) -> None:
    found = describe()
    _check_there(found, "started")
    if found.state is InstanceState.STOPPING:
        raise ConflictError(
            f"{instance_id} is stopping: it can be started once it has stopped",
            hint=f"runctl aws wait {instance_id} --for stopped",
        )
    with translated(f"{instance_id} could not be started"):
        ec2.start_instances(InstanceIds=[instance_id])
    if await_state(describe, _UP) is None:
        raise ProviderError(
            f"{instance_id} was told to start, and is still stopped",
            hint=f"runctl aws start {instance_id}",
        )


def _check_there(found: Instance, verb: str) -> None:
    if found.state in GONE:
        raise ConflictError(
            f"{found.instance_id} is terminated: it cannot be {verb}", hint="runctl aws list"
        )
