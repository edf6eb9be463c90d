#!/bin/sh
# Runs one command as the login user, and prints how it went. Before this text stand four
# variables, all in base64: arguments, arguments_url, input_url, output_url.
set -fu
umask 077
fail() {
    printf 'failed\n%s\n' "$1"
    exit 0
}
work=$(mktemp -d) || fail "no temporary folder can be made"
trap 'rm -rf "$work"' EXIT
trap 'exit 143' HUP INT TERM
# Root writes only where the user cannot put a link.
own=$work/own
mkdir "$own" && chmod 711 "$work" || fail "no temporary folder can be made"
plain() { printf %s "$1" | base64 -d; }

# The addresses are secrets for as long as they are valid: ps must not show them.
transfer() {
    what=$1 url=$2
    shift 2
    printf 'url = "%s"\n' "$(plain "$url")" |
        curl -sSgf --retry 3 --connect-timeout 10 -K - "$@" 2>"$work/curl" ||
        fail "$what cannot pass through the store: $(cat "$work/curl")"
}

# The default user of cloud-init; the last file that names one counts.
find_default() {
    default=
    set +f
    for file in /etc/cloud/cloud.cfg /etc/cloud/cloud.cfg.d/*.cfg; do
        set -f
        is_within=
        [ ! -r "$file" ] || while IFS= read -r line || [ -n "$line" ]; do
            case $line in
            [!\ ]*) is_within= ;;
            esac
            # shellcheck disable=SC2086
            set -- $line
            case ${1-}:$is_within in
            default_user:*) is_within=1 ;;
            name::1)
                default=${2-}
                default=${default#[\"\']} default=${default%[\"\']}
                is_within=
                ;;
            esac
        done <"$file"
    done
}

# Sets user, uid, gid, home: of the default user, or of the one account that people log in to.
find_login() {
    found=0
    while IFS=: read -r name _ this_uid this_gid _ this_home shell; do
        if [ "$name" = "$default" ] && [ "$this_uid" != 0 ]; then
            user=$name uid=$this_uid gid=$this_gid home=$this_home found=1
            return
        fi
        case $shell in
        */nologin | */false | '') continue ;;
        esac
        if [ "$this_uid" -ge 1000 ] && [ "$this_uid" -lt 65534 ] && [ -d "$this_home" ]; then
            user=$name uid=$this_uid gid=$this_gid home=$this_home found=$((found + 1))
        fi
    done </etc/passwd
}

become() {
    if command -v setpriv >/dev/null; then
        "$@" setpriv --reuid "$uid" --regid "$gid" --init-groups -- sh "$own/run"
    elif command -v runuser >/dev/null; then
        "$@" runuser -u "$user" -- sh "$own/run"
    else
        "$@" su -s /bin/sh "$user" -c "exec sh $own/run"
    fi
}

if [ -n "$arguments_url" ]; then
    transfer "the command" "$arguments_url" -o "$own/arguments"
else
    plain "$arguments" >"$own/arguments"
fi
: >"$own/in"
[ -z "$input_url" ] || transfer "the input" "$input_url" -o "$own/in"
as=env
! setsid -w true 2>/dev/null || as='setsid -w'
# The user opens the streams, so that it may open /dev/stderr and the like again; and they are
# pipes, so that doing so empties nothing.
cat >"$own/run" <<'END'
own=${0%/*}
if [ -n "${runctl_home-}" ]; then
    export HOME="$runctl_home" USER="$runctl_user" LOGNAME="$runctl_user"
    unset runctl_home runctl_user
fi
cd || exit
. "$own/arguments"
{ "$@" 2>&3 3>&- <"$own/in" | cat >"$own/out"; } 3>&1 | cat >"$own/err"
END
if [ "$(id -u)" = 0 ]; then
    find_default
    find_login
    [ "$found" = 1 ] || fail "the image does not tell its login user: $found accounts could be it"
    chown -R "$uid:$gid" "$own" || fail "nothing can be given to $user"
    export runctl_home="$home" runctl_user="$user"
    # shellcheck disable=SC2086
    become $as </dev/null >"$work/said" 2>&1
else
    # shellcheck disable=SC2086
    $as sh "$own/run" </dev/null >"$work/said" 2>&1
fi
[ -f "$own/err" ] || fail "the login user cannot be become: $(cat "$work/said")"

cat "$own/out" "$own/err" >"$work/both"
out=$(wc -c <"$own/out") both=$(wc -c <"$work/both")
digest=$(sha256sum <"$work/both")
way=inline
if [ "$both" -gt 15000 ]; then
    way=store
    transfer "the output" "$output_url" -o "$work/answer" -T "$work/both"
fi
printf 'ended %d %s %s\n' "$out" "${digest%% *}" "$way"
[ "$way" = store ] || base64 <"$work/both"
