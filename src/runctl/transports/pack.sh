# Says "file" of the file $1; packs the files of the folder $1 into the archive $2, and says "folder".
if [ -f "$1" ]; then
    echo file
    exit
fi
if [ ! -d "$1" ]; then
    echo "there is no such file or folder" >&2
    exit 44
fi
umask 077
tar -chf "$2" --hard-dereference -C "$1" . && echo folder
