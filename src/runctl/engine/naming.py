"""Which instance is meant: by its id, or by the name that it bears."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from runctl.errors import AmbiguousInstance, NotFoundError
from runctl.model.instance import GONE, Instance
from runctl.providers.api import Provider

SHOWN = 5


def find_instance(provider: Provider, reference: str) -> Instance:
    """Return the instance that is meant: any by its id, one of ours by its name as well.

    Of instances that have ended, a name means the one that was launched last, and only where
    none that lives bears it. Raises NotFoundError, with a near name, or AmbiguousInstance.
    """
    try:
        return provider.describe(reference)
    except NotFoundError as error:
        ours = provider.find()
        named = [one for one in ours if one.name == reference]
        if not named:
            raise _not_found(error, reference, ours) from error
    return _choose(reference, named)


def _choose(reference: str, named: Sequence[Instance]) -> Instance:
    living = [one for one in named if one.state not in GONE]
    if len(living) > 1:
        idents = sorted(one.instance_id for one in living)
        shown = ", ".join(idents[:SHOWN]) + (", …" if len(idents) > SHOWN else "")
        raise AmbiguousInstance(
            f"{len(idents)} instances bear the name {reference!r}: {shown}",
            hint="name it by its id; runctl aws list",
            instances=idents,
        )
    return living[0] if living else max(named, key=_launched)


def _launched(one: Instance) -> tuple[bool, str]:
    return (one.launched_at is not None, one.launched_at.isoformat() if one.launched_at else "")


def _not_found(error: NotFoundError, reference: str, ours: Sequence[Instance]) -> NotFoundError:
    known = {one.name for one in ours if one.name and one.state not in GONE}
    near = difflib.get_close_matches(reference, sorted(known), n=1)
    meant = f", and none of yours bears that name; is {near[0]!r} meant?" if near else ""
    return NotFoundError(error.message + meant, hint=error.hint, **error.details)
