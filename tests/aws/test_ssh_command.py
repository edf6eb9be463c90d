"""``runctl ssh``: a shell, a command, a port and a Host block, on instances that really run."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request

import pytest

from tests.aws.bucketscene import BucketScene
from tests.aws.visitors import KeyPair, on_terminal, own
from tests.cli.projects import fill
from tests.cloud_instances import Rig
from tests.scene import RUNCTL

pytestmark = pytest.mark.slow
PATIENCE_S = 60.0
BYTES = bytes(range(256)) * 300
PLUGIN = """\
#!/bin/sh
[ "$1" != --version ] || { echo "$PLUGIN_VERSION"; exit; }
for word; do printf '%s\\0' "$word"; done >"$PLUGIN_TOLD.$$"
printf '%s' "$AWS_SSM_START_SESSION_RESPONSE" >"$PLUGIN_TOLD.$$.secret"
mv "$PLUGIN_TOLD.$$" "$PLUGIN_TOLD.$$.words"
[ -z "$PLUGIN_STAYS" ] || exec sleep 60
exit "$PLUGIN_STATUS"
"""


@pytest.fixture
def by_profile(in_s3: BucketScene, rig: Rig) -> str:
    return own(in_s3, rig, rig.world.instance)


def type_with(user: BucketScene, data: bytes, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [RUNCTL, *words],
        cwd=user.project,
        env=user.env,
        input=data,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )


# -- over SSH


def test_a_command_has_its_status_and_its_bytes(by_key: str, in_s3: BucketScene) -> None:
    done = in_s3.type("ssh", by_key, "--", "sh", "-c", "id -un; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"ubuntu\n", b"err\n")
    assert type_with(in_s3, BYTES, "ssh", by_key, "--", "cat").stdout == BYTES
    signalled = in_s3.type("ssh", f"aws:{by_key}", "--", "sh", "-c", "kill -9 $$")
    assert signalled.returncode == 137
    told = in_s3.type("ssh", by_key, "-v", "-o", "json", "--", "sh", "-c", "echo out; exit 3")
    assert json.loads(told.stdout) == {"instance_id": by_key, "status": 3}
    assert told.returncode == 3
    assert told.stderr.decode().splitlines() == [f"runctl: {by_key} over SSH as ubuntu", "out"]


def test_without_a_terminal_a_shell_reads_what_it_is_given(by_key: str, in_s3: BucketScene) -> None:
    done = type_with(in_s3, b"cd /tmp\npwd\ntty\nexit 4\n", "ssh", by_key)
    assert (done.returncode, done.stdout) == (4, b"/tmp\nnot a tty\n")


def test_on_a_terminal_there_is_one_at_the_other_end(by_key: str, in_s3: BucketScene) -> None:
    status, shown = on_terminal(in_s3, "ssh", by_key, typed=b"tty; echo $((40+2)); exit 9\n")
    assert status == 9, shown
    assert "/dev/pts/" in shown
    assert "42" in shown
    status, shown = on_terminal(in_s3, "ssh", by_key, "--", "sh", "-c", "tty; exit 5")
    assert (status, "/dev/pts/" in shown) == (5, True), shown
    status, shown = on_terminal(in_s3, "ssh", by_key, "--", "sh", "-c", "kill -9 $$")
    assert status == 137, shown


def test_ports_are_open_until_ctrl_c(by_key: str, in_s3: BucketScene) -> None:
    served = free_port()
    start = f"cd /etc && exec setsid python3 -m http.server {served} --bind 127.0.0.1"
    begun = in_s3.type("ssh", by_key, "--", "sh", "-c", f"({start}) >/dev/null 2>&1 </dev/null &")
    assert begun.returncode == 0, begun.stderr
    first, second = free_port(), free_port()
    ways = ("--forward", f"{first}:{served}", "--forward", f"{second}:{served}")
    holding = subprocess.Popen(
        [RUNCTL, "ssh", by_key, *ways],
        cwd=in_s3.project,
        env=in_s3.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert b"ubuntu" in fetch(first, "passwd")
        assert b"ubuntu" in fetch(second, "passwd")
        taken = in_s3.type("ssh", by_key, "--forward", f"{first}:{served}")
        assert taken.returncode == 5
        [free] = [word for word in taken.stderr.decode().split() if word.endswith(f":{served}")]
        assert int(free.partition(":")[0]) > first
    finally:
        os.killpg(holding.pid, signal.SIGINT)
        told = holding.communicate(timeout=PATIENCE_S)[1].decode()
        in_s3.type("ssh", by_key, "--", "pkill", "-f", f"http.server {served}")
    assert holding.returncode == 130, told
    assert f"http://127.0.0.1:{first} is its port {served}" in told
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", first))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def fetch(port: int, path: str) -> bytes:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
                return bytes(answer.read())
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_ports_stay_open_while_a_command_runs(by_key: str, in_s3: BucketScene) -> None:
    way = f"{free_port()}:{free_port()}"
    done = in_s3.type("ssh", by_key, "--forward", way, "--", "sh", "-c", "echo ran; exit 6")
    assert (done.returncode, done.stdout) == (6, b"ran\n"), done.stderr


def test_other_programs_are_led_there(by_key: str, in_s3: BucketScene) -> None:
    done = in_s3.type("ssh", by_key, "--config")
    assert done.returncode == 0, done.stderr
    path = in_s3.home / "ssh_config"
    path.write_bytes(done.stdout)
    words = ["ssh", "-F", str(path), by_key, "id", "-un"]
    led = subprocess.run(words, env=in_s3.env, capture_output=True, check=False)
    assert (led.returncode, led.stdout) == (0, b"ubuntu\n"), led.stderr
    document = json.loads(in_s3.type("ssh", by_key, "--config", "-o", "json").stdout)
    assert (document["alias"], document["instance_id"]) == (by_key, by_key)
    assert document["options"]["HostKeyAlias"] == by_key
    assert document["options"]["StrictHostKeyChecking"] == "yes"
    assert in_s3.type("ssh", by_key, "--config", "--", "true").returncode == 2


def test_other_programs_do_not_accept_another_host_key(by_key: str, in_s3: BucketScene) -> None:
    path = in_s3.home / "ssh_config"
    text = in_s3.type("ssh", by_key, "--config").stdout.decode()
    path.write_text(text.replace(f"HostKeyAlias {by_key}", "HostKeyAlias i-another"))
    words = ["ssh", "-o", "BatchMode=yes", "-F", str(path), by_key, "true"]
    refused = subprocess.run(words, env=in_s3.env, capture_output=True, check=False)
    assert refused.returncode == 255
    assert b"Host key verification failed" in refused.stderr


# -- over Systems Manager


def test_a_command_over_systems_manager(by_profile: str, in_s3: BucketScene) -> None:
    done = in_s3.type("ssh", by_profile, "--", "sh", "-c", "id -un; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"ec2-user\n", b"err\n")


def test_without_the_plugin_it_is_told_where_to_get_it(by_profile: str, in_s3: BucketScene) -> None:
    for words in ((), ("--forward", str(free_port()))):
        done = in_s3.type("ssh", by_profile, *words)
        assert done.returncode == 3, done.stderr
        assert b"session-manager-working-with-install-plugin" in done.stderr
        assert b"--transport ssh" in done.stderr


class StandIn:
    """A plugin that writes down what it was told, and ends or stays as it is asked to."""

    def __init__(self, user: BucketScene, version: str) -> None:
        self.folder = user.home / "plugin"
        self.folder.mkdir()
        path = self.folder / "session-manager-plugin"
        path.write_text(PLUGIN)
        path.chmod(0o755)
        user.env |= {
            "PATH": f"{self.folder}{os.pathsep}{user.env['PATH']}",
            "PLUGIN_TOLD": str(self.folder / "told"),
            "PLUGIN_VERSION": version,
            "PLUGIN_STATUS": "3",
            "PLUGIN_STAYS": "",
        }

    def told(self) -> list[tuple[list[str], str]]:
        """Return, of each call, its words and what the environment held."""
        return [
            (
                path.read_text().split("\0")[:-1],
                path.with_suffix(".secret").read_text(),
            )
            for path in sorted(self.folder.glob("told.*.words"))
        ]


def has_ended(rig: Rig, session: str) -> bool:
    ssm = rig.world.client("ssm")
    try:
        ssm.resume_session(SessionId=session)
    except ssm.exceptions.DoesNotExistException:
        return True
    return False


def test_the_plugin_gets_a_shell_as_from_the_aws_command_line(
    by_profile: str, in_s3: BucketScene, rig: Rig
) -> None:
    plugin = StandIn(in_s3, "1.2.707.0")
    done = in_s3.type("ssh", by_profile)
    assert done.returncode == 3, done.stderr
    [(words, secret)] = plugin.told()
    asked = json.dumps({"Target": by_profile})
    name, endpoint = "AWS_SSM_START_SESSION_RESPONSE", rig.cloud.endpoint
    assert words == [name, "us-east-1", "StartSession", "", asked, endpoint]
    opened = json.loads(secret)
    assert list(opened) == ["SessionId", "TokenValue", "StreamUrl"]
    assert opened["StreamUrl"].startswith("wss://")
    assert has_ended(rig, opened["SessionId"])


def test_an_old_plugin_gets_the_session_as_an_argument_and_a_profile_by_name(
    by_profile: str, in_s3: BucketScene, rig: Rig
) -> None:
    plugin = StandIn(in_s3, "1.2.463.0")
    in_s3.use_profile()
    done = in_s3.type("ssh", by_profile)
    assert done.returncode == 3, done.stderr
    [(words, secret)] = plugin.told()
    assert secret == ""
    assert has_ended(rig, json.loads(words[0])["SessionId"])
    assert words[1:4] == ["us-east-1", "StartSession", "team"]


def test_the_plugin_keeps_ports_open_until_ctrl_c(
    by_profile: str, in_s3: BucketScene, rig: Rig
) -> None:
    plugin = StandIn(in_s3, "1.2.707.0")
    in_s3.env["PLUGIN_STAYS"] = "1"
    local = free_port()
    words = ("ssh", by_profile, "--forward", f"{local}:6006", "--forward", str(free_port()))
    holding = in_s3.type_in_background(*words)
    in_s3.wait_for("two plugins", lambda: len(plugin.told()) == 2)
    os.killpg(holding.pid, signal.SIGINT)
    assert holding.wait(PATIENCE_S) == 130
    told = plugin.told()
    assert all(has_ended(rig, json.loads(secret)["SessionId"]) for _, secret in told)
    asked = [json.loads(words[4]) for words, _ in told]
    assert {one["DocumentName"] for one in asked} == {"AWS-StartPortForwardingSession"}
    parameters = {"portNumber": ["6006"], "localPortNumber": [str(local)]}
    assert parameters in [one["Parameters"] for one in asked]
    beside = in_s3.type("ssh", by_profile, "--forward", str(free_port()), "--", "true")
    assert beside.returncode == 2


# -- which instance, and whose


def test_only_what_is_ours_and_runs_is_visited(
    by_key: str, in_s3: BucketScene, rig: Rig, pair: KeyPair
) -> None:
    ec2, ident = rig.world.client("ec2"), rig.launch(KeyName=pair.name)
    tags = [{"Key": "Name", "Value": "box"}]
    ec2.create_tags(Resources=[ident], Tags=tags)
    foreign = in_s3.type("ssh", ident, "--", "true")
    assert foreign.returncode == 11, foreign.stderr
    assert in_s3.type("ssh", ident, "--not-mine", "--", "true").returncode == 0
    assert in_s3.type("ssh", "box", "--", "true").returncode == 4  # names are of ours alone
    own(in_s3, rig, ident)
    assert in_s3.type("ssh", "box", "--", "true").returncode == 0
    ec2.stop_instances(InstanceIds=[ident])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[ident], WaiterConfig={"Delay": 1})
    stopped = in_s3.type("ssh", ident, "--", "true")
    assert stopped.returncode == 5
    assert f"{ident} does not run: it is stopped".encode() in stopped.stderr
    ec2.terminate_instances(InstanceIds=[ident])
    ended = in_s3.type("ssh", ident, "--", "true")
    assert ended.returncode == 5
    assert f"{ident} has ended".encode() in ended.stderr
    assert in_s3.type("ssh", "i-0123456789abcdef0").returncode == 4
    assert in_s3.type("ssh", "nobody").returncode == 4


def test_a_run_leads_to_its_instance_and_exec_has_a_terminal_there(
    by_key: str, in_s3: BucketScene, rig: Rig, pair: KeyPair
) -> None:
    fill(in_s3)
    role, iam = rig.world.profile, rig.world.client("iam")
    iam.put_role_policy(RoleName=role, PolicyName="ledger", PolicyDocument=in_s3.rights())
    profile = {"Name": role}
    both = rig.launch(KeyName=pair.name, ImageId=rig.ubuntu, IamInstanceProfile=profile)
    own(in_s3, rig, both)
    in_s3.env["RUNCTL_CONFIG_AWS_TRANSPORT"] = "ssh"
    try:
        words = ("slow.py", "--name", "seen", "--on", f"aws:{both}", "--detach")
        begun = in_s3.type("train", *words, timeout_s=3 * PATIENCE_S)
        assert begun.returncode == 0, begun.stderr
        told = in_s3.type("ssh", "seen", "-v", "--", "sh", "-c", "ls -d .runctl")
        assert (told.returncode, told.stdout) == (0, b".runctl\n")
        assert told.stderr.decode().startswith(f"runctl: {both} over SSH")
        assert in_s3.type("ssh", "seen", "--config", "-o", "id").stdout == b"seen\n"
        forced = in_s3.type("ssh", "@last", "-v", "--transport", "ssm", "--", "true")
        assert forced.stderr.decode() == f"runctl: {both} over Systems Manager\n"
        in_s3.wait_for(
            "the command", lambda: in_s3.type("exec", "seen", "--", "true").returncode == 0
        )
        script = "tty; echo $RUNCTL_ATTEMPT/"
        status, shown = on_terminal(in_s3, "exec", "seen", "--", "sh", "-c", script)
        assert (status, "/dev/pts/" in shown, "1/" in shown) == (0, True, True), shown
    finally:
        rig.world.client("ec2").terminate_instances(InstanceIds=[both])
        iam.delete_role_policy(RoleName=role, PolicyName="ledger")


def test_a_run_on_this_machine_is_not_visited(in_s3: BucketScene) -> None:
    in_s3.write("say.py", "print('one')\n")
    assert in_s3.type("local", "say.py", "--name", "said").returncode == 0
    done = in_s3.type("ssh", "said")
    assert done.returncode == 5
    assert b"runctl exec" in done.stderr
