"""The package indexes of the user's own settings, as variables for installers elsewhere.

uv's settings (variables, ``uv.toml``) and pip's (variables, ``pip.conf``) are read; where one of
the two has none, it gets those of the other, as which of them installs is decided there. What
``~/.netrc`` knows of an index is put into its URL. They hold credentials: they travel as
secrets do, and are recorded nowhere.
"""

from __future__ import annotations

import configparser
import netrc
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from runctl.errors import ConfigError

# Variables that hold for any machine; those with paths of this one are not among them.
_ALIKE = re.compile(r"(UV_INDEX_.+_(USERNAME|PASSWORD)|UV_INDEX_STRATEGY|UV_INSECURE_HOST)")
_PIP_SECTIONS = ("global", "install")
_UV_OF_ALL, _PIP_OF_ALL = Path("/etc/uv/uv.toml"), Path("/etc/pip.conf")

Variables = dict[str, str]


def collect_indexes(environ: Mapping[str, str]) -> Variables:
    """Return variables for uv and pip; ConfigError where a file of settings cannot be read."""
    uv, pip = _read_uv(environ), _read_pip(environ)
    default = uv.get("UV_DEFAULT_INDEX"), pip.get("PIP_INDEX_URL")
    extra = uv.get("UV_INDEX"), pip.get("PIP_EXTRA_INDEX_URL")
    if not any((default[0], extra[0])):
        uv |= _named(UV_DEFAULT_INDEX=default[1], UV_INDEX=extra[1])
    elif not any((default[1], extra[1])):
        pip |= _named(PIP_INDEX_URL=_bare(default[0]), PIP_EXTRA_INDEX_URL=_bare(extra[0]))
    found = {**uv, **pip}
    names = ("UV_DEFAULT_INDEX", "UV_INDEX", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
    known = _read_netrc(environ)
    return found | {name: _sign(found[name], known) for name in names if name in found}


def _named(**values: str | None) -> Variables:
    return {name: value for name, value in values.items() if value}


def _bare(indexes: str | None) -> str | None:
    """The URLs alone: pip has no names of indexes."""
    words = (indexes or "").split()
    return " ".join(re.sub(r"^[\w.-]+=(?=[a-z]+://)", "", word) for word in words) or None


# -- uv


def _read_uv(environ: Mapping[str, str]) -> Variables:
    alike = {name: value for name, value in environ.items() if _ALIKE.fullmatch(name)}
    default = environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL")
    extra = environ.get("UV_INDEX") or environ.get("UV_EXTRA_INDEX_URL")
    if environ.get("UV_NO_CONFIG") not in (None, "", "0", "false"):
        return alike | _named(UV_DEFAULT_INDEX=default, UV_INDEX=extra)
    written = _read_uv_files(environ)
    return alike | _named(
        UV_DEFAULT_INDEX=default or written.get("default"), UV_INDEX=extra or written.get("extra")
    )


def _read_uv_files(environ: Mapping[str, str]) -> Variables:
    user = _settings_folder(environ) / "uv" / "uv.toml"
    named = environ.get("UV_CONFIG_FILE")
    for path in (Path(named),) if named else (user, _UV_OF_ALL):
        if path.is_file():
            return _read_uv_file(path)
    return {}


def _read_uv_file(path: Path) -> Variables:
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _unreadable(path, error) from error
    listed = [one for one in told.get("index", ()) if not one.get("explicit")]
    defaults = [one["url"] for one in listed if one.get("default")]
    extra = [_name(one) for one in listed if not one.get("default")]
    extra += told.get("extra-index-url", [])
    default = defaults[0] if defaults else told.get("index-url")
    return _named(default=default, extra=" ".join(extra))


def _name(index: Mapping[str, Any]) -> str:
    return f"{index['name']}={index['url']}" if "name" in index else str(index["url"])


# -- pip


def _read_pip(environ: Mapping[str, str]) -> Variables:
    written: Variables = {}
    for path in iterate_pip_files(environ):
        if path.is_file():
            written |= _read_pip_file(path)
    names = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST")
    return written | {name: environ[name] for name in names if environ.get(name)}


def iterate_pip_files(environ: Mapping[str, str]) -> Iterator[Path]:
    """pip's files, the weakest first."""
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    yield _PIP_OF_ALL
    home = _home(environ)
    yield home / ".pip" / "pip.conf"
    yield _settings_folder(environ) / "pip" / "pip.conf"
    if sys.platform == "darwin":
        yield home / "Library" / "Application Support" / "pip" / "pip.conf"
    if named:
        yield Path(named)


def _read_pip_file(path: Path) -> Variables:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise _unreadable(path, error) from error
    found: Variables = {}
    for section in _PIP_SECTIONS:
        for key in ("index-url", "extra-index-url", "trusted-host"):
            if parser.has_option(section, key):
                name = f"PIP_{key.upper().replace('-', '_')}"
                found[name] = " ".join(parser.get(section, key).split())
    return found


# -- credentials


def _read_netrc(environ: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    path = Path(environ.get("NETRC") or _home(environ) / ".netrc")
    known: dict[str, tuple[str, str]] = {}
    with suppress(OSError, netrc.NetrcParseError):  # installers pass over it, too
        for host, (login, _, password) in netrc.netrc(str(path)).hosts.items():
            known[host] = login, password or ""
    return known


def _sign(indexes: str, known: Mapping[str, tuple[str, str]]) -> str:
    """Put what is known of its host into each URL that has no credentials of its own."""
    return " ".join(_sign_one(word, known) for word in indexes.split())


def _sign_one(word: str, known: Mapping[str, tuple[str, str]]) -> str:
    head, separator, rest = word.partition("://")
    parts = urlsplit(f"https://{rest}") if separator else urlsplit("")
    if parts.hostname not in known or "@" in parts.netloc:
        return word
    login, password = known[str(parts.hostname)]
    return f"{head}://{quote(login, safe='')}:{quote(password, safe='')}@{rest}"


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME") or Path.home())


def _settings_folder(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_CONFIG_HOME") or _home(environ) / ".config")


def _unreadable(path: Path, error: Exception) -> ConfigError:
    told = type(error).__name__  # the words of a parser may hold a line of the file
    return ConfigError(f"{path} cannot be read: {told}", hint=f"correct {path}", path=str(path))
