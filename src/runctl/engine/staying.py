"""What of the user's way to package indexes stays on this machine, and is said at a launch."""

from __future__ import annotations

import configparser
from collections.abc import Iterator, Mapping
from contextlib import suppress

from runctl.config import Settings
from runctl.engine.indexes import collect_indexes, iterate_pip_files

_VARIABLES = (
    "SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT", "PIP_CERT", "PIP_CLIENT_CERT",
    "REQUESTS_CA_BUNDLE", "UV_KEYRING_PROVIDER", "PIP_KEYRING_PROVIDER",
)  # fmt: skip
_OPTIONS = ("cert", "client-cert", "keyring-provider")


def launch_notes(settings: Settings, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Say which wishes come to nothing where the run is to be, and what is not brought there.

    Certificates and keyrings are said only where the user has indexes of his own, which may
    need them, and where the instance is to reach these itself.
    """
    is_here, is_staged = settings.run.on == "local", settings.environment.stage_wheels
    if is_here and is_staged:
        return ("--stage-wheels sends nothing: this machine is where the run installs, by itself",)
    if is_here or is_staged or not settings.environment.install or settings.docker.image:
        return ()
    names = ", ".join(_staying(environ)) if collect_indexes(environ) else ""
    if not names:
        return ()
    return (f"only this machine has {names}; an index that needs them: --stage-wheels",)


def _staying(environ: Mapping[str, str]) -> Iterator[str]:
    yield from (name for name in _VARIABLES if environ.get(name))
    for path in iterate_pip_files(environ):
        parser = configparser.RawConfigParser()
        with suppress(OSError, UnicodeDecodeError, configparser.Error):  # told with the indexes
            parser.read_string(path.read_text(encoding="utf-8"))
            for section in parser.sections():
                found = (option for option in _OPTIONS if parser.has_option(section, option))
                yield from (f"{option} of {path}" for option in found)
