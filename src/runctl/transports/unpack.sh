# Unpacks the archive $2 into the folder $1: a file has its name there once it is whole.
absolute() {
    case $1 in
    /*) printf '%s\n' "$1" ;;
    *) printf '%s\n' "$PWD/$1" ;;
    esac
}
target=$(absolute "$1") archive=$(absolute "$2")
trap 'rm -rf -- "$archive" "$stage"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p -- "$target" && stage=$(mktemp -d "$target/.runctl-XXXXXXXX") || exit 1
tar -xf "$archive" -C "$stage" && cd -- "$stage" || exit 1
find . -type d -exec sh -c 'for one; do mkdir -p -- "$0/$one" || exit 1; done' "$target" {} + &&
    find . -type f -exec sh -c 'for one; do mv -fT -- "$one" "$0/$one" || exit 1; done' "$target" {} +
