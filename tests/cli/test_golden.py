"""What each command prints, in text and as JSON, over the same few runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Golden, make_scene
from tests.scene import Scene

TRAIN = """\
import os, sys
print("arguments:", sys.argv[1:])
out = os.environ["RUNCTL_OUTPUT_DIR"]
with open(os.path.join(out, "result.txt"), "w") as file:
    file.write("done\\n")
with open(os.path.join(os.environ["RUNCTL_CHECKPOINT_DIR"], "step-40.json"), "w") as file:
    file.write('{"step": 40, "loss": 0.5}')
if "--fail" in sys.argv:
    sys.exit("it went wrong")
"""

CASES = {
    "runs": ["runs"],
    "runs-json": ["runs", "-o", "json"],
    "runs-id": ["runs", "-o", "id"],
    "runs-filtered": ["runs", "--state", "failed", "--newer-than", "1d"],
    "runs-named": ["runs", "--name", "al*", "--limit", "1"],
    "runs-limited": ["runs", "--limit", "1", "-o", "id"],
    "runs-none": ["runs", "--name", "nobody"],
    "status": ["status", "alpha"],
    "status-json": ["status", "alpha", "--output", "json"],
    "status-id": ["status", "alpha", "--output", "id"],
    "status-failed": ["status", "beta"],
    "report": ["report", "beta"],
    "report-json": ["report", "beta", "-o", "json"],
    "report-markdown": ["report", "alpha", "--markdown"],
    "logs": ["logs", "alpha"],
    "logs-json": ["logs", "alpha", "-o", "json"],
    "logs-id": ["logs", "alpha", "-o", "id"],
    "logs-attempt": ["logs", "alpha", "--attempt", "9"],
    "logs-follow-failed": ["logs", "beta", "-f"],
    "wait": ["wait", "alpha"],
    "wait-json": ["wait", "alpha", "-o", "json"],
    "wait-failed": ["wait", "beta"],
    "wait-failed-json": ["wait", "beta", "-o", "json"],
    "stop-over": ["stop", "alpha"],
    "stop-over-json": ["stop", "alpha", "-o", "json"],
    "resume-finished": ["resume", "alpha"],
    "resume-finished-json": ["resume", "alpha", "-o", "json"],
    "reconcile-none": ["reconcile"],
    "reconcile-none-json": ["reconcile", "--yes", "-o", "json"],
    "help-reconcile": ["reconcile", "--help"],
    "diff": ["diff", "alpha", "beta"],
    "diff-json": ["diff", "alpha", "beta", "-o", "json"],
    "diff-none": ["diff", "alpha", "alpha"],
    "rm-dry-run": ["rm", "alpha", "beta", "--dry-run"],
    "rm-dry-run-json": ["rm", "alpha", "--dry-run", "-o", "json"],
    "rm-refused": ["rm", "alpha"],
    "rm-refused-json": ["rm", "alpha", "-o", "json", "-q"],
    "exec": ["exec", "alpha", "--", "sh", "-c", "echo $0 $1", "a b", "--help"],
    "exec-json": ["exec", "alpha", "-o", "json", "--", "echo", "beside"],
    "exec-failed": ["exec", "alpha", "--", "sh", "-c", "exit 3"],
    "ssh-local": ["ssh", "alpha"],
    "ssh-bad-port": ["ssh", "alpha", "--forward", "http"],
    "ssh-port-twice": ["ssh", "alpha", "--forward", "6006", "--forward", "6006:80", "-o", "json"],
    "ssh-config-alone": ["ssh", "alpha", "--config", "--", "true"],
    "transfer-here-alone": ["transfer", "data", "../elsewhere"],
    "s3-no-place": ["s3", "list", "bucket"],
    "pull": ["pull", "alpha", "--into", "../fetched"],
    "pull-json": ["pull", "alpha", "--into", "../fetched json", "-o", "json"],
    "plan": ["train", "my scripts/train.py", "--dry-run", "--hyperparams", "lr=1e-3", "--", "-x"],
    "plan-id": ["local", "my scripts/train.py", "--dry-run", "--name", "planned", "-o", "id"],
    "sync": ["sync", "--dry-run", "--explain", "my scripts"],
    "sync-nowhere": ["sync"],
    "sync-local": ["sync", "alpha", "-o", "json"],
    "sync-json": ["sync", "--dry-run", "-o", "json"],
    "config-show": ["config", "show"],
    "config-show-origin": ["--color=never", "config", "show", "--origin"],
    "config-get": ["config", "get", "run.retries"],
    "config-get-json": ["config", "get", "run.grace", "-o", "json"],
    "config-get-entry": ["config", "get", "run.env.NOPE"],
    "config-path": ["config", "path"],
    "config-path-json": ["config", "path", "-o", "json"],
    "config-validate": ["config", "validate"],
    "config-validate-json": ["config", "validate", "-o", "json"],
    "init": ["init"],
    "init-json": ["init", "-o", "json"],
    "version": ["version"],
    "version-json": ["version", "-o", "json"],
    "help": ["--help"],
    "help-train": ["train", "--help"],
    "help-docker": ["docker", "--help"],
    "help-docker-build": ["docker", "build", "--help"],
    "help-docker-push": ["docker", "build-push", "--help"],
    "help-docker-prune": ["docker", "prune", "--help"],
    "docker-two-images": ["train", "train.py", "--docker", "--image", "a:1"],
    "docker-without-build": ["local", "train.py", "--target", "base"],
    "help-ssh": ["ssh", "--help"],
    "help-config": ["config", "--help"],
    "help-workflow": ["workflow", "--help"],
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A project with two runs: alpha has succeeded, beta has failed."""
    made = make_scene(tmp_path_factory.mktemp("golden"))
    made.write(".runctl.toml", '[run]\nretries = 0\ngrace = "5s"\n[checkpoint]\nsettle = "0s"\n')
    made.write("my scripts/train.py", TRAIN)
    for name, words in {"alpha": [], "beta": ["--hyperparams", "lr=0.1", "--", "--fail"]}.items():
        done = made.type("local", "my scripts/train.py", "--name", name, *words)
        assert done.returncode == (20 if words else 0), done.stderr.decode()
    yield made
    made.end_all()


