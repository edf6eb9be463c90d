"""The only place that prints. Results go to standard output, alone; all else to standard error."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO

from runctl.errors import Interrupted, RunctlError, TryAgain

SLOW_S = 1.0
_STYLES = {"dim": "2", "bold": "1", "red": "31", "green": "32", "yellow": "33"}


class OutputClosed(Exception):
    """Whoever read standard output has closed it."""


class Screen:
    """Prints results in the form that was asked for, and messages around them."""

    def __init__(self) -> None:
        self.format = "text"
        self.color = "auto"
        self.is_quiet = False
        self.is_verbose = False
        self._has_lines = False
        self._is_line_open = False
        self._is_stdout_lost = False

    @property
    def is_json(self) -> bool:
        return self.format == "json"

    @property
    def is_text(self) -> bool:
        return self.format == "text"

    # -- results

    def show(
        self, document: object, text: Callable[[], Iterable[str]], ident: str | Sequence[str]
    ) -> None:
        """Print one result: as a JSON document, as lines of text, or as its id (or ids)."""
        if self.is_json:
            self._write_out(_encode(document, is_pretty=_is_terminal(sys.stdout)) + b"\n")
            return
        lines = text() if self.is_text else [ident] if isinstance(ident, str) else ident
        self._write_out("".join(f"{line}\n" for line in lines).encode(errors="surrogateescape"))

    def redraw(self, lines: Iterable[str]) -> None:
        """Print lines in place of the last ones on a terminal, elsewhere below them."""
        shown = list(lines)
        if _is_terminal(sys.stdout):
            rows = shutil.get_terminal_size().lines - 1
            text = "\x1b[H\x1b[2J" + "\n".join(shown[:rows])
        else:
            text = "\n".join([*shown, ""])
        self._write_out(f"{text}\n".encode(errors="surrogateescape"))

    @property
    def width(self) -> int | None:
        """How many characters a line of results may have; None where they go to no terminal."""
        return shutil.get_terminal_size().columns if _is_terminal(sys.stdout) else None

    def show_line(self, document: object) -> None:
        """Print one JSON document of several, on a line of its own."""
        # Before it is written: who is interrupted right after it has still shown a line.
        self._has_lines = True
        self._write_out(_encode(document, is_pretty=False) + b"\n")

    def show_bytes(self, data: bytes) -> None:
        """Pass on what a script printed, as it came."""
        self._is_line_open = bool(data) and not data.endswith(b"\n")
        self._write_out(data)

    def show_table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
        """Yield the lines of a table; the last column is not padded."""
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        for number, row in enumerate([header, *rows]):
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            line = "  ".join(cells).rstrip()
            yield line if number else self.paint(line, "bold", sys.stdout)

    # -- messages

    def note(self, text: str) -> None:
        """Say what is going on."""
        if not self.is_quiet:
            self.message(self.paint(f"runctl: {text}", "dim", sys.stderr))

    def detail(self, text: str) -> None:
        """Say what only ``--verbose`` asks for."""
        if self.is_verbose:
            self.note(text)

    def warn(self, text: str) -> None:
        self.message(f"{self.paint('warning:', 'yellow', sys.stderr)} {text}")

    def error(self, error: RunctlError) -> None:
        """Show an error: in text with its hint, or as the JSON document of its own."""
        if self.is_json and self._show_as_json(error):
            return
        is_wrong = not isinstance(error, Interrupted | TryAgain)
        label = self.paint("error:", "red", sys.stderr) if is_wrong else "runctl:"
        self.message(f"{label} {error.message}")
        if error.hint:
            self.message(f"{self.paint('hint:', 'bold', sys.stderr)} {error.hint}")

    def _show_as_json(self, error: RunctlError) -> bool:
        kind = {"type": "error"} if self._has_lines else {}
        with suppress(OutputClosed, RunctlError):
            self.show_line({**kind, "error": _describe(error)})
        return not self._is_stdout_lost  # where its disk is full, standard error is left

    def traceback(self, error: BaseException) -> None:
        import traceback  # noqa: PLC0415

        self.message("".join(traceback.format_exception(error)).rstrip())

    def message(self, text: str) -> None:
        """Write a line to standard error; that it is closed stops nothing."""
        if self._is_line_open and _is_terminal(sys.stdout) and _is_terminal(sys.stderr):
            text = f"\n{text}"  # both are on one screen, and the script's last line is not ended
        self._is_line_open = False
        try:
            _write(sys.stderr, f"{text}\n".encode(errors="backslashreplace"))
        except OSError:
            pass

    def ask(self, question: str) -> bool:
        """Ask on the terminal; no is the answer of one who only types Enter."""
        _write(sys.stderr, f"{question} [y/N] ".encode(errors="backslashreplace"))
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Show on a terminal that something goes on, once it has taken a second."""
        if self.is_quiet or not _is_terminal(sys.stderr):
            yield
            return
        import threading  # noqa: PLC0415

        spinner = _Spinner(text)
        timer = threading.Timer(SLOW_S, spinner.start)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            spinner.stop()

    @contextmanager
    def counting(self, total_bytes: int) -> Iterator[Callable[[int], None]]:
        """Yield what counts bytes; on a terminal a bar shows them, their rate, and what is left."""
        if self.is_quiet or not _is_terminal(sys.stderr):
            yield _count_nothing
            return
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            DownloadColumn,
            Progress,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        console = Console(stderr=True)
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("", total=total_bytes)
            yield lambda size_bytes: progress.advance(task, size_bytes)

    # -- streams

    def paint(self, text: str, style: str, stream: IO[str] | None) -> str:
        if not self._is_colored(stream):
            return text
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"

    def _is_colored(self, stream: IO[str] | None) -> bool:
        if self.color != "auto":
            return self.color == "always"
        is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return not is_plain and _is_terminal(stream)

    def _write_out(self, data: bytes) -> None:
        try:
            _write(sys.stdout, data)
        except BrokenPipeError as error:
            _forget_stdout()
            raise OutputClosed from error
        except OSError as error:
            _forget_stdout()
            self._is_stdout_lost = True
            raise RunctlError(
                f"standard output cannot be written: {error.strerror}",
                hint="make room where it goes, and type the same again",
            ) from error


