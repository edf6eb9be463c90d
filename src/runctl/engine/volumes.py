"""Which volume is meant, and where one would be made."""

from __future__ import annotations

from runctl.errors import ConflictError, NotFoundError
from runctl.model.instance import Volume
from runctl.providers.api import Provider, SupportsVolumeChanges


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
