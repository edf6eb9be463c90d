# Prints size, tab and name of each file at $1, each with a NUL at its end; one file has no name.
if [ ! -e "$1" ]; then
    echo "there is no such file or folder" >&2
    exit 44
fi
find -L "$1" -type f -printf '%s\t%P\0'
