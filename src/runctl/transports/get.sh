# Writes the file $1 to standard output, its mode and SHA-256 to standard error.
if [ ! -f "$1" ]; then
    echo "there is no such file" >&2
    exit 1
fi
exec <"$1" || exit 1
mode=$(stat -L -c %a -- "$1") && digest=$(sha256sum) || exit 1
exec <"$1" && cat && printf '%s %s\n' "$mode" "${digest%% *}" >&2
