#!/bin/sh
# Installs what the local cloud's instances are made with, and a Docker for the tests, where it is
# missing and this is Debian and root; says plainly what is left out where it cannot. `make test` and `make demo` call it.
set -eu

say() { printf '%s\n' "$*" >&2; }

# command:package, and what is left out without it
needed='
/usr/sbin/sshd:openssh-server
/usr/bin/ssh:openssh-client
/usr/sbin/ip:iproute2
/usr/bin/sudo:sudo
/usr/bin/bwrap:bubblewrap
/usr/bin/newuidmap:uidmap
/usr/bin/curl:curl
/usr/sbin/mkfs.ext4:e2fsprogs
/usr/bin/fuse2fs:fuse2fs
/usr/bin/dbus-daemon:dbus
/lib/systemd/systemd:systemd
/usr/sbin/dockerd:docker.io
/usr/bin/docker-registry:docker-registry
'

missing=''
for pair in $needed; do
    [ -x "${pair%%:*}" ] || missing="$missing ${pair##*:}"
done
[ -n "$missing" ] || exit 0

if [ "$(uname -s)" != Linux ]; then
    say "left out: instances of the local cloud need Linux; they are plain processes here"
elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing with apt-get:$missing"
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2
else
    say "left out, for these packages are missing and this is not root on Debian:$missing"
    say "install them, e.g.: sudo apt-get install$missing"
fi
