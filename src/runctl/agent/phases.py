"""The phases before the command: volumes, code, environment or image, data.

Each can be done again.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from runctl.agent.confidential import of_installer
from runctl.agent.environment import Prepared, Settings, prepare
from runctl.agent.environment.contents import find_replaced, read_cuda
from runctl.agent.environment.settings import Staged
from runctl.agent.faults import print_fault
from runctl.agent.folder import AttemptFolder
from runctl.agent.journal import Journal
from runctl.agent.ledger_access import access_of
from runctl.agent.link import ReaperLink
from runctl.agent.orders import Orders
from runctl.agent.pack_cache import PackCache
from runctl.agent.plan import Plan
from runctl.agent.reaper import read_json
from runctl.agent.wheels import WHEELS, fetch_wheels
from runctl.errors import IntegrityError, PhaseFailed, RunctlError, SnapshotMismatch
from runctl.model.codec import escape_name, unescape_name
from runctl.model.events import (
    EnvironmentReady,
    ImageReady,
    Phase,
    PhaseFinished,
    PhaseStarted,
    ResumeChosen,
    VolumeMounted,
    Warned,
)
from runctl.model.spec import ContainerWish, EnvironmentWish, Spec
from runctl.model.volume import VolumePlace
from runctl.store.blobs import Blobs
from runctl.store.checkpoints import Checkpoints, Choice, fetch_newest, label_of
from runctl.store.ledger import Ledger
from runctl.store.snapshot import Snapshot, break_seal, read_snapshot, unpack_snapshot

if TYPE_CHECKING:
    from runctl.store.s3 import BucketAccess

QUEUE_POLL_S = 0.2


class Halted(Exception):
    """An order to end came before the command was started."""


class Phases:
    """Runs the phases of one attempt; each leaves what the next one needs on the disk."""

    def __init__(
        self,
        plan: Plan,
        spec: Spec,
        folder: AttemptFolder,
        ledger: Ledger,
        journal: Journal,
        orders: Orders,
        blobs: Blobs,
    ) -> None:
        self._plan = plan
        self._spec = spec
        self._folder = folder
        self._ledger = ledger
        self._journal = journal
        self._orders = orders
        self._blobs = blobs
        self.current: Phase | None = None

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[dict[str, str]]:
        """Tell the ledger of a phase and what it took; an error in it becomes the phase's own."""
        self.current = phase
        self._journal.append(PhaseStarted(phase=phase))
        began, notes = time.monotonic(), dict[str, str]()
        try:
            yield notes
        except Exception as error:  # a fault of ours must end the run by name, not in a loop
            print_fault()
            if self._orders.is_given() and phase is not Phase.RUNNING:
                raise Halted from error
            raise _failed(phase, error) from error
        seconds = time.monotonic() - began
        self._journal.append(PhaseFinished(phase=phase, seconds=seconds, notes=notes))

    def check_halted(self) -> None:
        if self._orders.is_given():
            raise Halted

    def wait_for_turn(self, link: ReaperLink) -> None:
        """Wait until the reaper has the locks: at once, unless the run was queued."""
        link.wait(QUEUE_POLL_S)
        if link.has_said("locked") or link.is_gone:
            return
        with self.phase(Phase.QUEUE):
            while not link.has_said("locked") and not link.is_gone:
                self.check_halted()
                link.wait(QUEUE_POLL_S)

    def mount_volumes(self, places: Sequence[VolumePlace]) -> None:
        """Mount what was attached for this attempt, and tell of it."""
        if not places:
            return
        self.check_halted()
        from runctl.agent.volumes import mount_volume  # noqa: PLC0415 - few runs have any

        bodies = self._journal.bodies
        known = {one.volume_id for one in bodies if isinstance(one, VolumeMounted)}
        with self.phase(Phase.VOLUMES):
            for place in places:
                mounted = mount_volume(place)  # again, where an agent that was killed has done it
                if place.volume_id not in known:
                    self._journal.append(mounted)

    def bring_code(self) -> None:
        """Unpack the snapshot beside its place, verified file by file; then move it there."""
        self.check_halted()
        with self.phase(Phase.CODE) as notes:
            notes["snapshot"] = self._spec.code.snapshot
            if self._folder.code.exists():
                return
            part = self._folder.code.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            self._unpack_code(part)
            part.replace(self._folder.code)

    def _unpack_code(self, part: Path) -> None:
        code = self._spec.code
        try:
            snapshot = read_snapshot(self._blobs, code.record)
            if snapshot.root != code.snapshot:
                raise SnapshotMismatch("the record in the store is of other code than the run's")
            self._unpack_packs(snapshot, part)
        except IntegrityError:
            break_seal(self._blobs, code.record)
            raise

    def _unpack_packs(self, snapshot: Snapshot, part: Path) -> None:
        """Unpack from what this instance has, where the store is not on this very machine."""
        if self._plan.bucket is None:
            unpack_snapshot(self._blobs, snapshot, part)
            return
        cache = PackCache(Path(self._plan.instance_root) / "packs", self._blobs)
        unpack_snapshot(cache, snapshot, part)
        cache.trim()

    def prepare_environment(self, on_output: Callable[[bytes], None]) -> Prepared:
        self.check_halted()
        with self.phase(Phase.ENVIRONMENT) as notes:
            prepared = prepare(
                self._folder.code,
                self._folder.code / unescape_name(self._spec.command.script),
                self._settings(),
                envs_root=self._plan.envs_root,
                base_python=Path(self._plan.base_python),
                on_output=on_output,
                is_cancelled=self._orders.is_given,
                environ={**os.environ, **self._variables_of_installer()},
            )
            notes["cached"] = str(prepared.is_cached).lower()
            ready = _environment_ready(prepared)
            self._journal.append(ready)
            if ready.replaced:
                told = ", ".join(f"{name} {ready.packages[name]}" for name in ready.replaced)
                message = f"other versions than the image's own were installed: {told}"
                self._journal.append(Warned(code="environment", message=message))
        return prepared

    def bring_image(self, wish: ContainerWish, on_output: Callable[[bytes], None]) -> ImageReady:
        """Pull the image unless it is there: that of the first attempt, once that is known."""
        self.check_halted()
        with self.phase(Phase.IMAGE) as notes:
            from runctl.agent.containers.image import bring_image  # noqa: PLC0415 - few need it

            ready = bring_image(wish, self._image_of_before(), on_output, self._orders.is_given)
            notes.update(image=ready.pinned, cached=str(ready.is_present).lower())
            self._journal.append(ready)
        return ready

    def _image_of_before(self) -> str | None:
        earlier = self._ledger.load(self._spec.run_id).attempts[: self._plan.attempt - 1]
        return next((one.image.pinned for one in earlier if one.image is not None), None)

    def _settings(self) -> Settings:
        settings = settings_of(self._spec.environment, self._plan.attempt)
        if self._plan.wheels is None:
            return settings
        staged = Staged(self._plan.envs_root / WHEELS, self._plan.wheels)
        fetch_wheels(staged, self._blobs)
        return replace(settings, staged=staged)

    def _variables_of_installer(self) -> dict[str, str]:
        return of_installer(read_json(str(self._folder.secrets)) or {})

    def bring_data(self, checkpoints: Checkpoints) -> Path | None:
        """Bring the data, and the checkpoint to start from, if there is one; return its place."""
        self.check_halted()
        claim = self._ledger.claims(self._spec.run_id)[self._plan.attempt - 1]
        is_fresh = claim.resume_from is None and not checkpoints.keys()
        if is_fresh and not self._spec.data:
            return None
        with self.phase(Phase.DATA) as notes:
            notes.update(self._fetch_data())
            return None if is_fresh else self._choose_resume(checkpoints, claim.resume_from)

    def _fetch_data(self) -> dict[str, str]:
        if not self._spec.data:
            return {}
        from runctl.agent.data import bring_data  # noqa: PLC0415 - few runs read from S3

        cache = Path(self._plan.instance_root) / "data"
        return bring_data(self._spec.data, self._access, cache, self._folder.data).notes()

    def _access(self, url: str) -> BucketAccess:
        return access_of(self._plan.reach(url))

    def _choose_resume(self, checkpoints: Checkpoints, wanted: str | None) -> Path:
        """Fetch the wanted checkpoint, or the newest that verifies."""
        choice = self._choose(checkpoints, wanted)
        manifest = choice.manifest
        self._journal.append(
            ResumeChosen(
                checkpoint=label_of(manifest.key) if manifest else None,
                step=manifest.summary.step if manifest else None,
                passed_over={label_of(key): why for key, why in choice.passed_over.items()},
            )
        )
        if manifest is None or choice.path is None:
            raise IntegrityError(
                f"none of the {len(choice.passed_over)} committed checkpoints verifies",
                hint=f"runctl checkpoint verify {self._spec.run_id} --deep",
            )
        return choice.path

    def _choose(self, checkpoints: Checkpoints, wanted: str | None) -> Choice:
        if wanted is None:
            return fetch_newest(checkpoints, self._folder.resume)
        manifest = checkpoints.read(wanted)
        return Choice(manifest, checkpoints.fetch(manifest, self._folder.resume), {})


