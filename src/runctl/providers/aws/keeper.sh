#!/bin/sh
# Ends this instance by itself: when its time is over, when no run was on it for long, when the run
# that it is for asks. It is user data, and settles in at the first boot; it needs no network.
set -u
umask 022
ttl_s=@ttl_s@ ttl=@ttl@
idle_s=@idle_s@ idle=@idle@
on_request=@on_request@
# For how long a run may save and ship its work, once it has been told that all ends.
grace_s=90
state=/var/lib/runctl-keeper
idle_note=/run/runctl-keeper-idle
not_ours=3

say() {
    printf 'runctl-keeper: %s\n' "$1" >>"$state/log"
    { printf 'runctl-keeper: %s\r\n' "$1" >/dev/console; } 2>/dev/null
}
# Seconds since the machine started: nothing but a boot sets them.
read_uptime() {
    read -r uptime _ </proc/uptime
    uptime=${uptime%.*}
}
utc() {
    date -u -d "@$1" '+%Y-%m-%d %H:%M:%S UTC'
}
replace() {
    cat >"$1.part" && mv "$1.part" "$1"
}

# ---------------------------------------------------------------- settling in

# An image of an instance carries its files along; the keeper is not for what is made from it.
identity() {
    cat /var/lib/cloud/data/instance-id 2>/dev/null || echo unknown
}
is_ours() {
    [ "$(identity)" = "$(cat "$state/instance")" ]
}

settle() {
    mkdir -p "$state" || exit
    if [ ! -e "$state/instance" ] || ! is_ours; then
        rm -f "$state/deadline" "$state/ending"
    fi
    identity | replace "$state/instance"
    replace "$state/keeper.sh" <"$0"
    sync
    if [ -d /run/systemd/system ]; then
        settle_in_systemd
    else
        settle_in_rc_local
        sh "$state/keeper.sh" boot
    fi
}

settle_in_systemd() {
    replace /etc/systemd/system/runctl-keeper.service <<END
[Unit]
Description=Ends this instance when runctl was asked to
After=cloud-init.service cloud-init-network.service
StartLimitIntervalSec=0
[Service]
ExecStart=/bin/sh $state/keeper.sh keep
Restart=always
RestartSec=1
RestartPreventExitStatus=$not_ours
OOMScoreAdjust=-900
[Install]
WantedBy=multi-user.target
END
    systemctl daemon-reload
    systemctl enable runctl-keeper.service
    systemctl start --no-block runctl-keeper.service
}

settle_in_rc_local() {
    rc=/etc/rc.local line="sh $state/keeper.sh boot"
    had=$(cat "$rc" 2>/dev/null)
    case $had in
    *"$line"*) return ;;
    esac
    # Before all else, for many end with exit; what was not run before is not run now.
    {
        case $had in
        '#!'*) printf '%s\n' "${had%%"
"*}" ;;
        *) echo '#!/bin/sh' ;;
        esac
        echo "$line"
        [ -x "$rc" ] || echo 'exit 0'
        printf '%s\n' "$had"
    } | replace "$rc"
    chmod 755 "$rc"
}

# ---------------------------------------------------------------- the second line

# Ends the instance a little later than the keeper does, should the keeper be dead.
set_timer() {
    late_s=$((deadline - $(date +%s) + grace_s + 30))
    [ "$late_s" -ge 30 ] || late_s=30
    if [ -d /run/systemd/system ]; then
        systemctl is-active --quiet runctl-deadline.timer ||
            systemd-run --quiet --unit=runctl-deadline --timer-property=AccuracySec=1s \
                --on-calendar="$(utc $(($(date +%s) + late_s)))" /bin/sh "$state/keeper.sh" late
        systemctl is-active --quiet runctl-deadline.timer
    else
        shutdown -h "+$(((late_s + 59) / 60))" </dev/null >/dev/null 2>&1 &
        sleep 1
        [ -e /run/systemd/shutdown/scheduled ]
    fi || say "no timer could be set: nothing but the keeper ends this instance"
}

# ---------------------------------------------------------------- keeping

