# As root, on an instance: have RUN run by USER at each boot.
#   sh -s -- USER RUN < this
set -eu
user=$1 run=$2
replace() { cat >"$1.part" && mv "$1.part" "$1"; }

if [ -d /run/systemd/system ]; then
    unit=runctl-return-$user.service
    replace "/etc/systemd/system/$unit" <<END
[Unit]
Description=Takes up runs of runctl after a reboot
Wants=network-online.target
After=network-online.target remote-fs.target cloud-init.service cloud-init-network.service
[Service]
Type=oneshot
User=$user
ExecStart=/bin/sh "$run"
KillMode=process
[Install]
WantedBy=multi-user.target
END
    systemctl daemon-reload
    systemctl --quiet enable "$unit"
    exit
fi
rc=/etc/rc.local line="sudo -n -u '$user' -H sh '$run' </dev/null >/dev/null 2>&1 &"
had=$(cat "$rc" 2>/dev/null || :)
case $had in
*"$line"*) exit ;;
esac
# Before all else, for many end with exit.
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
