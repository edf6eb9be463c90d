#!/bin/sh
# Puts a hash-pinned uv into .tools/uv and the path of a Python >= 3.11 into .tools/python.
# Needs nothing but a Python; `make` calls it, and it may be called again at any time.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

# A name on PATH may be a version manager's shim with nothing behind it: run it to know.
find_python() {
    for name in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python3.14 python; do
        [ -n "$name" ] || continue
        "$name" -c 'import sys; assert sys.version_info >= (3, 11); print(sys.executable)' \
            2>/dev/null && return
    done
    return 1
}

with_pip() {
    "$python" -m pip --version >/dev/null 2>&1 || return 1
    install_uv "$python"
}

with_venv() {
    "$python" -m venv --clear .tools/pip >/dev/null 2>&1 || return 1
    install_uv .tools/pip/bin/python
}

with_apt() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    say "installing python3-venv with apt-get, for neither pip nor venv is there"
    version=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    apt-get update -qq && apt-get install -y -qq "$version" >&2 || return 1
    with_venv
}

# exit, not return: where pip is there and fails, its own words say why; nothing else will help.
install_uv() {
    PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 "$1" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
        --no-deps --require-hashes --only-binary :all: --upgrade --target .tools/uv \
        -r requirements/uv.txt || { say "pip could not install uv"; exit 1; }
}

python=$(find_python) || {
    say "runctl needs Python 3.11 or newer on PATH; none was found."
    say "Install one, or name it: make PYTHON=/path/to/python3.11"
    exit 1
}
mkdir -p .tools
with_pip || with_venv || with_apt || {
    say "$python has neither pip nor a working venv module, so uv cannot be fetched."
    say "Install one of them, e.g.: sudo apt-get install python3-venv"
    exit 1
}
rm -rf .tools/pip
printf '%s\n' "$python" >.tools/python