def _count_nothing(_size_bytes: int) -> None:
    pass


class _Spinner:
    """A line that moves, by rich, which is imported only when it is needed."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._status: object | None = None
        self._is_over = False

    def start(self) -> None:
        from rich.console import Console  # noqa: PLC0415

        if not self._is_over:
            self._status = Console(stderr=True).status(self._text)
            self._status.__enter__()

    def stop(self) -> None:
        self._is_over = True
        if self._status is not None:
            self._status.__exit__(None, None, None)  # type: ignore[attr-defined]


def _is_terminal(stream: IO[str] | None) -> bool:
    return stream is not None and stream.isatty()


def is_interactive() -> bool:
    """Tell whether there is somebody to ask."""
    return _is_terminal(sys.stdin) and _is_terminal(sys.stderr)


def _write(stream: IO[str] | None, data: bytes) -> None:
    if stream is not None:
        stream.buffer.write(data)  # type: ignore[attr-defined]
        stream.flush()


@contextmanager
def stdout_reserved(*, is_reserved: bool) -> Iterator[None]:
    """Let what a child prints go to standard error, where standard output is for a result."""
    if not is_reserved:
        yield
        return
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _forget_stdout() -> None:
    """Let what is left in the buffer go nowhere, so that the interpreter ends in peace."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def _describe(error: RunctlError) -> dict[str, object]:
    return {
        "code": error.code,
        "exit_code": error.exit_code,
        "message": error.message,
        "hint": error.hint,
        "details": error.details,
    }


def _encode(document: object, *, is_pretty: bool) -> bytes:
    import msgspec  # noqa: PLC0415 - help does without

    try:
        data = msgspec.json.encode(document, enc_hook=str)
    except UnicodeEncodeError:  # a name or an argument that is not UTF-8
        data = msgspec.json.encode(_mend(msgspec.to_builtins(document, enc_hook=str)))
    return msgspec.json.format(data, indent=2) if is_pretty else data


def _mend(value: object) -> object:
    """Write bytes that are not UTF-8 as ``\\xNN``: JSON has no other way to hold them."""
    if isinstance(value, str):
        return value.encode(errors="surrogateescape").decode(errors="backslashreplace")
    if isinstance(value, dict):
        return {_mend(key): _mend(entry) for key, entry in value.items()}
    return [_mend(entry) for entry in value] if isinstance(value, list | tuple) else value
