"""The client, which puts all together and gives it to commands and programs.

client = runctl.Client()
run = client.train(LaunchRequest(script="train.py"))
run = client.wait(run.run_id)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from runctl.client.workplace import Workplace
from runctl.errors import ConfigError, RunctlError
from runctl.model.losses import Losses
from runctl.model.run import Run, State
from runctl.model.views import (
    CheckpointDetail,
    CheckpointPlace,
    CheckpointView,
    CleanupItem,
    Difference,
    DueRun,
    LaunchPlan,
    LaunchRequest,
    LocalCheckpoint,
    LogData,
    PulledOutputs,
    Removed,
    RunSummary,
    Update,
)

# Imported where they are used: a command pays only for what it does.
if TYPE_CHECKING:
    from runctl.client.aws_setup import AwsSetup
    from runctl.client.carriage import Carriage
    from runctl.client.docker_images import DockerImages
    from runctl.client.instances import Instances
    from runctl.client.machine import Machine
    from runctl.client.snapshots import Snapshots
    from runctl.client.storage import Storage
    from runctl.client.volumes import Volumes
    from runctl.config import ConfigFile, Setting
    from runctl.engine.preparing import Prepared
    from runctl.engine.rehearsal import Rehearsal
    from runctl.engine.renting.intents import Intent
    from runctl.engine.session import Session
    from runctl.model.instance import Instance
    from runctl.model.reach import Reach
    from runctl.model.terms import NextAttempt, Terms
    from runctl.model.travel import TravelPlan, TravelRequest
    from runctl.model.wish import InstanceWish


class Client(Workplace):
    """One user's view of runs. Methods raise the errors of ``runctl.errors``, and no others.

    ``settings`` are configuration keys such as ``{"run.retries": 3}``: the strongest source.
    A run is named by id, unique prefix, name, or ``@last``.
    """

    def __init__(
        self,
        settings: Mapping[str, object] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        super().__init__(settings, environ, cwd)
        self._intents: dict[str, Intent] = {}

    # -- launching

    def plan(self, request: LaunchRequest) -> LaunchPlan:
        """Say what ``train`` would do; nothing is written."""
        from runctl.engine import launch  # noqa: PLC0415

        return launch.describe(*self._prepare(request), self._cwd)

    def plan_travel(self, request: TravelRequest) -> TravelPlan:
        """Say what of the project here would travel, and why; nothing is written."""
        from runctl.engine import travel  # noqa: PLC0415

        root = travel.locate_project(self._cwd, request.project_root)
        session = self._session_for(root.path)
        selection = travel.choose_files(session, root, request.include, request.exclude)
        return travel.plan_travel(session, root, selection, request.explain, self._cwd)

    def train(self, request: LaunchRequest, terms: Terms | None = None) -> Run:
        """Launch a run, or adopt the active one of the same name; return once it has started.

        With a ``wish`` an instance is rented, as the terms say. What looks like a secret, or is
        much, is sent only if the terms accept it. Until ``settle`` is called, or the run is over,
        the same request of a later process is taken for this one, typed again.
        """
        from runctl.engine.launch import launch  # noqa: PLC0415
        from runctl.model.terms import Terms  # noqa: PLC0415

        launched = launch(*self._prepare(self._with_data(request)), terms or Terms())
        if launched.intent is not None:
            self._intents[launched.run.run_id] = launched.intent
        return launched.run

    def _with_data(self, request: LaunchRequest) -> LaunchRequest:
        """Send what the run is to read and is here only."""
        if not request.data:
            return request
        from msgspec.structs import replace  # noqa: PLC0415

        from runctl.client.data import send_data  # noqa: PLC0415

        root = self._session.ledger.objects.url
        sent = (send_data(self.storage(), root, self._cwd, one) for one in request.data)
        return replace(request, data=tuple(sent))

    def see_end(self, run: Run) -> Instance | None:
        """Return the instance that a run was to end, once it has ended; None if it stays.

        What was not rented for the run stays, and so does what may hold work of a lost one.
        """
        from runctl.engine.guarding import look  # noqa: PLC0415
        from runctl.engine.renting.attempts import due_to_end, see_end  # noqa: PLC0415
        from runctl.engine.session import provider_of  # noqa: PLC0415

        ident, session = due_to_end(run), self._session
        if ident is None:
            return None

        def is_in_use(instance: Instance) -> bool:
            seen = look(session, [instance])  # what cannot be known is a reason to leave it
            return bool(seen.runs.get(ident) or seen.problems.get(ident))

        return see_end(provider_of(session, run.spec), ident, is_in_use)

    def settle(self, run_id: str) -> None:
        """Take in that the user knows of a run: the same request is a new one from now on."""
        intent = self._intents.pop(run_id, None)
        if intent is not None:
            intent.settle()

    def is_to_rent(self, target: str | None = None) -> bool:
        """Tell whether a target, or that of the settings, means an instance to be rented."""
        from runctl.engine.placing import is_to_rent  # noqa: PLC0415

        return is_to_rent(self._session, target or self.config.values.run.on)

    def _prepare(self, request: LaunchRequest) -> tuple[Prepared, Session]:
        from runctl.engine.preparing import locate, prepare  # noqa: PLC0415

        root = locate(request, self._cwd)
        session = self._session_for(root.path)
        return prepare(request, root, session, self._cwd), session

    # -- looking

    def runs(
        self,
        *,
        states: Sequence[State] = (),
        name: str | None = None,
        newer_than: timedelta | None = None,
        limit: int | None = None,
        on_damaged: Callable[[str, Exception], None] | None = None,
    ) -> list[RunSummary]:
        """Return runs, newest first; ``name`` is a part of the name, or a glob.

        A run whose records cannot be read is left out, and told to ``on_damaged`` by its id and
        the error; without one the first such error is raised.
        """
        from runctl.engine.listing import list_runs  # noqa: PLC0415

        return list_runs(
            self._session,
            states=states,
            name=name,
            newer_than=newer_than,
            limit=limit,
            on_damaged=on_damaged or _raise,
        )

    def find(self, reference: str) -> str:
        """Return the id of the run that is meant, or raise RunNotFound or AmbiguousRun."""
        from runctl.engine.references import find_run  # noqa: PLC0415

        return find_run(self._session, reference)

    def status(self, reference: str) -> Run:
        """Return the run as it stands; one whose processes are gone is judged lost."""
        from runctl.engine.outcome import judge  # noqa: PLC0415

        return judge(self._session, self.find(reference))

    def losses(self, run: Run) -> Losses:
        """Return what a run has lost: the steps that are done again, their time, their price."""
        from runctl.engine.losses import find_losses  # noqa: PLC0415

        return find_losses(self._session, run)

    def failure_of(self, run: Run) -> RunctlError | None:
        """Return the error that a finished run amounts to; None for success."""
        from runctl.engine.outcome import failure_of  # noqa: PLC0415

        return failure_of(run)

    def follow(
        self,
        reference: str,
        *,
        is_owner: bool = False,
        attempt: int = 1,
        since: datetime | None = None,
        timeout: timedelta | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> Iterator[Update]:
        """Yield events and log as they come, from the start of an attempt, until the run is over.

        ``is_owner``: who launched it also revives an attempt whose processes were killed, and
        rents again where the instance is gone and retries are left; ``tell`` hears of that.
        ``since`` leaves out older parts of the log. TryAgain where only the waiting has ended.
        """
        from runctl.engine.follow import Follower  # noqa: PLC0415
        from runctl.engine.relaunching import relaunch  # noqa: PLC0415

        say = tell or (lambda _sentence: None)
        go_on = (lambda run_id: relaunch(self._session, run_id, say)) if is_owner else None
        return Follower(
            self._session,
            self.find(reference),
            is_owner=is_owner,
            attempt=attempt,
            since=since,
            timeout=timeout,
            go_on=go_on,
        ).updates()

    def logs(
        self, reference: str, *, attempt: int | None = None, since: datetime | None = None
    ) -> Iterator[LogData]:
        """Yield what is there of the log of one attempt, the last unless said."""
        from runctl.engine.follow import read_log  # noqa: PLC0415

        run = self._session.ledger.load(self.find(reference))
        return read_log(self._session, run, attempt or max(1, len(run.attempts)), since)

    def wait(self, reference: str, timeout: timedelta | None = None) -> Run:
        """Return the run once it is over; TryAgain where only the waiting has ended."""
        from runctl.engine.follow import wait  # noqa: PLC0415

        return wait(self._session, self.find(reference), timeout)

    def diff(self, left: str, right: str) -> list[Difference]:
        """Return in what two runs differ."""
        from runctl.engine.compare import compare  # noqa: PLC0415

        ledger = self._session.ledger
        runs = [ledger.load(self.find(reference)) for reference in (left, right)]
        return compare(self._session, *runs)

    # -- changing

    def stop(
        self, reference: str, *, is_now: bool = False, timeout: timedelta | None = None
    ) -> Run:
        """Stop a run: SIGTERM, grace, SIGKILL; ``is_now``: SIGKILL at once."""
        from runctl.engine.control import stop  # noqa: PLC0415

        return stop(self._session, self.find(reference), is_now=is_now, timeout=timeout)

    def resume(
        self, reference: str, wanted: NextAttempt | None = None, terms: Terms | None = None
    ) -> Run:
        """Start the next attempt of a run that did not succeed, from a committed checkpoint.

        It goes on where it was, unless something else is wanted. Where an instance is to be
        rented, the terms say how.
        """
        from runctl.engine.resuming import resume  # noqa: PLC0415
        from runctl.model.terms import NextAttempt, Terms  # noqa: PLC0415

        run_id = self.find(reference)
        return resume(self._session, run_id, wanted or NextAttempt(), terms or Terms())

    def due_runs(self, on_damaged: Callable[[str, Exception], None] | None = None) -> list[DueRun]:
        """Return your runs whose next attempt is due, and which nobody on their instance starts."""
        from runctl.engine.due import find_due  # noqa: PLC0415

        return find_due(self._session, on_damaged or _raise)

    def relaunch(self, reference: str, tell: Callable[[str], None] | None = None) -> Run | None:
        """Rent again for a run, and start its next attempt, where that is due; None where not."""
        from runctl.engine.relaunching import relaunch  # noqa: PLC0415

        return relaunch(self._session, self.find(reference), tell or (lambda _sentence: None))

    def wish_of_next(self, reference: str, on: str | None = None) -> InstanceWish | None:
        """Return what a resume would have to rent; None if there is an instance for it."""
        from runctl.engine.resuming import wish_of_next  # noqa: PLC0415

        return wish_of_next(self._session, self.find(reference), on)

    def remove(self, reference: str) -> Removed:
        """Delete a run that is over, with all it has stored."""
        from runctl.engine.control import remove  # noqa: PLC0415

        return remove(self._session, self.find(reference))

    def finish_removals(self) -> None:
        """Delete what is left of runs whose removal was cut short."""
        from runctl.engine.control import finish_removals  # noqa: PLC0415

        finish_removals(self._session)

    def exec(self, reference: str, argv: Sequence[str]) -> int:
        """Run a command beside the training, in its folder and environment; return its status."""
        from runctl.engine.execution import execute  # noqa: PLC0415

        return execute(self._session, self.find(reference), argv)

    def outputs(
        self,
        reference: str,
        folder: Path | None = None,
        *,
        only: Sequence[str] = (),
        is_dry_run: bool = False,
    ) -> PulledOutputs:
        """Bring the outputs of a run into a folder, verified; one named after the run unless given.

        ``only``: files, folders and globs among them. What is there is never replaced:
        ConflictError, unless it is the very same.
        """
        from runctl.engine.pulling import pull  # noqa: PLC0415

        return pull(self._session, self.find(reference), folder, only, is_dry_run=is_dry_run)

    # -- checkpoints: ``target`` is a run, or a folder on this machine

    def checkpoints(self, target: str) -> list[CheckpointView]:
        """Return the checkpoints, oldest first; of a run, those that are committed and count."""
        from runctl.engine.checkpoints import open_source  # noqa: PLC0415

        return open_source(self._session, self._cwd, target).views()

    def checkpoint(self, target: str, which: str = "latest") -> CheckpointDetail:
        """Describe one checkpoint, without executing anything that it holds."""
        from runctl.engine.checkpoints import open_source  # noqa: PLC0415

        return open_source(self._session, self._cwd, target).describe(which)

    def verify_checkpoints(
        self, target: str, which: str | None = None, *, is_deep: bool = False
    ) -> list[CheckpointView]:
        """Verify one checkpoint, or all; a bad one is in the answer, with the reason."""
        from runctl.engine.checkpoints import open_source  # noqa: PLC0415

        return open_source(self._session, self._cwd, target).verify(which, is_deep=is_deep)

    def checkpoint_place(self, target: str) -> CheckpointPlace:
        """Say whether ``target`` is a run or a path on this machine, with what is to be noted."""
        from runctl.engine.checkpoints import open_source  # noqa: PLC0415

        return open_source(self._session, self._cwd, target).place

    def download_checkpoint(
        self, reference: str, which: str, folder: str | Path
    ) -> LocalCheckpoint:
        """Bring a checkpoint of a run into a folder, verified before it has its name there.

        ``latest`` falls back past those that are not whole. What is there is never replaced:
        ConflictError, unless it is the very same.
        """
        from runctl.engine.checkpoints import open_source  # noqa: PLC0415

        source = open_source(self._session, self._cwd, reference)
        return source.fetch(which, self._cwd / folder)

    def choose_checkpoint(self, folder: str, which: str | None = None) -> LocalCheckpoint:
        """Return the newest whole checkpoint in a folder, or the wanted: for ``resume_from``."""
        from runctl.engine.checkpoints import open_folder  # noqa: PLC0415

        return open_folder(self._session, self._cwd, folder).choose(which)

    def clean_checkpoints(
        self,
        target: str,
        *,
        keep_last: int,
        best: str | None = None,
        is_maximised: bool | None = None,
        only: Collection[str] | None = None,
        is_dry_run: bool = False,
    ) -> list[CleanupItem]:
        """Delete all but the last N and the best by a metric; one in use is never deleted.

        ``is_maximised`` of None: what has a name like a loss is minimised, and any other
        metric is a UsageError. ``only``: of these labels alone, which a dry run has shown.
        """
        from runctl.engine.checkpoints import clean, open_source  # noqa: PLC0415

        source = open_source(self._session, self._cwd, target)
        return clean(
            source,
            keep_last=keep_last,
            best=best,
            is_maximised=is_maximised,
            only=only,
            is_dry_run=is_dry_run,
        )

    # -- instances

    def instances(self, provider: str = "aws") -> Instances:
        """Return the instances of a provider: to rent, list and end them."""
        from runctl.client.instances import Instances  # noqa: PLC0415

        return Instances(self._session, self._session.provider(provider))

    def volumes(self, provider: str = "aws") -> Volumes:
        """Return the volumes of a provider, which outlive instances: to make, move and delete."""
        from runctl.client.volumes import Volumes  # noqa: PLC0415

        return Volumes(self._session, self._session.provider(provider))

    def snapshots(self, provider: str = "aws") -> Snapshots:
        """Return the snapshots of a provider's volumes: to make, list and delete."""
        from runctl.client.snapshots import Snapshots  # noqa: PLC0415

        return Snapshots(self._session.provider(provider))

    def docker_images(self) -> DockerImages:
        """Return the container images of the project here: to build, push, list and remove."""
        from runctl.client.docker_images import DockerImages  # noqa: PLC0415

        return DockerImages(self._session, self._cwd)

    def aws_setup(self) -> AwsSetup:
        """Return what an owner needs in an account of AWS: to make, check and take away."""
        from runctl.client.aws_setup import AwsSetup  # noqa: PLC0415

        return AwsSetup(self, self._session)

    def storage(self, reach: Reach | None = None) -> Storage:
        """Return the buckets of S3 that whoever is signed in can reach, or as ``reach`` says."""
        from runctl.client.storage import Storage  # noqa: PLC0415

        aws = self.config.values.aws
        account = self._account(aws.region, aws.profile)
        return Storage(account, self._cache_dir, *([reach] if reach is not None else []))

    def carriage(self, source: str, target: str) -> Carriage:
        """Return what carries files between here, S3, ``instance:ID:/path`` and ``run:ID/path``."""
        from runctl.client.carriage import Carriage  # noqa: PLC0415

        return Carriage(self, source, target)

    def machine(self, reference: str, *, is_foreign: bool = False) -> Machine:
        """Return the instance ``i-…``, or that of a run's last attempt, to look inside.

        One that does not bear our owner tag is refused unless ``is_foreign``.
        """
        from runctl.client.machine import Machine  # noqa: PLC0415
        from runctl.engine.visiting import find_visited  # noqa: PLC0415

        session = self._session
        found = find_visited(session, reference, is_foreign=is_foreign)
        return Machine(session, self._cwd, *found)

    # -- rehearsing

    def cloud(self, name: str = "default") -> Rehearsal:
        """Return the local cloud of a name, there or not: an AWS to rehearse against."""
        from runctl.config import cloud_folder  # noqa: PLC0415
        from runctl.engine.rehearsal import Rehearsal, check_name  # noqa: PLC0415

        check_name(name)
        return Rehearsal(name, cloud_folder(name, self._environ), self._environ)

    # -- settings

    def config_files(self) -> list[ConfigFile]:
        """Return the files that settings are looked for in, there or not, the strongest first."""
        from runctl.config import paths  # noqa: PLC0415

        return paths(self._find_project(), self._user_dir)

    def set_config(self, key: str, value: str, *, is_user: bool) -> Setting:
        """Write a key into the user's file, or the project's; return it as it now stands."""
        from runctl.config import set_value  # noqa: PLC0415

        set_value(self._config_path(is_user=is_user), key, value)
        self.__dict__.pop("config", None)
        return self.config.setting(key)

    def validate_config(self) -> dict[Path, list[ConfigError]]:
        """Return the problems of each file that is there."""
        from runctl.config import validate  # noqa: PLC0415

        return {file.path: validate(file.path) for file in self.config_files() if file.is_present}

    def init(self) -> tuple[str, list[Path]]:
        """Make the owner id and an empty project file, where there is none; say what is there."""
        from runctl.config import owner_id  # noqa: PLC0415
        from runctl.engine.setup import write_project_file  # noqa: PLC0415

        owner = owner_id(self._user_dir)
        made = write_project_file(self._find_project() or self._cwd)
        return owner, [made] if made else []


def _raise(_run_id: str, error: Exception) -> None:
    raise error
