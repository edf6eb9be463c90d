"""A run's records in the object store: the one place where the truth about it lives.

Writes are idempotent: after a conflict or a lost answer, what is there is read back and
compared, nonce and all. Attempt n is claimed by creating its claim, which seals n-1.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from runctl.errors import ObjectExists, ObjectMissing, RecordError, RunNotFound
from runctl.model.codec import Record, decode, encode
from runctl.model.events import Claim, Event, Heartbeat, Request
from runctl.model.ids import is_run_id
from runctl.model.instance import Rental
from runctl.model.paths import RUNS, RunPaths
from runctl.model.run import Run, amended, begin, claim, fold, mark_lost
from runctl.model.spec import Spec
from runctl.store.objects import Objects
from runctl.store.pace import pace_of

R = TypeVar("R", bound=Record)


class Ledger:
    """The records of all runs under one root."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects

    def run_ids(self) -> list[str]:
        """Return all run ids, newest first."""
        return [name for name in self.objects.list_folders(RUNS) if is_run_id(name)]

    def create_run(self, spec: Spec) -> None:
        self.create(RunPaths(spec.run_id).spec, spec)

    def spec(self, run_id: str) -> Spec:
        try:
            return self.read(RunPaths(run_id).spec, Spec)
        except ObjectMissing as error:
            raise RunNotFound(
                f"run {run_id} is not in the ledger {self.objects.url}",
                hint="runctl runs",
                run=run_id,
            ) from error

    def has_spec(self, run_id: str) -> bool:
        """Tell whether there is such a run: without its spec it is one that is being removed."""
        return self.objects.head(RunPaths(run_id).spec) is not None

    def claims(self, run_id: str) -> list[Claim]:
        """Return the claims in order of their attempt."""
        keys = [info.key for info in self.objects.list(RunPaths(run_id).claims)]
        return self._read_all(keys, Claim)

    def claim(self, run_id: str, record: Claim) -> None:
        """Open an attempt, or raise ObjectExists if somebody else has."""
        self.create(RunPaths(run_id).claim(record.attempt), record)

    def is_claimed(self, run_id: str, attempt: int) -> bool:
        return self.objects.head(RunPaths(run_id).claim(attempt)) is not None

    def append_event(
        self, run_id: str, writer: str, seq: int, event: Event, *, durable: bool
    ) -> None:
        key = RunPaths(run_id).event(event.attempt, writer, seq)
        self.create(key, event, durable=durable)

    def event_keys(self, run_id: str, attempt: int, *, after: str = "") -> list[str]:
        prefix = RunPaths(run_id).events(attempt)
        return [info.key for info in self.objects.list(prefix, after=after)]

    def event(self, key: str) -> Event:
        return self.read(key, Event)

    def events(self, keys: Sequence[str]) -> list[Event]:
        """Return the events in the order of their keys."""
        return self._read_all(keys, Event)

    def manifest_keys(self, run_id: str, attempt: int | None = None) -> list[str]:
        """Return the keys of committed checkpoints, oldest first; unsealed ones included."""
        prefix = RunPaths(run_id).checkpoints + (f"{attempt:04d}/" if attempt is not None else "")
        return [info.key for info in self.objects.list(prefix)]

    def spec_of(self, run_id: str, attempt: int) -> Spec:
        """Return the spec as this attempt has it: with what claims have changed until then."""
        return functools.reduce(amended, self.claims(run_id)[:attempt], self.spec(run_id))

    def load(self, run_id: str) -> Run:
        """Fold the run from its records."""
        run = begin(self.spec(run_id))
        claims = self.claims(run_id)
        for index, record in enumerate(claims):
            run = claim(run, record)
            seal = claims[index + 1] if index + 1 < len(claims) else None
            run = self._fold_attempt(run, record.attempt, seal)
        return run

    def _fold_attempt(self, run: Run, attempt: int, seal: Claim | None) -> Run:
        if seal is None:
            return fold(run, self.events(self.event_keys(run.run_id, attempt)))
        run = fold(run, self.events(seal.sealed_events))
        # A sealed attempt that never told its end was lost.
        return mark_lost(run, seal.reason, seal.heard_at)

    def put_request(self, run_id: str, request: Request) -> None:
        self.create(RunPaths(run_id).request(request.request_id), request)

    def requests(self, run_id: str) -> Iterator[Request]:
        for info in self.objects.list(RunPaths(run_id).requests):
            yield self.read(info.key, Request)

    def beat(self, run_id: str, heartbeat: Heartbeat) -> None:
        key = RunPaths(run_id).heartbeat(heartbeat.attempt)
        self.objects.put(key, encode(heartbeat), durable=False)

    def heartbeat(self, run_id: str, attempt: int) -> Heartbeat | None:
        key = RunPaths(run_id).heartbeat(attempt)
        try:
            return self.read(key, Heartbeat)
        except ObjectMissing:
            return None

    def heard_at(self, run_id: str, attempt: int) -> datetime | None:
        """Return when the agent of an attempt gave its last sign of life; None is unknown."""
        try:
            beat = self.heartbeat(run_id, attempt)
        except RecordError:
            return None  # it is written in haste, and a run can do without it
        return None if beat is None else beat.at

    def delete_run(self, run_id: str) -> None:
        """Delete all records of the run, its spec first: from then on there is no such run.

        A second call finishes the first.
        """
        paths = RunPaths(run_id)
        self.objects.delete(paths.spec)
        for key in [info.key for info in self.objects.list(paths.root)]:
            self.objects.delete(key)

    def read(self, key: str, kind: type[R]) -> R:
        try:
            return decode(self.objects.get(key), kind, key=key)
        except RecordError as error:
            run = "/".join(key.split("/")[:2])
            url = self.objects.url
            error.hint = error.hint or (
                f"bring {url}/{key} back from a copy, or move {url}/{run} out of the ledger"
            )
            raise

    def _read_all(self, keys: Sequence[str], kind: type[R]) -> list[R]:
        readers = min(pace_of(self.objects.url).readers, len(keys))
        if readers <= 1:
            return [self.read(key, kind) for key in keys]
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - slow to import

        with ThreadPoolExecutor(readers) as pool:
            return list(pool.map(lambda key: self.read(key, kind), keys))

    def create(self, key: str, record: Record, *, durable: bool = True) -> None:
        """Write a record once. Finding the very same one there is success."""
        data = encode(record)
        try:
            self.objects.put(key, data, create=True, durable=durable)
        except ObjectExists:
            if self.objects.get(key) != data:
                raise


