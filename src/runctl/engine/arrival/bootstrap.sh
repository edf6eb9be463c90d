# On the instance, as its login user: have the agent here, and hand it the order on standard input.
#   sh -c "$(cat bootstrap.sh)" bootstrap NAME start|bring [SHA256 URL]...
# With bring nothing more is done than to have it here.
# Without the agent and without parts it says what this instance is, and exits with 75.
# Needs curl, sha256sum and tar; a Python comes along where there is none of 3.11 or newer.
# Changes nothing outside ~/.runctl.
set -eu
umask 077
name=$1 verb=$2
shift 2
home=$HOME/.runctl
agent=$home/agents/$name
# Of what could not be finished nothing stays; once the agent is started nothing is left to remove.
trap 'rm -rf "$home"/parts/.*."$$" "$home"/parts/.*."$$.tgz" "$home"/agents/.*."$$"' EXIT

find_python() {
    for one in python3 python3.14 python3.13 python3.12 python3.11; do
        path=$(command -v "$one") || continue
        if "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$path"
            return
        fi
    done
}

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

describe() {
    libc=gnu
    case $(ldd --version 2>&1 || :) in *musl*) libc=musl ;; esac
    version=none
    [ -z "$python" ] || version=$(version_of "$python")
    printf 'runctl-needs %s %s %s %s\n' "$(uname -s)" "$(uname -m)" "$libc" "$version"
}

# Fetch one part, unless it is here; it has its name only once its digest was seen.
fetch() {
    part=$home/parts/$1
    [ ! -d "$part" ] || return 0
    temporary=$home/parts/.$1.$$
    mkdir -p "$temporary"
    curl --silent --show-error --fail --location --retry 3 --connect-timeout 10 \
        --output "$temporary.tgz" "$2"
    printf '%s  %s\n' "$1" "$temporary.tgz" | sha256sum -c - >/dev/null 2>&1 || {
        echo "a part of runctl arrived with other bytes: $1" >&2
        exit 65
    }
    tar -xzf "$temporary.tgz" -C "$temporary"
    rm -f "$temporary.tgz"
    mv -T "$temporary" "$part" 2>/dev/null || { rm -rf "$temporary"; [ -d "$part" ]; }
}

# A virtual environment is a folder with a link and a note; the parts are on its path.
make_agent() {
    made=$home/agents/.$name.$$
    mkdir -p "$made/bin"
    : >"$made/paths"
    while [ $# -gt 0 ]; do
        fetch "$1" "$2"
        part=$home/parts/$1
        printf '%s\n' "$part" >>"$made/paths"
        [ ! -x "$part/bin/uv" ] || ln -sf "$part/bin/uv" "$made/bin/uv"
        [ -n "$python" ] || [ ! -x "$part/python/bin/python3" ] || python=$part/python/bin/python3
        shift 2
    done
    packages=$made/lib/python$(version_of "$python")/site-packages
    mkdir -p "$packages"
    mv "$made/paths" "$packages/runctl.pth"
    ln -s "$python" "$made/bin/python"
    printf 'home = %s\ninclude-system-site-packages = false\n' "$(dirname "$python")" \
        >"$made/pyvenv.cfg"
    "$made/bin/python" -I -c 'import ctypes, ssl, zlib, msgspec, obstore, zstandard' || {
        echo "the Python of runctl does not run on this image" >&2
        exit 1
    }
    # One whose Python has gone since is in the way; one that somebody else has just made is not.
    [ ! -d "$agent" ] || [ -x "$agent/bin/python" ] || rm -rf "$agent"
    mv -T "$made" "$agent" 2>/dev/null || { rm -rf "$made"; [ -x "$agent/bin/python" ]; }
}

if [ ! -x "$agent/bin/python" ]; then
    python=$(find_python)
    if [ $# -eq 0 ]; then
        describe
        exit 75
    fi
    make_agent "$@"
fi
[ "$verb" != bring ] || exit 0
exec "$agent/bin/python" -I -m runctl.agent "$verb"
