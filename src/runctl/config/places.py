"""Which files and folders hold settings, following the XDG base directories."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from runctl.config.loading import Config

PROJECT_FILE = ".runctl.toml"
PYPROJECT_FILE = "pyproject.toml"
USER_FILE = "config.toml"


class ConfigFile(Struct, frozen=True):
    """One file that is read if it is there; the strongest comes first."""

    kind: Literal["project", "user"]
    path: Path
    is_present: bool


def user_dir(environ: Mapping[str, str]) -> Path:
    """The user's folder for settings: ``$XDG_CONFIG_HOME/runctl``, or ``~/.config/runctl``."""
    return _xdg(environ, "XDG_CONFIG_HOME", ".config")


def _xdg(environ: Mapping[str, str], variable: str, fallback: str) -> Path:
    home = Path(environ.get("HOME") or Path.home())
    given = environ.get(variable, "")
    # A relative path in an XDG variable is to be ignored, says the standard.
    return (Path(given) if given.startswith("/") else home / fallback) / "runctl"


def paths(project_root: Path | None, user_dir: Path) -> list[ConfigFile]:
    """The files that are looked for, there or not."""
    found = [ConfigFile("user", user_dir / USER_FILE, (user_dir / USER_FILE).is_file())]
    if project_root is not None:
        inside = [project_root / name for name in (PROJECT_FILE, PYPROJECT_FILE)]
        found = [ConfigFile("project", path, path.is_file()) for path in inside] + found
    return found


def ledger_root(config: Config, environ: Mapping[str, str]) -> str:
    """``store.root`` as a URL or an absolute folder; unset, ``$XDG_DATA_HOME/runctl/ledger``.

    A relative folder starts at the file that names it, or else at the current folder.
    """
    root = config.values.store.root
    if root is None:
        return str(_xdg(environ, "XDG_DATA_HOME", ".local/share") / "ledger")
    if "://" in root:
        return root
    origin = config.origin("store.root")
    is_from_file = origin.kind in ("project", "user") and origin.source is not None
    base = Path(origin.source).parent if is_from_file and origin.source else Path.cwd()
    return str((base / Path(root).expanduser()).resolve())


def cloud_folder(name: str, environ: Mapping[str, str]) -> Path:
    """The folder of the local cloud of a name: ``$XDG_DATA_HOME/runctl/cloud/<name>``."""
    return _xdg(environ, "XDG_DATA_HOME", ".local/share") / "cloud" / name