# Sets runs: the processes that hold a lock of ours. The kernel tells, which forgets a lock with
# its holder. By inode alone: what looks like a run at worst lives until the time is over.
find_runs() {
    inodes='' runs=''
    for home; do
        for lock in "$home"/.runctl/instance/locks/*.lock; do
            [ ! -f "$lock" ] || inodes="$inodes $(stat -c %i "$lock") "
        done
    done
    [ -n "$inodes" ] || return 0
    while read -r _ kind _ mode pid place _; do
        case $kind-$mode:$inodes in
        FLOCK-WRITE:*" ${place##*:} "*) runs="$runs $pid" ;;
        esac
    done </proc/locks
}

# Once and for all: what has been written down is what counts, whatever comes in between.
set_deadline() {
    [ -s "$state/deadline" ] || echo $(($(date +%s) + ttl_s)) | replace "$state/deadline"
    deadline=$(cat "$state/deadline")
    set_timer
}

check_time() {
    left_s=$((deadline - $(date +%s)))
    if [ "$left_s" -le 0 ]; then
        finish "its time to live of $ttl is over" "$@"
    elif [ "$left_s" -lt "$look_s" ]; then
        look_at=$((uptime + left_s))
    fi
}

check_idle() {
    find_runs "$@"
    if [ -n "$runs" ]; then
        idle_since=
        rm -f "$idle_note"
    elif [ -z "$idle_since" ]; then
        idle_since=$uptime
        echo "$uptime" | replace "$idle_note"
    elif [ $((uptime - idle_since)) -ge "$idle_s" ]; then
        finish "no run was on it for $idle" "$@"
    fi
}

# The file is the login user's: of what is in it, nothing is believed but the name of a run.
check_request() {
    for home; do
        file=$home/.runctl/instance/end
        if [ ! -f "$file" ] || [ -L "$file" ]; then
            continue
        fi
        [ "$(stat -c %u "$file")" = "$(stat -c %u "$home")" ] || continue
        run=$(timeout 2 head -c 64 "$file")
        case $run in
        '' | *[!a-z0-9-]*) run='that it was for' ;;
        esac
        finish "the run $run is over" "$@"
    done
}

# Runs see why it ends, and stop as they do on request; those that take too long are cut off.
finish() {
    say "ending: $1"
    echo "$1" | replace "$state/ending"
    shift
    read_uptime
    until_s=$((uptime + grace_s))
    find_runs "$@"
    while [ -n "$runs" ] && [ "$uptime" -lt "$until_s" ]; do
        sleep 1
        read_uptime
        find_runs "$@"
    done
    [ -z "$runs" ] || say "a run has not ended within $grace_s s"
    shutdown -h now </dev/null
    sleep 120
    say "it has not gone down within 120 s: switching it off"
    poweroff -f </dev/null
    sleep 10
}

tell() {
    if [ -n "$ttl_s" ]; then
        say "this instance ends at $(utc "$deadline"), $ttl after its first boot"
    fi
    [ -z "$idle_s" ] || say "this instance ends once no run was on it for $idle"
    [ -z "$on_request" ] || say "this instance ends with the run that it is for"
}

# Looks for what is asked each 2 s, for the rest the more rarely the longer it is away.
keep() {
    while IFS=: read -r _ _ uid _ _ home _; do
        if [ "$uid" = 0 ] || { [ "$uid" -ge 1000 ] && [ "$uid" -lt 65534 ]; }; then
            set -- "$@" "$home"
        fi
    done </etc/passwd
    rm -f "$state/ending"
    [ -z "$ttl_s" ] || set_deadline
    tell
    idle_since=$(cat "$idle_note" 2>/dev/null)
    look_s=20 look_at=0
    for time_s in $ttl_s $idle_s; do
        [ $((time_s / 20)) -ge "$look_s" ] || look_s=$((time_s / 20))
    done
    while :; do
        read_uptime
        if [ "$uptime" -ge "$look_at" ]; then
            look_at=$((uptime + look_s))
            [ -z "$ttl_s" ] || check_time "$@"
            [ -z "$idle_s" ] || check_idle "$@"
        fi
        [ -z "$on_request" ] || check_request "$@"
        sleep 2
    done
}

case ${1-} in
'')
    case $(id -u):$0 in
    0:/var/lib/cloud/*) settle ;;
    *) echo "runctl-keeper: this is not the root of an instance: nothing ends it by itself" ;;
    esac
    ;;
boot)
    # Nothing else brings back a keeper that was killed.
    # shellcheck disable=SC2016
    setsid sh -c 'while [ "$?" != "$1" ]; do sleep 1; sh "$0" keep; done' "$0" "$not_ours" \
        </dev/null >/dev/null 2>&1 &
    ;;
keep)
    is_ours || exit "$not_ours"
    keep
    ;;
late)
    is_ours || exit 0
    say "ending: its time to live of $ttl is over, and its keeper is gone"
    shutdown -h now
    ;;
esac
