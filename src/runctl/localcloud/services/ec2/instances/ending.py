"""The end of instances, whoever wants it: a user, a spot market, a fleet, the machine itself."""

from __future__ import annotations

from collections.abc import Iterable

from runctl.localcloud.services.ec2.instances.states import give_reason, set_state, state_of
from runctl.localcloud.state.records import Record, Transaction

ENDED = ("shutting-down", "terminated")


def end_instances(
    transaction: Transaction,
    region: str,
    idents: Iterable[str],
    *,
    reason_code: str,
    reason_message: str,
    transition: str = "",
) -> list[Record]:
    """Put instances in shutting-down; return those that were not yet on their way out.

    The caller settles each of them ("instance") after the commit.
    """
    table = transaction.table("instance", region)
    ended = []
    for ident in idents:
        if state_of(table.get(ident) or {"State": {"Name": "terminated"}}) in ENDED:
            continue
        instance = table.edit(ident)
        set_state(instance, "shutting-down")
        give_reason(instance, reason_code, reason_message, transition or reason_message)
        ended.append(instance)
    return ended


def stop_instance(instance: Record, code: str, words: str, transition: str) -> None:
    """Put one instance in stopping."""
    set_state(instance, "stopping")
    give_reason(instance, code, words, transition)
