# Writes standard input to the file $1 with mode $2, whole or not at all; $3 is its SHA-256.
target=$1
case $target in
/*) ;;
*) target=./$target ;;
esac
if [ -d "$target" ]; then
    echo "it is a folder" >&2
    exit 1
fi
folder=${target%/*}/
mkdir -p -- "$folder" || exit 1
umask 077
part=$(mktemp "$folder.runctl.XXXXXXXX") || exit 1
trap 'rm -f -- "$part"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$part" || exit 1
if [ "$(sha256sum <"$part")" != "$3  -" ]; then
    echo "other bytes arrived than were sent" >&2
    exit 1
fi
chmod "$2" "$part" && mv -f -- "$part" "$target"
