# On the instance: what it is, then the version of each Python on its path, the usual one first.
libc=gnu
case $(ldd --version 2>&1 || :) in *musl*) libc=musl ;; esac
printf '%s %s %s\n' "$(uname -s)" "$(uname -m)" "$libc"
for one in python3 python3.15 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9; do
    path=$(command -v "$one") || continue
    "$path" -c 'import platform; print(platform.python_version())' 2>/dev/null || :
done
