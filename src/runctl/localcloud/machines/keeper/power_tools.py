"""``shutdown`` and its like, as an instance without systemd has them: they tell the keeper."""

from __future__ import annotations

_HEAD = """#!/bin/sh
# Of the local cloud: asks the machine's keeper.
pipe=@pipe@
[ -w "$pipe" ] || { echo "${0##*/}: must be root" >&2; exit 1; }
"""
_SHUTDOWN = (
    _HEAD
    + """line=shutdown at=$(date -d '1 minute' +%s) mode=poweroff
for word; do
    line="$line $word"
    case $word in
    now|-c|--cancel) at= ;;
    +*) at=$(($(date +%s) + ${word#+} * 60)) ;;
    *:*) at=$(date -d "$word" +%s); [ "$at" -gt "$(date +%s)" ] || at=$((at + 86400)) ;;
    -r|--reboot) mode=reboot ;;
    esac
done
# As systemd's leaves it, for those who want to know.
note=${pipe%/localcloud/power}/systemd/shutdown/scheduled
mkdir -p "${note%/*}" && rm -f "$note"
[ -z "$at" ] || printf 'USEC=%s000000\\nWARN_WALL=1\\nMODE=%s\\n' "$at" "$mode" > "$note"
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
