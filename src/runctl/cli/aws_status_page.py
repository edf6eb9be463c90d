"""All of one instance in text."""

from __future__ import annotations

from collections.abc import Iterator

from runctl.cli.aligned import Fact, align
from runctl.cli.aws_pages import describe_volume, tell_market, tell_rate, tell_safe
from runctl.cli.sentences import tell_age, tell_count
from runctl.model.instance import Instance
from runctl.model.instance_views import InstanceDetail
from runctl.model.money import format_cost


def status_page(detail: InstanceDetail) -> Iterator[str]:
    """An instance in detail."""
    return align(*_facts(detail), *_parts(detail))


def _facts(detail: InstanceDetail) -> Iterator[Fact]:
    one = detail.instance
    yield "instance", one.instance_id
    yield "name", one.name
    yield "project", one.project
    yield "state", one.state.value + (f": {one.state_reason}" if one.state_reason else "")
    yield "type", one.type
    yield "place", one.place
    yield "market", tell_market(one)
    yield "address", one.address
    yield "image", one.image
    yield "profile", one.profile or "none"
    yield "key pair", one.key_name
    yield "yours", "yes" if one.is_ours else "no: it does not bear your owner tag"
    yield "launched", _launched(one)
    yield "price", "unknown" if one.usd_per_hour is None else tell_rate(one.usd_per_hour)
    yield "cost", "unknown" if detail.cost_usd is None else format_cost(detail.cost_usd)
    yield "reached", _reached(detail)


def _parts(detail: InstanceDetail) -> Iterator[Fact]:
    if detail.volumes is None:
        yield "volumes", "unknown"
    for volume in detail.volumes or ():
        stays = "stays when it ends" if volume.is_kept else "ends with it"
        yield "volume", f"{describe_volume(volume)}, {volume.device}, {stays}"
    yield "active", _active(detail)
    for run in (*detail.runs, *detail.earlier_runs):
        yield "run", f"{run.run_id}  {run.name}  {run.state.value}, {tell_safe(run)}"


def _launched(one: Instance) -> str | None:
    if one.launched_at is None:
        return None
    return f"{one.launched_at:%Y-%m-%d %H:%M:%S} UTC, {tell_age(one.launched_at)} ago"


def _reached(detail: InstanceDetail) -> str:
    contact = detail.contact
    if contact.problem is None:
        return f"over {contact.transport}, as {contact.login}"
    way = f" over {contact.transport}" if contact.transport else ""
    return f"not{way}: {contact.problem}"


def _active(detail: InstanceDetail) -> str:
    if detail.runs_problem is not None:
        return f"unknown: {detail.runs_problem}"
    return tell_count(len(detail.runs), "run")
