"""``shutdown`` and its like, as an instance without systemd has them: they tell the keeper."""

from __future__ import annotations

_HEAD = """#!/bin/sh
# Of the local cloud: asks the machine's keeper.
pipe=@pipe@
[ -w "$pipe" ] || { echo "${0##*/}: must be root" >&2; exit 1; }
"""
_SHUTDOWN = (
    _HEAD
    + """line=shutdown
for word; do line="$line $word"; done
printf '%s\\n' "$line" > "$pipe"
"""
)


def _at_once(verb: str) -> str:
    return f"{_HEAD}printf '%s\\n' 'shutdown -{verb} now' > \"$pipe\"\n"


_SCRIPTS = {
    "shutdown": _SHUTDOWN,
    "poweroff": _at_once("P"),
    "halt": _at_once("H"),
    "reboot": _at_once("r"),
}


def scripts(pipe: str) -> dict[str, str]:
    """Return the programs by name; the pipe is where the keeper hears them."""
    return {name: text.replace("@pipe@", pipe) for name, text in _SCRIPTS.items()}