def next_claim(ledger: Ledger, run: Run, wanted: Claim) -> Claim:
    """Return the claim of the next attempt, sealing what the last one has written until now.

    ``wanted`` says who claims where and why. What the last attempt paid for on the same
    instance is paid on.
    """
    last = len(run.attempts)
    return msgspec.structs.replace(
        wanted,
        attempt=last + 1,
        rental=wanted.rental or _paid_on(run, wanted),
        sealed_events=tuple(ledger.event_keys(run.run_id, last)) if last else (),
        sealed_manifests=tuple(ledger.manifest_keys(run.run_id, last)) if last else (),
        heard_at=ledger.heard_at(run.run_id, last) if last else None,
    )


def _paid_on(run: Run, wanted: Claim) -> Rental | None:
    last = run.last
    if last is None or last.rental is None or last.instance != wanted.instance:
        return None
    return msgspec.structs.replace(last.rental, since=wanted.claimed_at)


def counted_manifests(ledger: Ledger, run_id: str) -> list[str]:
    """Return the manifest keys that count, oldest first: sealed ones, and the last attempt's."""
    claims = ledger.claims(run_id)
    sealed = [key for record in claims for key in record.sealed_manifests]
    imported = ledger.manifest_keys(run_id, 0)
    newest = ledger.manifest_keys(run_id, len(claims)) if claims else []
    present = {*imported, *newest}
    alive = [key for key in sealed if ledger.objects.head(key) is not None]
    return [*sorted({*present, *alive})]
