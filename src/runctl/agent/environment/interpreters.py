"""Which Python: the one asked for, else the one declared, else the instance's own.

What an interpreter is (version, platform, where its packages lie) is asked of it once and
remembered under the environments' folder, keyed by path, size and time of change, so that
finding a cached environment starts no process.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import site
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from runctl.agent.environment.failures import failed, redact
from runctl.agent.environment.specifiers import satisfies
from runctl.errors import PhaseFailed

_PROBE = """
import json, platform, site, sys, sysconfig
print(json.dumps({
    "path": sys.executable, "version": platform.python_version(),
    "implementation": sys.implementation.name + getattr(sys, "abiflags", ""),
    "platform": sysconfig.get_platform(),
    "base": site.getsitepackages([sys.base_prefix, sys.base_exec_prefix]),
}))
"""
_MINORS = range(8, 30)


class Interpreter(msgspec.Struct, frozen=True):
    """An interpreter of this machine; ``base`` are its installation's own package folders."""

    path: str
    version: str
    implementation: str
    platform: str
    base: tuple[str, ...]


class Wish(msgspec.Struct, frozen=True):
    """What is wanted of the interpreter and by whom; ``required`` holds in any case."""

    wanted: str | None
    origin: str
    required: str | None


class _Remembered(msgspec.Struct, frozen=True):
    stamp: list[int]
    interpreter: Interpreter


def choose(
    wish: Wish, base_python: Path, *, memory: Path, uv: Path | None, environ: Mapping[str, str]
) -> Interpreter:
    """The interpreter that meets ``wish``; PhaseFailed if the machine has none.

    ``base_python`` is taken where it will do. ``memory`` is a folder for what was learnt.
    """
    if wish.wanted is not None and os.sep in wish.wanted:
        return _require(inspect(Path(wish.wanted).expanduser(), memory), wish)
    base = inspect(base_python, memory)
    if wish.wanted is None or _meets(base, wish):
        return _require(base, wish)
    question = json.dumps([wish.wanted, wish.required, str(base_python), environ.get("PATH")])
    remembered = _recall(memory, question)
    if remembered is not None:
        return remembered
    found = _find(wish, memory, uv, environ)
    if found is None:
        raise _not_found(wish, base)
    _remember(memory, question, found)
    return _require(found, wish)


def inspect(python: Path, memory: Path) -> Interpreter:
    """What ``python`` is: known if it runs this code, else remembered, else asked."""
    if os.path.abspath(python) == os.path.abspath(sys.executable):
        return _describe_own()
    question = os.path.abspath(python)
    remembered = _recall(memory, question)
    if remembered is not None:
        return remembered
    interpreter = _ask(python)
    if not _is_text(python):  # a shim may lead elsewhere tomorrow without changing itself
        _remember(memory, question, interpreter)
    return interpreter


def _describe_own() -> Interpreter:
    flags = getattr(sys, "abiflags", "")
    return Interpreter(
        path=os.path.abspath(sys.executable),
        version=platform.python_version(),
        implementation=sys.implementation.name + flags,
        platform=sysconfig.get_platform(),
        base=tuple(site.getsitepackages([sys.base_prefix, sys.base_exec_prefix])),
    )


def _ask(python: Path) -> Interpreter:
    try:
        answer = subprocess.run(
            [str(python), "-I", "-c", _PROBE], capture_output=True, check=True, timeout=60
        )
        return msgspec.json.decode(answer.stdout, type=Interpreter)
    except (OSError, subprocess.SubprocessError, msgspec.DecodeError) as error:
        raise failed(
            f"{python} is not a Python that can be run: {error}.",
            hint="name another one by --python",
            cause="no-python",
        ) from error


def _meets(interpreter: Interpreter, wish: Wish) -> bool:
    asked = [part for part in (wish.wanted, wish.required) if part is not None]
    return all(satisfies(interpreter.version, part) for part in asked)


def _require(interpreter: Interpreter, wish: Wish) -> Interpreter:
    if wish.required is not None and satisfies(interpreter.version, wish.required) is False:
        raise failed(
            f"Python {interpreter.version} ({interpreter.path}) does not meet the project's"
            f" requires-python {wish.required!r}.",
            hint=f"install such a Python on the instance, or name one: --python {wish.required!r}",
            cause="python-version",
        )
    return interpreter


def _find(
    wish: Wish, memory: Path, uv: Path | None, environ: Mapping[str, str]
) -> Interpreter | None:
    """Ask uv, which knows every interpreter here; without it, look along PATH."""
    if uv is not None and wish.wanted is not None:
        found = _ask_uv(uv, wish.wanted, environ)
        return inspect(found, memory) if found is not None else None
    for path in _iterate_path(environ):
        try:
            interpreter = inspect(path, memory)
        except PhaseFailed:  # a shim for a version that is not installed
            continue
        if _meets(interpreter, wish):
            return interpreter
    return None


def _ask_uv(uv: Path, wanted: str, environ: Mapping[str, str]) -> Path | None:
    find = [str(uv), "python", "find", "--system", "--no-project", wanted]
    answer = subprocess.run(find, env=dict(environ), capture_output=True, text=True, check=False)
    may_download = environ.get("UV_PYTHON_DOWNLOADS") in {"automatic", "auto", "true"}
    if answer.returncode != 0 and may_download:
        install = [str(uv), "python", "install", wanted]
        subprocess.run(install, env=dict(environ), capture_output=True, check=False)
        answer = subprocess.run(
            find, env=dict(environ), capture_output=True, text=True, check=False
        )
    return Path(answer.stdout.strip()) if answer.returncode == 0 else None


def _iterate_path(environ: Mapping[str, str]) -> Iterator[Path]:
    for minor in reversed(_MINORS):
        found = shutil.which(f"python3.{minor}", path=environ.get("PATH", os.defpath))
        if found is not None:
            yield Path(found)


def _not_found(wish: Wish, base: Interpreter) -> PhaseFailed:
    return failed(
        f"No Python {redact(str(wish.wanted))} on this instance ({wish.origin} asks for it);"
        f" its own is {base.version}.",
        hint="install it there, allow UV_PYTHON_DOWNLOADS=automatic, or choose --python",
        cause="no-python",
    )


def _recall(memory: Path, question: str) -> Interpreter | None:
    try:
        text = _get_place(memory, question).read_bytes()
        remembered = msgspec.json.decode(text, type=_Remembered)
        is_current = remembered.stamp == _stamp(remembered.interpreter.path)
    except (OSError, msgspec.DecodeError):
        return None
    return remembered.interpreter if is_current else None


def _remember(memory: Path, question: str, interpreter: Interpreter) -> None:
    """Write what was learnt; a torn or foreign file is only asked for again."""
    memory.mkdir(parents=True, exist_ok=True)
    place = _get_place(memory, question)
    draft = place.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
    draft.write_bytes(msgspec.json.encode(_Remembered(_stamp(interpreter.path), interpreter)))
    draft.replace(place)


def _get_place(memory: Path, question: str) -> Path:
    return memory / f"{hashlib.sha256(question.encode()).hexdigest()[:32]}.json"


def _stamp(path: str) -> list[int]:
    status = os.stat(path)
    return [status.st_mtime_ns, status.st_size, status.st_ino]


def _is_text(python: Path) -> bool:
    with python.open("rb") as file:
        return file.read(2) == b"#!"
