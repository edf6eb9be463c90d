"""Images differ: in their users, in whether they have Python, in what their first process is."""

from __future__ import annotations

import base64
import gzip
import json
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path

import pytest

import runctl.localcloud
from runctl.localcloud.machines.machine import Machine
from runctl.localcloud.machines.results import Feature, State
from tests.localcloud.machines.workplace import Workplace

OWN_FILES = Path(runctl.localcloud.__file__).parents[1]
UNIT = """
[Service]
User=ec2-user
ExecStart=/bin/sh -c '(id -un; env | grep ^AWS_ENDPOINT_URL) >> /var/tmp/ran; sleep 600'
[Install]
WantedBy=multi-user.target
"""


def test_an_image_without_python_has_none_to_be_found(anywhere: Workplace) -> None:
    anywhere.need(Feature.HIDE_PYTHON)
    machine = anywhere.launch(has_python=False)
    script = "find / -xdev -name 'python3*' -perm /111 \\( -type f -o -type l \\) 2>/dev/null"
    assert anywhere.sh(machine, f"{script}; command -v python3 || true") == ""


def test_the_usual_image_has_a_python_of_311_or_newer(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    script = "import sys; print(sys.version_info >= (3, 11))"
    assert anywhere.run(machine, "python3", "-c", script).stdout == "True\n"


def test_the_host_s_secrets_and_folders_are_not_seen(enclosed: Workplace) -> None:
    machine = enclosed.launch()
    places = "/root /home /tmp /mnt /srv"
    seen = enclosed.sh(machine, f"find {places} -xdev -type f; cat /etc/ssh/ssh_host_rsa_key || :")
    # What an instance is made of lies where it lies, which may be one of these places.
    allowed = ("/home/ec2-user/.ssh/authorized_keys", "/root/.pyenv", str(OWN_FILES))
    assert [one for one in seen.splitlines() if not one.startswith(allowed)] == []


def test_what_an_instance_changes_nobody_else_sees(enclosed: Workplace) -> None:
    one, other = enclosed.launch("i-0a"), enclosed.launch("i-0b")
    enclosed.sh(one, "echo mine > /etc/of-one; echo mine > /tmp/of-one; hostname")
    looked = enclosed.run(other, "cat", "/etc/of-one", "/tmp/of-one")
    assert (looked.stdout, looked.status.exit_status) == ("", 1)
    assert not Path("/etc/of-one").exists()
    assert not Path("/tmp/of-one").exists()


def test_tmp_is_empty_after_a_reboot_and_the_rest_is_not(enclosed: Workplace) -> None:
    machine = enclosed.launch()
    enclosed.sh(machine, "mkdir -p /tmp/a/b; ln -s /etc /tmp/a/link; touch /tmp/a/f /var/tmp/kept")
    machine.reboot()
    assert not {"a", "f"} & set(enclosed.sh(machine, "ls /tmp").split())
    assert enclosed.sh(machine, "ls /var/tmp; ls -d /etc/ssh") == "kept\n/etc/ssh\n"


def test_user_data_runs_as_root_at_the_first_boot_only(anywhere: Workplace) -> None:
    machine = anywhere.launch(
        user_data=_encoded(b"#!/bin/sh\necho ran as $USER\necho x >> ~/count")
    )
    _await_cloud_init(anywhere, machine)
    assert "ran as root\n" in Path(machine.console).read_text()
    machine.reboot()
    machine.stop()
    again = anywhere.launch(user_data=machine.plan["user_data"])
    assert anywhere.sh(again, "cat ~/count") == "x\n"


def test_what_root_says_on_the_console_is_shown(enclosed: Workplace) -> None:
    machine = enclosed.launch()
    enclosed.sh(machine, "echo said aloud >/dev/console")
    console = Path(machine.console)
    enclosed.until(lambda: "said aloud\n" in console.read_text(), "it is shown")
    machine.reboot()
    enclosed.sh(machine, "echo once more >/dev/console")
    enclosed.until(lambda: "once more\n" in console.read_text(), "it is shown after a reboot")


def test_an_instance_knows_its_id_as_cloud_init_tells_it(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    assert anywhere.sh(machine, "cat ~/../var/lib/cloud/data/instance-id") == "i-0a\n"


def test_the_parts_of_user_data_are_understood(enclosed: Workplace) -> None:
    config = {
        "bootcmd": ["echo first"],
        "write_files": [{"path": "/opt/new/file", "content": "é", "permissions": "0600"}],
        "runcmd": [["echo", "two words"]],
        "ssh_authorized_keys": ["ssh-ed25519 AAAA given"],
    }
    message = MIMEMultipart()
    message.attach(MIMEText("#cloud-config\n" + json.dumps(config), "cloud-config"))
    message.attach(MIMEText("#!/bin/sh\necho last; exit 3\n", "x-shellscript"))
    message.attach(MIMEText("#include\n", "x-include-url"))
    machine = enclosed.launch(user_data=_encoded(gzip.compress(message.as_bytes())))
    _await_cloud_init(enclosed, machine)
    console = Path(machine.console).read_text()
    assert "ignored a part of type text/x-include-url" in console
    assert console.index("first") < console.index("two words") < console.index("last")
    assert enclosed.sh(machine, "stat -c %a /opt/new/file; cat /opt/new/file") == "600\né"
    assert "given" in enclosed.sh(machine, "cat /home/ec2-user/.ssh/authorized_keys")
    status = machine.command("user-data-1")
    assert status is not None
    assert status.exit_status == 3


def test_what_user_data_is_not_understood_is_named(anywhere: Workplace) -> None:
    machine = anywhere.launch(user_data=_encoded(b"#cloud-config\npackages:\n - x\n"))
    text = Path(machine.console).read_text()
    assert "ignored cloud-config that is not written as JSON" in text


def test_a_boot_script_runs_at_each_further_boot(enclosed: Workplace) -> None:
    machine = enclosed.launch()
    script = "printf '#!/bin/sh\\necho booted >> /var/tmp/boots\\n' > /etc/rc.local; chmod +x $_"
    enclosed.sh(machine, script.replace("$_", "/etc/rc.local"))
    machine.reboot()
    enclosed.finish(machine, "rc-local-2")
    machine.stop()
    again = enclosed.launch()
    enclosed.finish(again, "rc-local-3")
    assert enclosed.sh(again, "cat /var/tmp/boots") == "booted\nbooted\n"


def test_a_file_of_the_host_can_be_shown(anywhere: Workplace, tmp_path: Path) -> None:
    anywhere.need(Feature.OWN_NETWORK)
    (tmp_path / "shown").write_text("shown")
    from runctl.localcloud.machines.spec import Bind  # noqa: PLC0415

    machine = anywhere.launch(binds=(Bind(str(tmp_path / "shown"), "/opt/a/b"),))
    assert anywhere.sh(machine, "cat /opt/a/b; echo x > /opt/a/b || echo no") == "shownno\n"


@pytest.fixture
def systemd(root: Workplace) -> Workplace:
    root.need(Feature.SYSTEMD)
    return root


def test_a_unit_runs_as_its_user_and_comes_back_after_a_reboot(systemd: Workplace) -> None:
    machine = systemd.launch(init="systemd")
    assert systemd.sh(machine, "cat /proc/1/comm; systemctl is-system-running --wait") == (
        "systemd\nrunning\n"
    )
    install = "cat > /etc/systemd/system/ours.service; systemctl enable --now ours"
    systemd.sh(machine, install, stdin=UNIT)
    systemd.until(lambda: _count(systemd, machine) == 2, "it has run")
    machine.reboot()
    systemd.until(lambda: _count(systemd, machine) == 4, "it has run twice")
    lines = systemd.sh(machine, "cat /var/tmp/ran").split()
    assert lines == ["ec2-user", "AWS_ENDPOINT_URL=http://127.0.0.1:4566"] * 2


def test_an_instance_with_systemd_stops_reboots_and_switches_itself_off(systemd: Workplace) -> None:
    machine = systemd.launch(init="systemd")
    systemd.start(machine, "systemctl", "reboot")
    systemd.until(lambda: any(one.kind == "booted" for one in systemd.events), "it is up again")
    machine.stop(grace_s=60)
    assert machine.end is not None
    assert machine.end.reason == "stop"
    again = systemd.launch(init="systemd")
    systemd.sh(again, "shutdown +60; cat /run/systemd/shutdown/scheduled; shutdown -c")
    systemd.start(again, "poweroff")
    systemd.until(lambda: again.state == State.ENDED, "it is off")
    assert again.end is not None
    assert again.end.reason == "poweroff"


def _count(workplace: Workplace, machine: Machine) -> int:
    return len(workplace.sh(machine, "cat /var/tmp/ran || :").split())


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _await_cloud_init(workplace: Workplace, machine: Machine) -> None:
    console = Path(machine.console)
    workplace.until(lambda: "cloud-init: finished" in console.read_text(), "user data has run")
