"""Which volume or snapshot is meant, and which of them are forgotten."""

from __future__ import annotations

from runctl.errors import ConflictError, NotFoundError
from runctl.model.instance import Volume
from runctl.model.volume import Snapshot
from runctl.providers.api import Provider, SupportsSnapshots, SupportsVolumeChanges


def changes_of(provider: Provider) -> SupportsVolumeChanges:
    """Return what makes and moves the volumes of a provider, or raise ConflictError."""
    if isinstance(provider, SupportsVolumeChanges):
        return provider
    raise ConflictError(f"{provider.name} has no volumes", hint="runctl aws ebs --help")


def find_volume(provider: Provider, reference: str) -> Volume:
    """Return the volume that is meant: any by its id, one of ours by its name as well."""
    ours = changes_of(provider)
    if reference.startswith("vol-"):
        return ours.describe_volume(reference)
    named = [one for one in ours.our_volumes() if one.name == reference]
    if not named:
        raise NotFoundError(
            f"no volume of yours is called {reference!r}", hint="runctl aws ebs list"
        )
    if len(named) > 1:
        idents = ", ".join(sorted(one.volume_id for one in named))
        raise ConflictError(
            f"{len(named)} volumes bear the name {reference!r}: {idents}",
            hint=f"runctl aws ebs show {named[0].volume_id}",
        )
    return named[0]


def snapshots_of(provider: Provider) -> SupportsSnapshots:
    """Return what makes and deletes the snapshots of a provider, or raise ConflictError."""
    if isinstance(provider, SupportsSnapshots):
        return provider
    raise ConflictError(f"{provider.name} has no snapshots", hint="runctl aws ebs --help")


def find_snapshot(provider: Provider, reference: str) -> Snapshot:
    """Return the snapshot that is meant: any by its id, one of ours by its name as well."""
    ours = snapshots_of(provider)
    if reference.startswith("snap-"):
        return ours.describe_snapshot(reference)
    named = [one for one in ours.our_snapshots() if one.name == reference]
    if not named:
        raise NotFoundError(
            f"no snapshot of yours is called {reference!r}", hint="runctl aws ebs snapshot-list"
        )
    return max(named, key=lambda one: one.started_at)


def forgotten_snapshots(provider: Provider) -> list[Snapshot]:
    """Return our snapshots of volumes that are gone: they cost all the same."""
    if not isinstance(provider, SupportsSnapshots):
        return []
    found = list(provider.our_snapshots())
    if not found:
        return []
    living = {one.volume_id for one in changes_of(provider).our_volumes()}
    return [one for one in found if one.volume_id not in living]
