"""The end of an instance, believed once it is described; what protects it is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runctl.aws.errors import translated
from runctl.errors import ConflictError, ProviderError, RefusedError, RunctlError
from runctl.model.instance import GONE, Instance
from runctl.providers.aws.patience import await_state


def check_ours(instance: Instance, owner: str, *, is_foreign: bool) -> None:
    """Raise RefusedError for an instance that is not ours, unless it is said not to be."""
    if instance.is_ours or is_foreign:
        return
    ident = instance.instance_id
    raise RefusedError(
        f"{ident} does not bear your owner tag {owner}: it is not ours to change or to end",
        hint="if you mean it, type the same again with --not-mine",
        instance=ident,
    )


def terminate(ec2: Any, instance_id: str, describe: Callable[[], Instance]) -> None:
    """End one instance. It has a request to itself: what protects one would keep its neighbours."""
    try:
        with translated(f"{instance_id} could not be terminated"):
            ec2.terminate_instances(InstanceIds=[instance_id])
    except RunctlError as error:
        raise protected(
            error, instance_id, "termination", "--no-disable-api-termination"
        ) from error
    if await_state(describe, GONE) is None:
        raise ProviderError(
            f"{instance_id} was told to terminate, and still runs",
            hint=f"runctl aws terminate {instance_id}",
        )


def protected(error: RunctlError, instance_id: str, what: str, option: str) -> RunctlError:
    """Return the error: ConflictError, with how to lift it, where an instance is protected."""
    if error.details.get("aws_code") != "OperationNotPermitted":
        return error
    return ConflictError(
        f"{instance_id} is protected against {what}",
        hint=f"aws ec2 modify-instance-attribute --instance-id {instance_id} {option}",
        instance=instance_id,
    )
