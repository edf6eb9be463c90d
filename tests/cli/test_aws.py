"""What ``runctl aws`` prints without an account: its help, and what has to be set first."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Golden
from tests.scene import Scene

CASES = {
    "help": ["--help"],
    "help-create": ["create", "--help"],
    "create-no-region": ["spawn", "t3.micro", "--yes"],
    "create-bad-gpu": ["create", "--gpu", "L4:none", "--yes"],
    "create-bad-price": ["new", "t3.micro", "--spot", "--spot-max-price", "cheap"],
    "create-without-spot-json": ["create", "t3.micro", "--fallback", "ask", "-o", "json"],
    "help-setup": ["setup", "--help"],
    "help-check": ["check", "--help"],
    "help-teardown": ["teardown", "--help"],
    "setup-no-region": ["setup", "--dry-run"],
    "setup-bad-block": ["setup", "--ssh-from", "10.0.0.1/8"],
    "help-monitor": ["monitor", "--help"],
    "monitor-no-region": ["watch", "i-0123456789abcdef0", "-f"],
    "help-list": ["list", "--help"],
    "help-status": ["status", "--help"],
    "help-wait": ["wait", "--help"],
    "help-start": ["start", "--help"],
    "help-stop": ["stop", "--help"],
    "help-terminate": ["terminate", "--help"],
    "help-processes": ["processes", "--help"],
    "processes-no-region": ["processes", "i-0123456789abcdef0", "-w"],
    "processes-interval": ["processes", "i-0123456789abcdef0", "--interval", "2"],
    "list-no-region": ["list"],
    "list-no-region-json": ["list", "-o", "json"],
    "status-no-region": ["status", "i-0123456789abcdef0"],
    "wait-for-nothing": ["wait", "i-0123456789abcdef0"],
    "start-no-region": ["start", "i-0123456789abcdef0", "--yes"],
    "stop-no-region": ["stop", "i-0123456789abcdef0"],
    "help-ebs": ["ebs", "--help"],
    "help-ebs-create": ["ebs", "create", "--help"],
    "help-ebs-delete": ["ebs", "delete", "--help"],
    "help-ebs-resize": ["ebs", "resize", "--help"],
    "help-ebs-snapshot": ["ebs", "snapshot", "--help"],
    "help-ebs-restore": ["ebs", "restore", "--help"],
    "ebs-resize-wrong": ["ebs", "resize", "data", "nothing", "--yes"],
    "ebs-create-no-place": ["ebs", "create", "data", "--size", "1", "--yes"],
    "ebs-list-no-region": ["ebs", "list"],
    "terminate-nothing": ["terminate", "--yes"],
    "terminate-no-region": ["terminate", "i-0123456789abcdef0", "--yes"],
}


@pytest.mark.parametrize("name", CASES)
def test_command(scene: Scene, golden: Golden, name: str) -> None:
    scene.env["AWS_EC2_METADATA_DISABLED"] = "true"
    golden(f"aws-{name}", scene.type("aws", *CASES[name]))
