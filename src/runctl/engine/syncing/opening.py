"""A mirror for a project and an instance, as the user asked for it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from runctl.engine.concerns import require_acceptance
from runctl.engine.session import Session
from runctl.engine.syncing.moving import Mirror, Place
from runctl.engine.travel import choose_files
from runctl.model.terms import Accept
from runctl.model.travel import Concerns, TravelRequest
from runctl.project import ProjectRoot, Selection


def open_mirror(
    session: Session, place: Place, root: ProjectRoot, request: TravelRequest, accept: Accept
) -> Mirror:
    """Return what holds the folder of a place to a project; nothing is sent yet."""
    return Mirror(
        place=place,
        project=root.path,
        cache=session.cache_dir,
        choose=partial(choose_files, session, root, request.include, request.exclude),
        approve=_Approval(session, place.instance_id, accept),
    )


class _Approval:
    """Asks about what is to be sent, and about no file twice."""

    def __init__(self, session: Session, destination: str, accept: Accept) -> None:
        self._session, self._destination, self._accept = session, destination, accept
        self._accepted: set[str] = set()

    def __call__(self, selection: Selection, paths: Sequence[str]) -> None:
        new = {*paths} - self._accepted
        if not new:
            return
        entries = tuple(one for one in selection.entries if one.path in new)
        part = msgspec.structs.replace(selection, entries=entries)
        require_acceptance(self._session, part, self._note, destination=self._destination)

    def _note(self, concerns: Concerns) -> bool:
        is_accepted = self._accept(concerns)
        if is_accepted:
            self._accepted.update(one.path for one in concerns.suspects)
        return is_accepted


def default_folder(root: ProjectRoot) -> str:
    """Return where a project goes unless a folder is named: in the login user's home."""
    return f"~/{root.path.name}"
