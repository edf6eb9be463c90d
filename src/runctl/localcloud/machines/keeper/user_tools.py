"""``sudo`` and its like, for an instance that has a single real user.

Root and the login user are then the same to the kernel, each in a user namespace of its own;
one becomes the other by entering a further one.
"""

from __future__ import annotations

_BECOME = """#!/bin/sh
# Of the local cloud: this instance has one real user, who is root or the login user.
set -u
tool=${0##*/}
login=@login@
login_uid=@uid@
user=root
is_login=
command=
shell=
die() { echo "$tool: $1" >&2; exit 1; }
named() {
    case $1 in
    root|0|'#0'|+0) user=root ;;
    "$login"|"$login_uid"|"#$login_uid"|"+$login_uid") user=$login ;;
    *) die "there is no user $1 in this instance, which has one real user" ;;
    esac
}
become() {
    uid=$login_uid home=@root@/home/$login
    [ "$user" = "$login" ] || uid=0 home=@root@/root
    shell=${shell:-${SHELL:-/bin/sh}}
    if [ -n "$is_login" ]; then
        cd "$home" || exit 1
        if [ -n "$command" ]; then set -- "$shell" -l -c "$command" "$@"
        elif [ $# -gt 0 ]; then set -- "$shell" -l -c 'exec "$@"' "$shell" "$@"
        else set -- "$shell" -l
        fi
    elif [ -n "$command" ]; then set -- "$shell" -c "$command" "$@"
    elif [ $# -eq 0 ]; then set -- "$shell"
    fi
    if [ "$(id -u)" = "$uid" ] || [ -n "@is_name_only@" ]; then into=
    else into="unshare --user --map-user=$uid --map-group=$uid --"
    fi
    # shellcheck disable=SC2086
    exec $into env HOME="$home" USER="$user" LOGNAME="$user" SHELL="$shell" "$@"
}
"""
_SUDO = (
    _BECOME
    + """
while [ $# -gt 0 ]; do
    case $1 in
    -u) named "$2"; shift ;;
    --user=*) named "${1#*=}" ;;
    -u*) named "${1#-u}" ;;
    -i|--login) is_login=1 ;;
    -g|-p|-C|-D|-R|-T|-h|--group|--prompt|--chdir) shift ;;
    -l|-v|-k|-K|--list|--validate) [ $# -gt 1 ] || exit 0 ;;
    --) shift; break ;;
    -*) ;;
    *=*) export "$1" ;;
    *) break ;;
    esac
    shift
done
become "$@"
"""
)
_SU = (
    _BECOME
    + """
if [ "$(id -u)" != 0 ] && [ -z "@is_name_only@" ]; then
    [ "$tool" = su ] || die 'may not be used by non-root users'
    die 'Authentication failure'
fi
is_named=
while [ $# -gt 0 ]; do
    case $1 in
    -u|--user) named "$2"; is_named=1; shift ;;
    -|-l|--login) is_login=1 ;;
    -c|--command) command=$2; shift ;;
    --command=*) command=${1#*=} ;;
    -s|--shell) shell=$2; shift ;;
    --shell=*) shell=${1#*=} ;;
    -g|-G|-w) shift ;;
    --) shift; break ;;
    -*) ;;
    *) [ -z "$is_named" ] || break; named "$1"; is_named=1 ;;
    esac
    shift
done
become "$@"
"""
)
_SETPRIV = (
    _BECOME
    + """
while [ $# -gt 0 ]; do
    case $1 in
    --reuid|--ruid|--euid) named "$2"; shift ;;
    --reuid=*|--ruid=*|--euid=*) named "${1#*=}" ;;
    --regid|--rgid|--egid|--groups|--inh-caps|--ambient-caps|--bounding-set|--securebits) shift ;;
    --pdeathsig) shift ;;
    --) shift; break ;;
    -*) ;;
    *) break ;;
    esac
    shift
done
uid=0; [ "$user" = root ] || uid=$login_uid
if [ "$(id -u)" = "$uid" ] || [ -n "@is_name_only@" ]; then exec "$@"; fi
exec unshare --user --map-user="$uid" --map-group="$uid" -- "$@"
"""
)
_CHOWN = """#!/bin/sh
# Of the local cloud: this instance has one real user, to whom all belongs already.
status=0 is_first=1
for word; do
    case $word in
    --reference=*) is_first= ;;
    -*) ;;
    *)
        if [ -n "$is_first" ]; then is_first=
        elif [ ! -e "$word" ] && [ ! -L "$word" ]; then
            echo "${0##*/}: cannot access '$word': No such file or directory" >&2
            status=1
        fi ;;
    esac
done
exit $status
"""
_TOOLS = {
    "/usr/bin/chown": _CHOWN,
    "/usr/bin/chgrp": _CHOWN,
    "/usr/bin/sudo": _SUDO,
    "/usr/bin/su": _SU,
    "/usr/sbin/runuser": _SU,
    "/usr/bin/setpriv": _SETPRIV,
}


def scripts(login: str, uid: int, root: str | None = None) -> dict[str, str]:
    """Return the programs, by their place in the instance.

    With a root, users are names only: nothing but their homes tells one from the other.
    """
    values = {"login": login, "uid": str(uid), "root": root or "", "is_name_only": root or ""}
    return {path: _fill(text, values) for path, text in _TOOLS.items()}


def _fill(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
