"""The cloud is reached from inside at the usual addresses, and instances from outside by ssh."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from runctl.localcloud.machines.machine import Machine
from runctl.localcloud.machines.results import Feature
from runctl.localcloud.machines.ssh_config import ssh_config
from tests.localcloud.machines.workplace import ENDPOINT_PORT, Workplace

ASK = "exec 3<>/dev/tcp/%s/%d; echo hello >&3; head -1 <&3"


def test_the_metadata_service_is_at_its_own_address(anywhere: Workplace) -> None:
    anywhere.need(Feature.OWN_NETWORK)
    machine = anywhere.launch()
    assert _answer(anywhere, "imds", ASK % ("169.254.169.254", 80)) == "hello"
    assert machine.id == "i-0a"


def test_the_endpoint_is_where_it_is_outside(anywhere: Workplace) -> None:
    anywhere.need(Feature.OWN_NETWORK)
    anywhere.launch()
    assert _answer(anywhere, "endpoint", ASK % ("127.0.0.1", ENDPOINT_PORT)) == "hello"


def test_without_a_network_of_its_own_an_instance_has_an_address(anywhere: Workplace) -> None:
    if Feature.OWN_NETWORK in anywhere.report.features:
        pytest.skip("this tier has a network for each instance")
    machine = anywhere.launch()
    script = """
        url=${AWS_EC2_METADATA_SERVICE_ENDPOINT#http://}
        exec 3<>/dev/tcp/${url%%:*}/${url##*:}; echo hello >&3; head -1 <&3
    """
    assert _answer(anywhere, "imds", script) == "hello"
    assert machine.address.startswith("127.")


def test_the_link_has_the_hardware_address_that_ec2_tells(root: Workplace) -> None:
    machine = root.launch()
    told = "02:00:" + ":".join(f"{int(part):02x}" for part in machine.address.split("."))
    assert root.sh(machine, "cat /sys/class/net/eth0/address").strip() == told


def test_what_connects_while_the_cloud_is_away_waits(anywhere: Workplace) -> None:
    anywhere.need(Feature.OWN_NETWORK)
    machine = anywhere.launch()
    name = anywhere.start(machine, "bash", "-c", ASK % ("127.0.0.1", ENDPOINT_PORT))
    listener = _listener(machine, "endpoint")
    with listener, listener.accept()[0] as connection:
        assert connection.recv(100) == b"hello\n"
        connection.sendall(b"at last\n")
    assert anywhere.finish(machine, name).stdout == "at last\n"


def test_the_listeners_outlive_a_reboot(anywhere: Workplace) -> None:
    anywhere.need(Feature.OWN_NETWORK)
    machine = anywhere.launch()
    listener = _listener(machine, "endpoint")
    machine.reboot()
    name = anywhere.start(machine, "bash", "-c", ASK % ("127.0.0.1", ENDPOINT_PORT))
    with listener, listener.accept()[0] as connection:
        connection.sendall(connection.recv(100))
    assert anywhere.finish(machine, name).stdout == "hello\n"


def test_the_login_user_comes_in_by_ssh(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    result = anywhere.ssh(machine, "echo $AWS_ENDPOINT_URL; basename $HOME; exit 3")
    assert (result.returncode, result.stderr) == (3, "")
    url, home = result.stdout.split()
    assert (url.rpartition(":")[2], home) == (str(ENDPOINT_PORT), "ec2-user")


def test_ssh_gives_a_real_user_a_terminal_and_sudo(enclosed: Workplace) -> None:
    enclosed.need(Feature.SSH, Feature.SUDO)
    machine = enclosed.launch()
    result = enclosed.ssh(machine, "-tt", "tty; id -un; sudo -n id -u; hostname")
    words = result.stdout.split()
    assert words[0].startswith("/dev/pts/")
    assert words[1:] == ["ec2-user", "0", machine.plan["hostname"]]


def test_files_are_copied_by_sftp(anywhere: Workplace, tmp_path: Path) -> None:
    anywhere.need(Feature.SSH)
    machine = anywhere.launch()
    (tmp_path / "sent").write_text("content")
    key, port = str(tmp_path / "key"), str(machine.ssh_port)
    options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    target = f"{machine.ssh_user}@{machine.address}:received"
    argv = ["scp", "-s", "-q", *options, "-i", key, "-P", port, str(tmp_path / "sent"), target]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    assert anywhere.sh(machine, "cat received", user="ec2-user") == "content"


def test_the_host_key_is_printed_on_the_console_and_stays(anywhere: Workplace) -> None:
    anywhere.need(Feature.SSH)
    machine = anywhere.launch()
    printed = _printed_key(machine.console)
    argv = ["ssh-keyscan", "-t", "ed25519", "-p", str(machine.ssh_port), machine.address]
    scanned = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert scanned.split()[1:3] == printed
    machine.stop()
    assert _printed_key(anywhere.launch().console) == printed


def test_an_ssh_config_is_enough_to_reach_an_instance(anywhere: Workplace, tmp_path: Path) -> None:
    anywhere.need(Feature.SSH)
    machine = anywhere.launch()
    known = str(tmp_path / "known_hosts")
    config = tmp_path / "ssh_config"
    config.write_text(ssh_config(anywhere.tier.addresses.network, machine.ssh_port, known))
    argv = ["ssh", "-F", str(config), "-i", str(tmp_path / "key"), "-o"]
    argv += ["StrictHostKeyChecking=accept-new", f"{machine.ssh_user}@{machine.address}", "echo in"]
    result = subprocess.run(
        argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True
    )
    assert result.stdout == "in\n"
    assert Path(known).exists()


def test_a_cut_instance_cannot_be_reached_until_it_is_restored(anywhere: Workplace) -> None:
    anywhere.need(Feature.SSH)
    machine = anywhere.launch()
    machine.set_connected(is_connected=False)
    assert not _has_banner(machine.address, machine.ssh_port, 0.5)
    machine.set_connected(is_connected=True)
    assert _has_banner(machine.address, machine.ssh_port, 30)


def test_instances_reach_each_other_where_the_tier_says_so(anywhere: Workplace) -> None:
    anywhere.need(Feature.PEERS)
    one, other = anywhere.launch("i-0a"), anywhere.launch("i-0b")
    script = f"head -c4 < /dev/tcp/{other.address}/22"
    assert anywhere.run(one, "bash", "-c", script).stdout == "SSH-"


def test_two_clouds_do_not_disturb_each_other(
    make_workplace: Callable[[str], Workplace],
) -> None:
    names = ("root", "namespace")
    one, other = make_workplace("namespace"), make_workplace("namespace")
    places = [one, other, *(make_workplace(name) for name in names if _can(make_workplace, name))]
    machines = [place.launch() for place in places]
    assert len({str(place.tier.addresses.network) for place in places}) == len(places)
    one.tier.purge()
    for place, machine in list(zip(places, machines, strict=True))[1:]:
        assert place.sh(machine, "echo unharmed") == "unharmed\n"


def _can(make_workplace: Callable[[str], Workplace], name: str) -> bool:
    try:
        make_workplace(name)
    except pytest.skip.Exception:
        return False
    return True


def _answer(workplace: Workplace, listener: str, script: str) -> str:
    """Echo what an instance says to a listener of the cloud; return what it hears."""
    machine = workplace.tier.find("i-0a")
    assert machine is not None
    name = workplace.start(machine, "bash", "-c", script)
    with _listener(machine, listener) as own, own.accept()[0] as connection:
        connection.sendall(connection.recv(100))
    return workplace.finish(machine, name).stdout.strip()


def _listener(machine: Machine, name: str) -> socket.socket:
    """Return one listener, the others closed."""
    sockets = machine.listeners()
    chosen = sockets.pop(name)
    for one in sockets.values():
        one.close()
    return chosen


def _printed_key(console: str) -> list[str]:
    text = Path(console).read_text()
    between = text.rpartition("-----BEGIN SSH HOST KEY KEYS-----\n")[2]
    return between.partition("\n-----END")[0].split()[:2]


def _has_banner(address: str, port: int, timeout_s: float) -> bool:
    try:
        with socket.create_connection((address, port), timeout_s) as connection:
            connection.settimeout(timeout_s)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
