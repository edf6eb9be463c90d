# Runs the command "$@", and ends standard error with a line that says how it went, after the
# mark "$0". Run as: sh -c TEXT MARK COMMAND ARGUMENT...
set -f
found=
case $1 in
*/*) [ ! -f "$1" ] || [ ! -x "$1" ] || found=$1 ;;
*)
    # Not by the shell's own look-up: that would find what is built into it.
    IFS=:
    for folder in $PATH; do
        folder=${folder:-.}
        if [ -f "$folder/$1" ] && [ -x "$folder/$1" ]; then
            found=$folder/$1
            break
        fi
    done
    unset IFS
    ;;
esac
if [ -z "$found" ]; then
    printf '\n%s absent 127\n' "$0" >&2
    exit 127
fi
shift
exec 3>&1 4>&2 5<&0
# 128+n is a signal only where a shell tells of it on its own standard error. It never tells of
# these three; as a substitution it may tell of none, hence one more shell, and bash not as sh.
told=$(exec sh -c '
    ! (set +o posix) 2>/dev/null || set +o posix
    (exec "$0" "$@" <&5 >&3 2>&4 3>&- 4>&- 5<&-)
    printf " %s" "$?"
' "$found" "$@" 2>&1)
status=${told##* }
kind=status
if [ "$status" -gt 128 ]; then
    case ${told% *}:$status in
    :130 | :141 | :143) kind=signal ;;
    :*) ;;
    *) kind=signal ;;
    esac
fi
printf '\n%s %s %s\n' "$0" "$kind" "$status" >&2
exit "$status"
