"""AWS's session-manager-plugin, which speaks the channel of a session of Systems Manager."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from runctl.aws.account import Account
from runctl.aws.sessions import PORTS, StartedSession, started_session
from runctl.errors import ConfigError, TransportError
from runctl.model.access import Forward

PLUGIN = "session-manager-plugin"
WHERE = "https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html"
LOOK_S = 0.1
_VARIABLE = "AWS_SSM_START_SESSION_RESPONSE"
_LAST_WITHOUT_VARIABLE = (1, 2, 497, 0)
# What is typed is the plugin's to understand: in a shell, Ctrl-C is meant for what runs there.
_TYPED = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)


def find_plugin() -> str:
    """Return the path of the plugin; ConfigError where it is not installed."""
    found = shutil.which(PLUGIN)
    if found is None:
        raise ConfigError(
            f"a shell or a port over Systems Manager needs {PLUGIN}, which is not installed",
            hint=f"install it from {WHERE}, or type the same with --transport ssh",
        )
    return found


def open_shell(account: Account, instance_id: str) -> int:
    """Open the shell of the account's settings for sessions; return the plugin's status."""
    plugin = find_plugin()
    with started_session(account, instance_id) as session, _typed_to_plugin():
        return _start(plugin, session).wait()


def hold_ports(account: Account, instance_id: str, forwards: Sequence[Forward]) -> int:
    """Keep ports open, a session for each, until one ends; return the status of its plugin."""
    plugin = find_plugin()
    with ExitStack() as stack:
        processes = []
        for one in forwards:
            asked = {"portNumber": [str(one.remote_port)], "localPortNumber": [str(one.local_port)]}
            session = stack.enter_context(started_session(account, instance_id, PORTS, asked))
            processes.append(stack.enter_context(_ending(_start(plugin, session))))
        while all(one.poll() is None for one in processes):
            time.sleep(LOOK_S)
        return next(one.returncode for one in processes if one.returncode is not None)


def _start(plugin: str, session: StartedSession) -> subprocess.Popen[bytes]:
    secret, environ = session.secret, dict(os.environ)
    if _version(plugin) > _LAST_WITHOUT_VARIABLE:  # ps must not show what opens the session
        environ[_VARIABLE], secret = session.secret, _VARIABLE
    try:
        return subprocess.Popen([plugin, secret, *session.rest], env=environ)
    except OSError as error:
        raise TransportError(f"{plugin} cannot be run: {error.strerror}", hint=WHERE) from error


def _version(plugin: str) -> tuple[int, ...]:
    try:
        told = subprocess.run(
            [plugin, "--version"], stdin=subprocess.DEVNULL, capture_output=True, check=False
        ).stdout
    except OSError as error:
        raise TransportError(f"{plugin} cannot be run: {error.strerror}", hint=WHERE) from error
    text = told.decode(errors="replace").strip()
    is_version = re.fullmatch(r"[0-9]+(\.[0-9]+){0,3}", text)
    return tuple(map(int, text.split("."))) if is_version else ()


@contextmanager
def _ending(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        process.wait()


@contextmanager
def _typed_to_plugin() -> Iterator[None]:
    """Take no notice of what is typed, as long as the plugin runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # By a function: what is ignored would be ignored by the plugin, too.
    before = {number: signal.signal(number, lambda *_: None) for number in _TYPED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
