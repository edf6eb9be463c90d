"""The AWS command line, as it is installed from PyPI, works against the local cloud unchanged."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.fidelity.world import AL2023, CloudWorld, wait_until
from tests.localcloud.process import CloudProcess

AWS = Path(__file__).parents[2] / ".venv-awscli/bin/aws"
MIB = 1 << 20


class CommandLine:
    """``aws``, with nothing but what ``runctl cloud env`` exports."""

    def __init__(self, cloud: CloudProcess, home: Path) -> None:
        keys = cloud.control("GET", "credentials")
        self._home = home
        self._env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "AWS_ENDPOINT_URL": cloud.endpoint,
            "AWS_ACCESS_KEY_ID": keys["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": keys["secret_access_key"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_PAGER": "",
        }

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(AWS), *words],
            env=self._env,
            cwd=self._home,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def __call__(self, *words: str) -> Any:
        """Type a command that succeeds; return what it printed, read if it is JSON."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout[:1] in ("{", "[") else done.stdout.strip()


@pytest.fixture
def aws(local_cloud: CloudProcess, tmp_path: Path) -> CommandLine:
    assert AWS.exists(), "make .venv-awscli/.synced"
    return CommandLine(local_cloud, tmp_path)


@pytest.fixture
def bucket(aws: CommandLine, local_cloud: CloudProcess) -> str:
    name = CloudWorld(local_cloud.session()).name("cli")
    aws("s3", "mb", f"s3://{name}")
    return name


def test_it_says_who_asks(aws: CommandLine) -> None:
    assert aws("sts", "get-caller-identity")["Arn"].endswith(":root")


def test_a_machine_is_launched_commanded_and_terminated(
    aws: CommandLine, local_cloud: CloudProcess
) -> None:
    world = CloudWorld(local_cloud.session())
    image = f"resolve:ssm:{AL2023}"
    launch = (
        *("ec2", "run-instances", "--image-id", image, "--instance-type", "t3.micro"),
        *("--iam-instance-profile", f"Name={world.profile}"),
        *("--tag-specifications", "ResourceType=instance,Tags=[{Key=by,Value=cli}]"),
    )
    wait_until(lambda: aws.run(*launch, "--dry-run").stderr.count("DryRunOperation") == 1, "no")
    ident = aws(*launch, "--query", "Instances[0].InstanceId", "--output", "text")
    aws("ec2", "wait", "instance-running", "--instance-ids", ident)
    told = aws("ec2", "describe-instances", "--filters", "Name=tag:by,Values=cli")
    assert told["Reservations"][0]["Instances"][0]["InstanceId"] == ident
    wait_until(lambda: _is_online(aws, ident), "it never came Online")
    sent = aws(
        *("ssm", "send-command", "--instance-ids", ident),
        *("--document-name", "AWS-RunShellScript", "--parameters", 'commands=["id -u","exit 3"]'),
        *("--query", "Command.CommandId", "--output", "text"),
    )
    words = ("--command-id", sent, "--instance-id", ident)
    assert "Failed" in aws.run("ssm", "wait", "command-executed", *words).stderr
    result = aws("ssm", "get-command-invocation", *words)
    assert (result["Status"], result["ResponseCode"]) == ("Failed", 3)
    assert result["StandardOutputContent"] == "0\n"
    aws("ec2", "terminate-instances", "--instance-ids", ident)
    aws("ec2", "wait", "instance-terminated", "--instance-ids", ident)
    assert world.end() == []


def _is_online(aws: CommandLine, ident: str) -> bool:
    told = aws(
        *("ssm", "describe-instance-information"),
        *("--filters", f"Key=InstanceIds,Values={ident}"),
    )
    return [one["PingStatus"] for one in told["InstanceInformationList"]] == ["Online"]


def test_files_go_up_and_come_down(aws: CommandLine, bucket: str, tmp_path: Path) -> None:
    """A large one in parts, small ones by ``sync``; what is deleted here is deleted there."""
    data = os.urandom(MIB) * 40
    (tmp_path / "tree/deep").mkdir(parents=True)
    (tmp_path / "tree/large").write_bytes(data)
    (tmp_path / "tree/deep/ein Öl & mehr.txt").write_bytes(b"small")
    aws("s3", "sync", "tree", f"s3://{bucket}/tree", "--no-progress")
    head = aws("s3api", "head-object", "--bucket", bucket, "--key", "tree/large")
    assert head["ContentLength"] == len(data)
    assert head["ETag"].endswith('-5"'), "it did not go up in parts"
    aws("s3", "cp", f"s3://{bucket}/tree", "back", "--recursive", "--no-progress")
    assert _digest(tmp_path / "back/large") == hashlib.sha256(data).hexdigest()
    assert (tmp_path / "back/deep/ein Öl & mehr.txt").read_bytes() == b"small"
    (tmp_path / "tree/large").unlink()
    assert "delete:" in aws("s3", "sync", "tree", f"s3://{bucket}/tree", "--delete")
    assert "large" not in aws("s3", "ls", f"s3://{bucket}", "--recursive")
    aws("s3", "rb", f"s3://{bucket}", "--force")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_link_is_good_for_who_has_no_keys(aws: CommandLine, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "note").write_text("for you")
    aws("s3", "cp", "note", f"s3://{bucket}/note", "--no-progress")
    link = aws("s3", "presign", f"s3://{bucket}/note", "--expires-in", "60")
    with urllib.request.urlopen(link) as answer:
        assert answer.read() == b"for you"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(link.replace("/note?", "/other?"))
    aws("s3", "rb", f"s3://{bucket}", "--force")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("ec2", "start-instances", "--instance-ids", "i-00000000"), "InvalidInstanceID.NotFound"),
        (("iam", "get-role", "--role-name", "nobody"), "NoSuchEntity"),
        (("ssm", "get-parameter", "--name", "/nothing"), "ParameterNotFound"),
        (("s3api", "head-bucket", "--bucket", "nobody-has-this-one"), "404"),
        (("ec2", "describe-verified-access-groups"), "UnsupportedOperation"),
    ],
)  # fmt: skip
def test_errors_are_told_by_their_codes(
    aws: CommandLine, words: tuple[str, ...], code: str
) -> None:
    done = aws.run(*words)
    assert done.returncode in (254, 255)
    assert f"({code})" in done.stderr
