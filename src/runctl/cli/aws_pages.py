"""Instances in text: in a table, what a change would meet, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from runctl.cli.sentences import tell_age, tell_count, tell_step
from runctl.model.instance import Instance, InstanceState, Volume
from runctl.model.instance_views import (
    Flush,
    InstancePlan,
    InstanceReport,
    ListedInstance,
    RunOnInstance,
)
from runctl.model.money import format_cost, rate_of
from runctl.model.quantities import format_usd
from runctl.model.volume import Snapshot

_UP = frozenset({InstanceState.PENDING, InstanceState.RUNNING})
TABLE_HEADER = (
    "ID", "TYPE", "STATE", "AGE", "PLACE", "MARKET", "USD/H", "COST", "LAST RUN", "NAME", "PROJECT",
)  # fmt: skip


def table_row(one: ListedInstance) -> tuple[str, ...]:
    """One line of the list; what is unknown is a dash."""
    return (
        one.instance_id,
        one.type,
        one.state.value,
        tell_age(one.launched_at) if one.launched_at else "-",
        one.place or "-",
        tell_market(one),
        "-" if one.usd_per_hour is None else tell_rate(one.usd_per_hour),
        "-" if one.cost_usd is None else format_cost(one.cost_usd),
        one.run or "-",
        one.name or "-",
        one.project or "-",
    )


def tell_totals(found: Sequence[ListedInstance]) -> str:
    """``3 instances: $2.01/h now, $14.20 so far``, and of how many that is not known."""
    rates, costs = [rate_of(one) for one in found], [one.cost_usd for one in found]
    unknown = sum(price is None for price in rates), sum(price is None for price in costs)
    rate, cost = tell_rate(_sum(rates)), format_cost(_sum(costs))
    apart = [f"; unknown of {count}" if count else "" for count in unknown]
    return (
        f"{tell_count(len(found), 'instance')}: {rate} now{apart[0]}, "
        f"{cost} so far{apart[1]}, without disks and traffic"
    )


def _sum(amounts: Iterable[Decimal | None]) -> Decimal:
    return sum(filter(None, amounts), Decimal(0))


def tell_volume(volume: Volume) -> str:
    """``vol-…: 100 GiB gp3, $8.00 a month``, and how to be rid of it."""
    ours, ident = f"runctl aws ebs delete {volume.volume_id}", volume.volume_id
    ends = ours if volume.is_ours else f"aws ec2 delete-volume --volume-id {ident}"
    return f"{describe_volume(volume)}; {'it is protected' if volume.is_protected else ends}"


def describe_volume(volume: Volume) -> str:
    monthly = volume.usd_per_month
    price = "at an unknown price" if monthly is None else f"{format_cost(monthly)} a month"
    return f"{volume.volume_id}: {volume.gib} GiB {volume.type}, {price}"


def tell_snapshot(snapshot: Snapshot) -> str:
    """``snap-…: 100 GiB, at most $5.00 a month``, and how to be rid of it."""
    monthly, ident = snapshot.usd_per_month, snapshot.snapshot_id
    price = "at an unknown price" if monthly is None else f"at most {format_cost(monthly)} a month"
    return f"{ident}: {snapshot.gib} GiB, {price}; runctl aws ebs snapshot-delete {ident}"


def tell_run(run: RunOnInstance) -> str:
    return f"run {run.name} ({run.run_id}) is {run.state.value}, {tell_safe(run)}"


def tell_safe(run: RunOnInstance) -> str:
    if run.last_checkpoint is None:
        return "no checkpoint is safe"
    return f"last safe is {run.last_checkpoint}{tell_step(run.last_step)}"


# -- a change: what it would meet, and what it did


def plan_lines(plan: InstancePlan) -> Iterator[str]:
    """What an end would meet."""
    yield f"{tell_instance(plan.instance)}{_cost(plan.cost_usd)}"
    if plan.runs_problem is not None:
        yield f"  which runs are active is not known: {plan.runs_problem}"
    yield from (f"  {tell_run(run)}: it is asked to save first" for run in plan.runs)
    yield from _volume_lines(plan.volumes)


def tell_instance(one: Instance) -> str:
    """``i-… (name): t3.micro, running``, and its price."""
    named = f" ({one.name})" if one.name else ""
    rate = "" if one.usd_per_hour is None else f", {tell_rate(one.usd_per_hour)}"
    return f"{one.instance_id}{named}: {one.type}, {tell_market(one)}, {one.state.value}{rate}"


def report_lines(report: InstanceReport) -> Iterator[str]:
    """What became of one."""
    one = report.instance
    if report.failure is None:
        already = " already" if report.was_so else ""
        cost = "" if one.state in _UP else _cost(report.cost_usd)
        yield f"{one.instance_id} is {one.state.value}{already}{cost}"
    if report.runs_problem is not None:
        yield f"  what was active could not be flushed: {report.runs_problem}"
    yield from (f"  {_tell_flush(flush)}" for flush in report.flushes)
    if report.failure is None:
        yield from _volume_lines(report.volumes)


def _tell_flush(flush: Flush) -> str:
    run = flush.run
    if flush.problem is None:
        return f"run {run.name} {run.state.value}: {tell_safe(run)}, log shipped"
    return f"run {run.name} could not be flushed: {flush.problem}; {tell_safe(run)}"


def _cost(cost: Decimal | None) -> str:
    return (
        "; what it has cost is not known" if cost is None else f"; it has cost {format_cost(cost)}"
    )


def _volume_lines(volumes: tuple[Volume, ...] | None) -> Iterator[str]:
    if volumes is None:
        yield "  which volumes stay is not known: aws ec2 describe-volumes"
    yield from (f"  it stays, and costs: {tell_volume(volume)}" for volume in volumes or ())


def tell_rate(usd_per_hour: Decimal) -> str:
    return f"{format_usd(usd_per_hour)}/h"


def tell_market(one: Instance) -> str:
    return "spot" if one.is_spot else "on-demand"
