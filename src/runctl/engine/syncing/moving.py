"""One sync: what has changed here is put there, or nothing is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from runctl.engine.syncing.answers import refusal
from runctl.engine.syncing.asking import Asking, Had
from runctl.engine.syncing.exchange import Answer, Streaming, exchange
from runctl.engine.syncing.memory import Memory, memory_path
from runctl.engine.syncing.tree import Entries, Entry, digest_of, read_tree
from runctl.errors import IntegrityError, TransportError, TryAgain
from runctl.model.sync import Synced
from runctl.project import Selection

TRIES = 4

Choose = Callable[[], Selection]
Approve = Callable[[Selection, Sequence[str]], None]


@dataclass(frozen=True)
class Place:
    """A folder of an instance, and what leads there; ``reference`` is what the user typed."""

    transport: Streaming
    instance_id: str
    reference: str
    folder: str
    is_forced: bool = False


@dataclass
class Mirror:
    """Holds a folder there to what ``choose`` selects here, each time ``once`` is called.

    ``approve`` raises where a selection's files (it gets those that would be sent) must stay.
    """

    place: Place
    project: Path
    cache: Path
    choose: Choose
    approve: Approve
    memory: Memory = field(init=False)
    tree: Entries = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.memory = Memory.load(self._memory_path)

    def look(self) -> bool:
        """Read the tree anew; tell whether the folder is not known to equal it."""
        self._selection = self.choose()
        self.tree, self._files = read_tree(self._selection, self.memory.files, time.time_ns())
        return self.memory.entries != self.tree

    def once(self) -> Synced:
        """Bring the folder into step.

        Raises ConflictError, TryAgain, CapacityError, IntegrityError, TransportError: nothing
        there has changed, or the next sync ends what this one began.
        """
        try:
            return self._bring()
        except TransportError:
            # What has arrived is asked for next time, and not sent again.
            self.memory.entries = None
            self.memory.save(self._memory_path)
            raise

    def _bring(self) -> Synced:
        sent, had = 0, None
        with ThreadPoolExecutor(1) as threads:
            looking = threads.submit(self.look)
            for _ in range(TRIES):
                asking = self._asking(looking, had)
                answer, seen, more = exchange(
                    self.place.transport, self.place.folder, asking.ask, self.memory.codec
                )
                sent, self.memory.codec = sent + more, seen.codec
                if answer is None or answer["kind"] != "have":
                    return self._conclude(answer, asking.base, sent)
                had = Had(_entries(answer), answer["staged"])
        raise TryAgain(
            f"{self.place.folder} on {self.place.instance_id} changes while it is synced",
            hint=f"runctl sync {self.place.reference}",
        )

    def _conclude(self, answer: Answer | None, base: Entries, sent: int) -> Synced:
        if answer is not None:
            self._check(answer)
            self.memory.root, self.memory.look = answer["root"], answer["look"]
            self.memory.digest = answer["digest"]
        is_news = answer is not None or self.memory.files != self._files
        self.memory.entries, self.memory.files = self.tree, self._files
        if is_news:
            self.memory.save(self._memory_path)
        return Synced(
            instance_id=self.place.instance_id,
            project_root=str(self.project),
            folder=self.memory.root,
            file_count=sum(one.kind != "d" for one in self.tree.values()),
            changed=tuple(path for path, one in self.tree.items() if base.get(path) != one),
            removed=tuple(path for path in base if path not in self.tree),
            sent_bytes=sent,
        )

    def _check(self, answer: Answer) -> None:
        """Raise what the answer says, where it is no success."""
        if answer["kind"] not in ("done", "same"):
            raise refusal(answer, self.place)
        if answer["digest"] != digest_of(self.tree):
            raise IntegrityError(
                f"{answer['root']} on {self.place.instance_id} is not what was sent",
                hint=f"runctl sync {self.place.reference}",
            )

    def _asking(self, looking: Future[bool], had: Had | None) -> Asking:
        def look() -> Entries:
            looking.result()
            return self.tree

        return Asking(
            project=self.project,
            opening={
                "folder": self.place.folder,
                "project": self.project.name,
                "is_forced": self.place.is_forced,
            },
            memory=self.memory,
            look=look,
            approve=lambda paths: self.approve(self._selection, paths),
            again=f"runctl sync {self.place.reference}",
            had=had,
        )

    @cached_property
    def _memory_path(self) -> Path:
        return memory_path(self.cache, self.project, self.place.instance_id, self.place.folder)


def _entries(answer: Answer) -> Entries:
    return {one[0]: Entry(*one) for one in answer["entries"]}