def settings_of(wish: EnvironmentWish, attempt: int = 1) -> Settings:
    """What is wanted of the environment; a later attempt takes what the first has made anew."""
    return Settings(
        install=wish.install,
        installer=wish.installer,  # type: ignore[arg-type]
        python=wish.python,
        requirements=wish.requirements,
        extras=wish.extras,
        groups=wish.groups,
        system_site_packages=wish.system_site_packages,
        no_deps=wish.no_deps,
        is_fresh=wish.is_fresh and attempt == 1,
    )


def _environment_ready(prepared: Prepared) -> EnvironmentReady:
    return EnvironmentReady(
        python=escape_name(str(prepared.python)),
        source=prepared.source,
        key=prepared.key,
        lock_hash=prepared.lock_hash,
        is_cached=prepared.is_cached,
        packages={**prepared.image, **prepared.packages},
        python_version=prepared.python_version,
        installer=prepared.installer,
        hashes=prepared.hashes,
        replaced=find_replaced(prepared.image, prepared.packages),
        cuda=read_cuda(),
    )


def _failed(phase: Phase, error: Exception) -> PhaseFailed:
    hint = error.hint if isinstance(error, RunctlError) else None
    message = f"phase {phase.value} failed: {_explain(error)}"
    return PhaseFailed(message, hint=hint, phase=phase.value)


def _explain(error: Exception) -> str:
    if isinstance(error, RunctlError):
        return error.message
    if isinstance(error, OSError):
        return f"{error.strerror or error}: {error.filename}" if error.filename else str(error)
    return f"{type(error).__name__}: {error}"
