"""The volumes that somebody wants on an instance: looked at before anything costs, then attached.

The mounting itself is done on the instance, as root, by ``runctl.agent.volume_root``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from decimal import Decimal
from importlib import resources
from typing import cast

from msgspec.structs import replace as replaced

from runctl.engine.arrival.beginning import bring
from runctl.engine.arrival.parts import LinkedObjects
from runctl.engine.naming import find_instance
from runctl.engine.session import Session
from runctl.engine.there import check_ledger
from runctl.engine.volumes import changes_of, find_volume
from runctl.errors import (
    CapacityError,
    ConflictError,
    RefusedError,
    RunctlError,
    TransportError,
)
from runctl.model.instance import Instance, InstanceState, Volume
from runctl.model.run import Run
from runctl.model.terms import Tell, Terms
from runctl.model.volume import VolumeAsk, VolumeForesight, VolumePlace, VolumePlan
from runctl.model.wish import InstanceWish, VolumeWish
from runctl.providers.api import Provider
from runctl.transports.api import Completed

REFUSED, NO_PYTHON = 3, 75
END_S, LOOK_S = 300.0, 1.0
"""How long an instance may take to end."""
_AS_ROOT = """\
for python in "$HOME"/.runctl/agents/*/bin/python python3 /usr/libexec/platform-python; do
    ! command -v "$python" >/dev/null 2>&1 ||
        exec sudo -n "$(command -v "$python")" -I -S - "$@" "$(id -u)" "$(id -g)"
done
echo 'there is no Python' >&2
exit 75
"""


def name_of_new(stem: str, ask: VolumeAsk) -> str:
    """Return the name of a volume that is made; the same for whoever goes on with it."""
    return stem + ask.path.replace("/", "-")


def foresee(
    session: Session, target: str, asks: Sequence[VolumeAsk], *, is_strict: bool
) -> VolumePlan:
    """Look at the volumes for a target such as ``aws:g6.xlarge``, or the id of an instance.

    ``is_strict``: an instance that is still to be rented cannot have them already.
    """
    name, _, named = target.partition(":")
    provider = session.provider(name)
    changes_of(provider)
    if not named or provider.names_type(named):
        return look(provider, asks, instances=() if is_strict else None)
    found = find_instance(provider, named)
    return look(provider, asks, instances={found.instance_id}, place=found.place)


def look(
    provider: Provider,
    asks: Sequence[VolumeAsk],
    *,
    instances: Collection[str] | None = (),
    place: str | None = None,
    stem: str | None = None,
) -> VolumePlan:
    """Say which volumes are meant, what new ones cost, and in which zone they tie an instance.

    ``instances`` may have them attached already, any where that is None; ``place`` is the zone
    where they have to be. ``stem``: new ones may have been made before.

    Raises NotFoundError, RefusedError for what is not ours, ConflictError for what another has,
    and where two are in two zones.
    """
    if not asks:
        return VolumePlan()
    found = tuple(_foresee(provider, one, stem) for one in asks)
    known = [one.volume for one in found if one.volume is not None]
    for one in known:
        _check_free(one, instances)
    zone = _common_zone(known, place)
    return VolumePlan(volumes=found, place=zone)


def _foresee(provider: Provider, ask: VolumeAsk, stem: str | None) -> VolumeForesight:
    changes = changes_of(provider)
    if ask.source is not None:
        return VolumeForesight(ask=ask, volume=find_volume(provider, ask.source))
    made = None
    if stem is not None:
        named = [one for one in changes.our_volumes() if one.name == name_of_new(stem, ask)]
        made = named[0] if named else None
    price: Decimal | None = None
    if made is None:
        price = changes.price_volume(VolumeWish(name="", gib=ask.gib or 0, place=""))
    return VolumeForesight(ask=ask, volume=made, usd_per_month=price)


def _check_free(one: Volume, instances: Collection[str] | None) -> None:
    ident = one.volume_id
    if not one.is_ours:
        raise RefusedError(
            f"{ident} does not bear your owner tag: it is not ours to mount",
            hint="runctl aws ebs list",
        )
    is_taken = one.instance_id is not None and instances is not None
    if is_taken and one.instance_id not in (instances or ()):
        raise ConflictError(
            f"{ident} is attached to {one.instance_id}", hint=f"runctl aws ebs detach {ident}"
        )
    if one.state not in ("available", "in-use"):
        raise ConflictError(f"{ident} is {one.state}", hint=f"runctl aws ebs show {ident}")


def _common_zone(known: Sequence[Volume], place: str | None) -> str | None:
    """Return the zone of all of them; a volume never leaves its own."""
    zone = place
    for one in known:
        if zone is not None and one.place != zone:
            what = "the instance" if zone == place else known[0].volume_id
            raise ConflictError(
                f"{one.volume_id} is in {one.place}, and {what} is in {zone}",
                hint=f"runctl aws ebs show {one.volume_id}",
            )
        zone = one.place
    return zone


def within(wish: InstanceWish, plan: VolumePlan) -> InstanceWish:
    """Return the wish for an instance in the zone of the volumes; ConflictError if it forbids."""
    zone = plan.place
    if zone is None:
        return wish
    if wish.zones and zone not in wish.zones:
        raise ConflictError(
            f"the volumes are in {zone}, and the instance was wanted in {', '.join(wish.zones)}",
            hint="leave out --zone",
        )
    return replaced(wish, zones=(zone,))


def terms_within(terms: Terms, plan: VolumePlan) -> Terms:
    """Return the terms with the offers of the volumes' zone; CapacityError where there is none."""
    if plan.place is None or terms.offers is None:
        return terms
    offers = [one for one in terms.offers if one.place == plan.place]
    if terms.offers and not offers:
        raise CapacityError(
            f"nothing of what would do can be had in {plan.place}, where the volumes are",
            hint="runctl aws ebs list",
        )
    return replace(terms, offers=offers)


def attach_all(
    provider: Provider,
    asks: Sequence[VolumeAsk],
    instance: Instance,
    *,
    stem: str,
    before: Collection[str] = (),
    tell: Tell,
) -> tuple[VolumePlace, ...]:
    """Attach what is wanted to an instance, and make what is to be new; safe to do again.

    ``before``: the instances that had them for the same purpose, and are to let go of them.
    """
    if not asks:
        return ()
    here = instance.instance_id
    plan = look(provider, asks, instances={here, *before}, place=instance.place, stem=stem)
    return tuple(_attach(provider, one, instance, stem, tell) for one in plan.volumes)


def _attach(
    provider: Provider, one: VolumeForesight, instance: Instance, stem: str, tell: Tell
) -> VolumePlace:
    changes, ask = changes_of(provider), one.ask
    volume = one.volume
    if volume is None:
        name = name_of_new(stem, ask)
        wish = VolumeWish(
            name=name, gib=ask.gib or 0, place=str(instance.place), project=instance.project
        )
        volume = changes.create_volume(wish)
        tell(f"made {volume.volume_id} ({name}), {volume.gib} GiB; it stays until it is deleted")
    if volume.instance_id not in (None, instance.instance_id):
        tell(f"moving {volume.volume_id} from {volume.instance_id} to {instance.instance_id}")
        let_go(provider, volume)
    attached = changes.attach_volume(volume.volume_id, instance.instance_id)
    return VolumePlace(
        volume_id=attached.volume_id,
        path=ask.path,
        name=attached.name,
        is_read_only=ask.is_read_only,
    )


def let_go(provider: Provider, volume: Volume) -> Volume:
    """Unmount a volume where its instance answers, and detach it; ConflictError where it is busy.

    What has ended has let go by itself. Nothing is unmounted that is not ours: RefusedError.
    """
    changes_of(provider).check_volume_ours(volume.volume_id)
    ident = volume.instance_id
    if ident is None:
        return volume
    if _await_end(provider, ident) is InstanceState.RUNNING:
        _unmount(provider, volume.volume_id, ident)
    return changes_of(provider).detach_volume(volume.volume_id)


def _await_end(provider: Provider, ident: str) -> InstanceState:
    """Return how an instance is; one that is about to end lets go of its disks once it has."""
    deadline = time.monotonic() + END_S
    while (state := provider.describe(ident).state) is InstanceState.ENDING:
        if time.monotonic() > deadline:
            break
        time.sleep(LOOK_S)
    return state


def check_let_go(provider: Provider, volume: Volume) -> Volume:
    """Return a volume, or raise what its detaching would meet: a process that uses it."""
    found = changes_of(provider).check_volume_ours(volume.volume_id)
    ident = found.instance_id
    if ident is None or provider.describe(ident).state is not InstanceState.RUNNING:
        return found
    users = on_instance(provider, ident, "users", found.volume_id)["users"]
    if isinstance(users, list) and users:
        raise ConflictError(
            f"{found.volume_id} is in use on {ident}: {', '.join(users)}",
            hint=f"runctl ssh {ident} -- ps aux",
        )
    return found


def resize(provider: Provider, volume_id: str, gib: int) -> tuple[Volume, str | None]:
    """Make a volume larger, and the file system on it, where an instance has it.

    Return it, and why the file system is as large as before, if so.
    """
    found = changes_of(provider).resize_volume(volume_id, gib)
    ident = found.instance_id
    if ident is None or provider.describe(ident).state is not InstanceState.RUNNING:
        return found, "no instance has it"
    problem = on_instance(provider, ident, "grow", volume_id)["problem"]
    return found, None if problem is None else str(problem)


def release(provider: Provider, run: Run, tell: Tell) -> None:
    """Detach what the last attempt had mounted, from an instance that stays after the run.

    What was mounted there before, or is in use, stays, and is told.
    """
    if run.last is None or not run.is_over:
        return
    for one in run.last.mounts:
        volume = changes_of(provider).describe_volume(one.volume_id)
        if one.was_mounted or volume.instance_id != run.last.instance:
            continue
        try:
            let_go(provider, volume)
        except RunctlError as error:
            tell(f"{one.volume_id} stays attached: {error.message}")


def _unmount(provider: Provider, volume_id: str, ident: str) -> None:
    try:
        on_instance(provider, ident, "unmount", volume_id)
    except TransportError:
        return  # it does not answer: whether the disk is in use, its detaching tells


def mount_all(
    session: Session, provider: Provider, asks: Sequence[VolumeAsk], instance: Instance, tell: Tell
) -> None:
    """Attach what is wanted and mount it, where no run does it; safe to do again."""
    stem = instance.instance_id
    for place in attach_all(provider, asks, instance, stem=stem, tell=tell):
        told = _mount(session, provider, stem, place)
        made = ", with a new file system" if told["was_formatted"] else ""
        tell(f"{place.volume_id} is mounted at {place.path}{made}")


def _mount(
    session: Session, provider: Provider, ident: str, place: VolumePlace
) -> dict[str, object]:
    """Mount an attached volume, as the agent of a run would; return what the instance told."""
    mode = "ro" if place.is_read_only else "rw"
    words = ("mount", place.volume_id, place.path, mode, place.name or place.volume_id)
    done = _ask(provider, ident, *words)
    if done.status == NO_PYTHON:
        check_ledger(session)  # the parts pass through its bucket
        objects = cast(LinkedObjects, session.ledger.objects)
        bring(provider.connect(ident), objects, session.cache_dir, session.environ)
        done = _ask(provider, ident, *words)
    return _read(done, ident)


def on_instance(provider: Provider, instance_id: str, *words: str) -> dict[str, object]:
    """Have ``volume_root`` do something as root; ConflictError where it refuses."""
    return _read(_ask(provider, instance_id, *words), instance_id)


def _ask(provider: Provider, instance_id: str, *words: str) -> Completed:
    """Have ``volume_root`` do something as root, with any Python that is there."""
    script = resources.files("runctl.agent").joinpath("volume_root.py").read_bytes()
    return provider.connect(instance_id).exec(
        ["sh", "-c", _AS_ROOT, "volumes", *words], stdin=script
    )


def _read(done: Completed, instance_id: str) -> dict[str, object]:
    """Return the answer; ConflictError where it is a refusal."""
    if done.status == REFUSED:
        told = json.loads(done.stdout)["error"]
        raise ConflictError(f"{instance_id}: {told}", hint=f"runctl aws status {instance_id}")
    if done.status:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or [str(done.status)]
        raise TransportError(
            f"{instance_id} could not change its mounts: {lines[-1]}",
            hint=f"runctl ssh {instance_id} -- findmnt",
        )
    answer: dict[str, object] = json.loads(done.stdout)
    return answer
