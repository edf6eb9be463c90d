# Sends files of the folder $1. Standard input has three lines for each: its name, the URL to put it
# to, and its SHA-256 in base 64, with which the store compares what has come.
failed=0
while IFS= read -r name && IFS= read -r url && IFS= read -r sum; do
    if ! curl -fsS --retry 5 -o /dev/null -T "$1/$name" -H "x-amz-checksum-sha256: $sum" \
        -- "$url" </dev/null; then
        echo "$name could not be sent" >&2
        failed=1
    fi
done
exit $failed
