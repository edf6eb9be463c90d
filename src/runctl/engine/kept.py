"""Code that is not sent again: that of the last run of a project on the same instance."""

from __future__ import annotations

import difflib
import shlex

from runctl.engine.changes import specs_of
from runctl.engine.concerns import concerns_of
from runctl.engine.naming import find_instance
from runctl.engine.session import Session
from runctl.errors import NotFoundError, ScriptNotFound
from runctl.model.spec import Spec
from runctl.model.travel import TravelPlan
from runctl.project import ProjectRoot, Selection
from runctl.store.blobs import Blobs
from runctl.store.snapshot import FolderEntry, read_leaves

LOOKED_THROUGH = 300


def find_kept(session: Session, root: ProjectRoot, target: str) -> Spec:
    """Return the last run of this project on the instance that the target names.

    Raises NotFoundError where there is none among the newest runs, ScriptNotFound where its
    code does not hold the script. Nothing is read of the project's files here.
    """
    provider, named = session.provider(target.partition(":")[0]), target.partition(":")[2]
    ident = find_instance(provider, named).instance_id if named else None
    for spec in specs_of(session, root.path, LOOKED_THROUGH):
        claims = session.ledger.claims(spec.run_id)
        if ident is None or any(claim.instance == ident for claim in claims):
            _check_script(session, root, spec)
            return spec
    raise NotFoundError(
        f"no run of {root.path} has brought its code to {ident or target} yet",
        hint=f"let this one bring it: {_sending(root, named)}",
    )


def plan_kept(session: Session, root: ProjectRoot, kept: Spec) -> TravelPlan:
    """Say what is used in place of the files here."""
    nothing = Selection(root.path, (), (), ())
    return TravelPlan(
        project_root=str(root.path),
        root_reason=root.reason,
        file_count=kept.code.file_count,
        total_bytes=kept.code.total_bytes,
        files=(),
        stays=(),
        largest=(),
        explained=(),
        changes=None,
        concerns=concerns_of(session, nothing),
        notes=session.config.notes,
    )


def _check_script(session: Session, root: ProjectRoot, spec: Spec) -> None:
    blobs = Blobs(session.ledger.objects, session.clock)
    leaves = read_leaves(blobs, spec.code.record)
    files = [path for path, one in leaves.items() if not isinstance(one, FolderEntry)]
    if root.script in files:
        return
    near = difflib.get_close_matches(root.script, files, n=1)
    raise ScriptNotFound(
        f"the code of run {spec.name} holds no script {root.script}"
        + (f"; is {near[0]} meant?" if near else ""),
        hint=f"send the code of now: {_sending(root, spec.target.partition(':')[2])}",
        script=root.script,
    )


def _sending(root: ProjectRoot, named: str) -> str:
    command = ["runctl", "aws", "train", named] if named else ["runctl", "local"]
    return shlex.join([*command, root.script])
