# Fetches files into the folder $1. Standard input has four lines for each: its name, its URL, the
# program that computes its digest (- for none), and SIZE:DIGEST of each of its parts, with spaces.
# A file has its name once it is proven. What could not be had is told, and the others go on.
target=$1 failed=0
crc32_of() { # gzip ends with it, the lowest byte first
    gzip -1 | tail -c 8 | od -A n -t u1 -N 4 | { read -r a b c d && printf '%02x%02x%02x%02x\n' "$d" "$c" "$b" "$a"; }
}
proven() {
    [ "$2" != - ] || return 0
    exec 3<"$1"
    for pair in $3; do
        found=$(head -c "${pair%%:*}" <&3 | "$2") || return 1
        [ "${found%% *}" = "${pair#*:}" ] || return 1
    done
}
while IFS= read -r name && IFS= read -r url && IFS= read -r program && IFS= read -r parts; do
    file=$target/$name
    if mkdir -p -- "${file%/*}" && part=$(mktemp "${file%/*}/.runctl-XXXXXXXX") &&
        curl -fsS --retry 5 -o "$part" -- "$url" </dev/null; then
        if ! proven "$part" "$program" "$parts"; then
            echo "$name does not hold the bytes that were stored" >&2
            failed=45
        elif chmod 644 "$part" && mv -fT -- "$part" "$file"; then
            continue
        fi
    fi
    [ $failed -ne 0 ] || failed=1
    echo "$name could not be fetched" >&2
    rm -f -- "$part"
done
exit $failed