@pytest.mark.parametrize("name", CASES)
def test_command(scene: Scene, golden: Golden, name: str) -> None:
    golden(name, scene.type(*CASES[name]))


def test_pull_brings_the_bytes(scene: Scene) -> None:
    assert scene.type("pull", "alpha", "--into", "../there").returncode == 0
    assert (scene.project.parent / "there/result.txt").read_text() == "done\n"


def test_a_run_is_named_by_a_unique_beginning(scene: Scene) -> None:
    newest, oldest = scene.type("runs", "-o", "id").stdout.decode().split()
    assert scene.type("status", oldest[:-1], "-o", "id").stdout.decode().strip() == oldest
    assert scene.type("status", "-o", "id").stdout.decode().strip() == newest


def test_an_ambiguous_beginning_names_the_candidates(scene: Scene, golden: Golden) -> None:
    newest, oldest = scene.type("runs", "-o", "id").stdout.decode().split()
    shared = next(newest[:n] for n in range(len(newest), 0, -1) if oldest.startswith(newest[:n]))
    done = scene.type("status", shared)
    assert done.returncode == 5
    assert newest in done.stderr.decode()
    assert oldest in done.stderr.decode()


def test_every_command_of_the_table_has_a_golden_test(scene: Scene) -> None:
    listed = scene.type("--help").stdout.decode().partition("Commands:\n")[2].splitlines()
    commands = {line.split()[0] for line in listed if line.startswith("  ") and "  " in line[2:]}
    tested = {word for words in CASES.values() for word in words}
    elsewhere = {"aws", "completion", "checkpoint", "cloud"}
    assert commands - tested == elsewhere
    assert all(Path(__file__).with_name(f"test_{name}.py").exists() for name in elsewhere)
