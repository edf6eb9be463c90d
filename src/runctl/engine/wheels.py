"""Which wheels an environment is made of, and their bytes: as uv resolves, held to its hashes."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import tempfile
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from runctl.agent.environment.failures import find_cause, redact
from runctl.agent.environment.recipe import Recipe
from runctl.engine.arrival.platforms import Platform
from runctl.engine.indexes import collect_indexes
from runctl.errors import IntegrityError, PhaseFailed

TIMEOUT_S = 60
_LAST_LINES = 10


@dataclass(frozen=True)
class Wheel:
    """``source`` is a URL, or a path on this machine."""

    requirement: str
    source: str
    sha256: str

    @property
    def filename(self) -> str:
        return unquote(urlsplit(self.source).path).rpartition("/")[2]


def resolve(
    recipe: Recipe, platform: Platform, python: str, environ: Mapping[str, str]
) -> list[Wheel]:
    """Return the wheels for a Python such as 3.11.7 on a platform; PhaseFailed where one lacks."""
    environ = {**environ, **collect_indexes(environ)}
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder, "pylock.toml")
        source, hashes = _declare(recipe, Path(folder), environ)
        _run_uv(
            "pip", "compile", str(source), "--format", "pylock.toml", "--output-file", str(lock),
            "--only-binary", ":all:", "--no-header", "--python-platform", platform.uv_name,
            "--python-version", python, *(recipe.chosen if recipe.method == "file" else ()),
            folder=recipe.folder, environ=environ,
        )  # fmt: skip
        told = tomllib.loads(lock.read_text(encoding="utf-8"))
        found = [wheel for one in told.get("packages", ()) for wheel in _read(one, lock.parent)]
    for wheel in found:
        if hashes is not None and wheel.sha256 not in hashes:
            raise IntegrityError(f"the index has other bytes of {wheel.filename} than the lock")
    return found


def _declare(recipe: Recipe, folder: Path, environ: Mapping[str, str]) -> tuple[Path, str | None]:
    """Write down what uv is to resolve; with the hashes of a lock, where there is one."""
    if recipe.method == "file" and recipe.target is not None:
        return recipe.target, None
    written = folder / "requirements.txt"
    if recipe.method == "lines":
        written.write_text("".join(f"{line}\n" for line in recipe.lines), encoding="utf-8")
        return written, None
    words = ["--frozen", "--no-emit-local"] if recipe.method == "sync" else []
    words += ["--script", str(recipe.target)] if recipe.method == "export" else []
    output = ("--quiet", "--output-file", str(written))
    _run_uv("export", *words, *recipe.chosen, *output, folder=recipe.folder, environ=environ)
    return written, written.read_text(encoding="utf-8")


def _read(package: Mapping[str, Any], folder: Path) -> Iterator[Wheel]:
    archive = package.get("archive", {})
    is_wheel = str(archive.get("url") or archive.get("path")).endswith(".whl")
    found = package.get("wheels") or ([archive] if is_wheel else [])
    if not found:
        raise _failed(
            f"{package['name']} is not of a package index, and cannot be sent as a wheel",
            "require a version that an index has, or take --stage-wheels away",
        )
    for wheel in found:
        place = wheel.get("url") or os.path.normpath(folder / wheel["path"])
        requirement = f"{package['name']}=={package['version']}"
        yield Wheel(requirement, place, wheel["hashes"]["sha256"])


def _run_uv(*words: str, folder: Path, environ: Mapping[str, str]) -> None:
    from uv import find_uv_bin  # noqa: PLC0415 - only where wheels are staged

    own = {name: value for name, value in environ.items() if name != "VIRTUAL_ENV"}
    argv = [find_uv_bin(), *words]
    done = subprocess.run(argv, cwd=folder, env=own, capture_output=True, check=False)
    if done.returncode != 0:
        told = redact(done.stderr.decode(errors="replace")).strip()
        last = "\n".join(told.splitlines()[-_LAST_LINES:])
        raise _failed(f"the wheels could not be resolved here:\n{last}", find_cause(last)[1])


def download(wheel: Wheel, cache: Path, environ: Mapping[str, str]) -> Path:
    """Return the wheel's file in the cache, fetched if it is not there; its hash was seen."""
    kept = cache / wheel.sha256
    if kept.is_file():
        return kept
    cache.mkdir(parents=True, exist_ok=True)
    draft = cache / f".{wheel.sha256}.{os.getpid()}"
    try:
        _fetch(wheel, draft, environ)
        with draft.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != wheel.sha256:
            raise IntegrityError(f"{wheel.filename} arrived with other bytes than its index says")
        draft.replace(kept)
    finally:
        draft.unlink(missing_ok=True)
    return kept


def _fetch(wheel: Wheel, target: Path, environ: Mapping[str, str]) -> None:
    if not wheel.source.startswith(("https://", "http://")):
        shutil.copyfile(unquote(wheel.source.removeprefix("file://")), target)
        return
    request = urllib.request.Request(  # noqa: S310 - of these two schemes
        wheel.source, headers=_sign(wheel.source, environ)
    )
    try:
        with (
            urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer,  # noqa: S310
            target.open("wb") as file,
        ):
            shutil.copyfileobj(answer, file)
    except urllib.error.URLError as error:
        reason = error.code if isinstance(error, urllib.error.HTTPError) else error.reason
        raise _failed(
            f"{wheel.filename} could not be downloaded: {reason}",
            "look at the network and the index's credentials, and type the same again",
        ) from error


def _sign(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Give the credentials that the user's settings have for this host."""
    host = urlsplit(url).netloc
    for word in " ".join(collect_indexes(environ).values()).split():
        credentials, at, rest = word.partition("://")[2].rpartition("@")
        if at and rest.partition("/")[0] == host:
            login, _, password = credentials.partition(":")
            pair = f"{unquote(login)}:{unquote(password)}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}


def _failed(message: str, hint: str) -> PhaseFailed:
    return PhaseFailed(message, hint=hint, phase="environment")
