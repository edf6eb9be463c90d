# Tells what is in the folder $1 of a sync, and starts the receiver by $2, its text to Python.
# $3 names the receiver's version; $4 is not empty where the line is awaited. The line told is "SEEN CODEC NEED": SEEN is the digest of what
# the receiver has listed there, as stat sees it, or "none" where no sync has been; NEED is "all",
# or "nothing" where the receiver lies there, compiled.
folder=$1
# shellcheck disable=SC2088 # a ~ that has arrived as such
case $folder in
'~') folder=$HOME ;;
'~/'*) folder=$HOME/${folder#'~/'} ;;
esac
place=$folder/.runctl-sync
codec=zlib
for library in /usr/lib64/libzstd.so.1 /usr/lib/*/libzstd.so.1 /usr/lib/libzstd.so.1; do
    [ ! -e "$library" ] || codec=zstd
done
for python in python3 "$HOME"/.runctl/agents/*/bin/python /usr/libexec/platform-python ''; do
    ! command -v "$python" >/dev/null 2>&1 || break
done
if [ -z "$python" ]; then
    echo "it has no Python" >&2
    exit 127
fi
real=$(readlink -f "$(command -v "$python")" 2>/dev/null)
kept= need=all
case ${real##*/} in python3.*)
    kept=$place/receiver-$3-${real##*/}
    [ ! -e "$kept" ] || need=nothing
    ;;
esac
list() {
    export LC_ALL=C
    xargs -0 stat --printf '%f %s %.9Y %.9Z %i\n' -- <.runctl-sync/names
    xargs -0 stat --printf '%f\n' -- <.runctl-sync/folders
}
look() {
    cd -- "$folder" 2>/dev/null && [ -e .runctl-sync ] || { echo "none $codec $need" && return; }
    set -- .runctl-sync/staged/*
    seen=unsure
    if [ -e .runctl-sync/state ] && [ ! -e .runctl-sync/journal ] && [ ! -e "$1" ]; then
        seen=$(list 2>/dev/null | sha256sum)
    fi
    echo "${seen%% *} $codec $need"
}
if [ -n "$4" ]; then
    look </dev/null & # which is waited for before anything is asked
else
    (look) </dev/null
fi
exec "$python" -ISX utf8 -c "$2" "$kept"
