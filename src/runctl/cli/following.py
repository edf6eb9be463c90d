"""Show a run as it happens, until it is over or the user has seen enough."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from runctl.cli.documents import describe_end, describe_event, describe_log
from runctl.cli.render import OutputClosed, Screen
from runctl.cli.sentences import tell_detail, tell_event, tell_summary
from runctl.client import Client
from runctl.errors import Interrupted
from runctl.model.events import AttemptEnded, Warned
from runctl.model.run import Run
from runctl.model.views import EventSeen, LogData, Update


class Viewer:
    """Shows updates: the log on standard output, what happens on standard error.

    ``is_log_only`` leaves out what happens, but for the end. As JSON, both are lines on
    standard output; as id, nothing but the id is there, and that was printed before.
    """

    def __init__(self, screen: Screen, *, is_log_only: bool = False) -> None:
        self._screen = screen
        self._is_log_only = is_log_only
        self._texts: dict[int, codecs.IncrementalDecoder] = {}

    def show(self, updates: Iterable[Update]) -> Run | None:
        """Show all updates; return the run as the last one tells it."""
        run: Run | None = None
        for update in updates:
            if isinstance(update, LogData):
                self.show_log(update)
            elif isinstance(update, EventSeen):
                run = update.run
                self._show_event(update)
            else:
                run = update.run
                self._show_end(run)
        return run

    def show_log(self, update: LogData) -> None:
        if self._screen.is_json:
            text = self._decode(update)
            if text:
                self._screen.show_line(describe_log(update.attempt, update.start, text))
        elif self._screen.is_text and update.data:
            self._screen.show_bytes(update.data)

    def _decode(self, update: LogData) -> str:
        """Bytes that are no text are replaced, but not where one part ends within a character."""
        if update.attempt not in self._texts:
            self._texts[update.attempt] = codecs.getincrementaldecoder("utf-8")("replace")
        return self._texts[update.attempt].decode(update.data)

    def _show_event(self, update: EventSeen) -> None:
        event = update.event
        if self._screen.is_json:
            self._screen.show_line(describe_event(event))
        elif isinstance(event.body, Warned):
            self._screen.warn(event.body.message)
        elif not self._is_log_only:
            self._tell(update)

    def _tell(self, update: EventSeen) -> None:
        is_last_word = isinstance(update.event.body, AttemptEnded)
        if is_last_word and not update.run.has_retries_left:
            return  # the summary says it
        sentence = tell_event(update.event)
        if sentence:
            number = update.event.attempt
            self._screen.note(f"attempt {number}: {sentence}" if number > 1 else sentence)
        detail = tell_detail(update.event)
        if detail:
            self._screen.detail(detail)

    def _show_end(self, run: Run) -> None:
        if self._screen.is_json:
            self._screen.show_line(describe_end(run))
            return
        self._screen.note(tell_summary(run))
        if run.state.value == "succeeded":
            self._screen.note(f"more: runctl status {run.run_id}")


@contextmanager
def detaching(run_id: str, name: str) -> Iterator[None]:
    """Let Ctrl-C, or a closed standard output, end the watching and never the run."""
    try:
        yield
    except (KeyboardInterrupt, OutputClosed) as error:
        raise Interrupted(
            f"detached; run {name} goes on",
            hint=f"to come back: runctl logs {run_id} -f; to end it: runctl stop {run_id}",
            run=run_id,
        ) from error


def conclude(client: Client, run: Run | None) -> None:
    """End as the run did: raise the error that it amounts to, if any."""
    failure = client.failure_of(run) if run is not None and run.is_over else None
    if failure is not None:
        raise failure
