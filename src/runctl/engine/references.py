"""Which run is meant: an id, a unique prefix, a name, or ``@last``."""

from __future__ import annotations

import difflib

from runctl.engine.catalog import Catalog
from runctl.engine.session import Session
from runctl.errors import AmbiguousRun, RunNotFound
from runctl.model.ids import is_run_id

LAST = "@last"
SHOWN = 5


def find_run(session: Session, reference: str) -> str:
    """Return the id of the run that is meant.

    Raises RunNotFound, with near names, or AmbiguousRun, naming the candidates. Of several
    runs that bear one name, the newest is meant.
    """
    with Catalog(session.ledger, session.cache_dir) as catalog:
        ids = catalog.run_ids()
        if reference == LAST and (last := next(filter(session.ledger.has_spec, ids), None)):
            return last
        if reference == LAST:
            raise RunNotFound("there are no runs yet", hint="runctl train SCRIPT", run=reference)
        if is_run_id(reference) and reference in set(ids):
            return reference
        found = [run_id for run_id in ids if reference and run_id.startswith(reference)]
        if len(found) == 1:
            return found[0]
        return _find_named(catalog, reference, found)


def _find_named(catalog: Catalog, reference: str, found: list[str]) -> str:
    names: set[str] = set()
    for summary in catalog.summaries():
        if summary.name == reference:
            return summary.run_id
        names.add(summary.name)
    if found:
        shown = ", ".join(found[:SHOWN])
        raise AmbiguousRun(
            f"{reference!r} begins {len(found)} run ids: {shown}", hint="runctl runs", runs=found
        )
    near = difflib.get_close_matches(reference, names, n=1)
    raise RunNotFound(
        f"there is no run {reference!r}"
        + (f"; is {near[0]!r} meant?" if near else "")
        + "".join(f"; run {each} cannot be read, and may be meant" for each in catalog.damaged),
        hint="runctl runs",
        run=reference,
    )
