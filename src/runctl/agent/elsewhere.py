"""How an attempt is started by an agent that has arrived: what is local is decided here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from runctl.agent import boot_hook, reboot
from runctl.agent.arrival import find_base_python, make_order, reaper_command
from runctl.agent.environment.settings import StagedWheel
from runctl.agent.folder import AttemptFolder
from runctl.agent.machine_end import take_back
from runctl.agent.plan import BucketPlan, Plan, read_plan
from runctl.agent.reboot import instance_root
from runctl.model.codec import Record, decode


class StartOrder(Record, frozen=True, kw_only=True):
    """Which attempt is to be started; ``secrets`` and ``wheels`` of None keep those that are there.

    ``bucket``: how a ledger in S3 is reached from here, with the instance's own role; ``regions``:
    where other buckets of the run are.
    """

    run_id: str
    attempt: int
    instance: str
    store: str
    is_exclusive: bool
    ends_instance: bool = False
    is_spot: bool = False
    bucket: BucketPlan | None = None
    gpus: tuple[int, ...] = ()
    is_queued: bool = False
    regions: dict[str, str] = {}
    secrets: dict[str, str] | None = None
    wheels: tuple[StagedWheel, ...] | None = None


def start(order: bytes, environ: Mapping[str, str]) -> int:
    """Start an attempt; the reaper's answer goes to standard output."""
    wish = decode(order, StartOrder, key="the order")
    take_back(instance_root(environ))
    plan = _plan(wish, environ)
    asked = make_order(plan, wish.secrets, gpus=wish.gpus, is_queued=wish.is_queued)
    if plan.is_taken_up:
        boot_hook.enter_own_scope(f"{wish.run_id}-{wish.attempt}")
    return _start(plan, asked, environ)


def _start(plan: Plan, order: bytes, environ: Mapping[str, str]) -> int:
    command = reaper_command(sys.executable, "start")
    if plan.is_taken_up:
        reboot.remember(plan, command, order, environ)
    done = subprocess.run(
        command, input=order, stdout=subprocess.PIPE, check=False, env=dict(environ)
    )
    if not AttemptFolder.of(Path(plan.instance_root), plan.run_id, plan.attempt).plan.exists():
        reboot.forget(plan)  # it was refused
    sys.stdout.buffer.write(done.stdout)
    sys.stdout.flush()
    return done.returncode


def _plan(wish: StartOrder, environ: Mapping[str, str]) -> Plan:
    return Plan(
        run_id=wish.run_id,
        attempt=wish.attempt,
        instance=wish.instance,
        store=wish.store,
        instance_root=str(instance_root(environ)),
        base_python=find_base_python(environ),
        is_exclusive=wish.is_exclusive,
        ends_instance=wish.ends_instance,
        is_spot=wish.is_spot,
        is_taken_up=_is_instance(wish) and boot_hook.install(instance_root(environ)),
        bucket=wish.bucket,
        regions=wish.regions,
        wheels=wish.wheels or _wheels_of_before(wish, instance_root(environ)),
    )


def _is_instance(wish: StartOrder) -> bool:
    """Tell whether this very machine was rented: on no other is anything done as root."""
    return reboot.own_id() == wish.instance


def _wheels_of_before(wish: StartOrder, root: Path) -> tuple[StagedWheel, ...] | None:
    """Return what an earlier start of this attempt has brought."""
    folder = AttemptFolder.of(root, wish.run_id, wish.attempt)
    return read_plan(folder).wheels if folder.plan.exists() else None


def probe(run_id: str, attempt: str) -> int:
    """Tell who is alive of an attempt, as the reaper does."""
    folder = AttemptFolder.of(instance_root(os.environ), run_id, int(attempt))
    return subprocess.run(
        reaper_command(sys.executable, "probe", str(folder.path)), check=False
    ).returncode


def main() -> int:
    """Start what standard input says.

    A Python that was brought along is the last on PATH; uv trusts whom the image trusts.
    """
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), f"{sys.base_prefix}/bin"))
    defaults = {"UV_SYSTEM_CERTS": "true"}
    return start(sys.stdin.buffer.read(), {**defaults, **os.environ, "PATH": path})
