"""``service docker start``, as an instance without systemd has it: dockerd in the instance itself.

Debian's own script asks for more than an instance may: limits of root's, the host's cgroups.
"""

from __future__ import annotations

DAEMON = "/usr/sbin/dockerd"
PATH = "/etc/init.d/docker"
SCRIPT = """#!/bin/sh
# Of the local cloud.
pid=/run/docker.pid
is_up() { docker version >/dev/null 2>&1; }
case "$1" in
start)
    is_up && exit 0
    set -a
    . /etc/environment
    setsid dockerd --pidfile "$pid" >/var/log/docker.log 2>&1 </dev/null &
    for tenth in $(seq 300); do
        is_up && exit 0
        sleep 0.1
    done
    tail -n 1 /var/log/docker.log >&2
    exit 1
    ;;
stop) [ ! -s "$pid" ] || kill "$(cat "$pid")" ;;
status) is_up ;;
*) echo "usage: $0 start|stop|status" >&2; exit 2 ;;
esac
"""
