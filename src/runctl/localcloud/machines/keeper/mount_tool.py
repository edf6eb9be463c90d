"""``mount`` for an instance whose volumes are files: what is on those, fuse2fs mounts."""

from __future__ import annotations

REAL = "/usr/lib/local-cloud/mount"
SCRIPT = f"""#!/bin/sh
# Of the local cloud: volumes are files here, and fuse2fs mounts them.
real={REAL}
source= target= options= readonly=
next=
for word; do
    case $next in
    o) options=$word next= ; continue ;;
    skip) next= ; continue ;;
    esac
    case $word in
    -o) next=o ;;
    -o*) options=${{word#-o}} ;;
    -t|--types) next=skip ;;
    -r|--read-only) readonly=,ro ;;
    -*) ;;
    *) source=$target target=$word ;;
    esac
done
case $source in
UUID=*|LABEL=*)
    for node in /dev/nvme*n1; do
        [ -f "$node" ] || continue
        [ "$(blkid -o value -s "${{source%%=*}}" "$node")" = "${{source#*=}}" ] && source=$node
    done ;;
esac
node=$(readlink -f "$source" 2>/dev/null)
case $node in
/dev/nvme*) [ -f "$node" ] || exec "$real" "$@" ;;
*) exec "$real" "$@" ;;
esac
case ,$options, in *,ro,*) readonly=,ro ;; esac
case $(blkid -o value -s TYPE "$node") in
ext[234]) ;;
*) echo "mount: $target: wrong fs type, bad option, bad superblock on $node." >&2; exit 32 ;;
esac
exec fuse2fs -o "fsname=$node,fakeroot,allow_other$readonly" "$node" "$target" > /dev/null
"""
