"""How a command ends is what its reaper saw: never a word in a log, a file, or a guess."""

from __future__ import annotations

import json
import os

import pytest

from tests.scene import Scene

SEGFAULTS = {
    "null": "import ctypes\nprint('going', flush=True)\nctypes.string_at(0)\n",
    "sent": "import os, signal\nprint('going', flush=True)\nos.kill(os.getpid(), signal.SIGSEGV)\n",
}
LIES = """
import os
from pathlib import Path
for place in (".", os.environ["RUNCTL_OUTPUT_DIR"], os.environ["RUNCTL_CHECKPOINT_DIR"]):
    for name in ("DONE", "SUCCESS", "failed", ".complete", "exit.txt"):
        Path(place, name).write_text("0")
print("DONE\\nTraining complete\\nexit status 0\\nrun succeeded", flush=True)
raise SystemExit(%d)
"""


def test_success_without_checkpoints_says_that_there_are_none(scene: Scene) -> None:
    scene.write("train.py", "print('nothing to keep')\n")
    done = scene.type("train", "train.py")
    assert done.returncode == 0, done.stderr.decode()
    assert b"0 checkpoints" in done.stdout + done.stderr


def test_status_of_the_command_is_in_the_json_beside_our_own(scene: Scene) -> None:
    scene.write("train.py", "raise SystemExit(3)\n")
    run_id = scene.launch("train.py")
    done = scene.type("wait", run_id, "--output", "json")
    assert done.returncode == 20
    assert '"status":3' in done.stdout.decode().replace(" ", "")
    assert scene.exit_record(run_id)["status"] == 3
    assert b"status 3" in scene.type("wait", run_id).stderr


@pytest.mark.parametrize("kind", SEGFAULTS)
def test_segmentation_fault_is_named(scene: Scene, kind: str) -> None:
    scene.write("train.py", SEGFAULTS[kind])
    run_id = scene.launch("train.py")
    done = scene.type("wait", run_id)
    assert done.returncode == 20
    assert b"SIGSEGV" in done.stderr
    assert (scene.exit_record(run_id)["status"], scene.exit_record(run_id)["signal"]) == (None, 11)
    assert b"going" in b"".join(scene.log_pieces(run_id))


@pytest.mark.parametrize(
    ("name", "text", "is_executable", "expected"),
    [
        ("job", "#!/no/such/interpreter -x\necho hi\n", True, b"/no/such/interpreter"),
        ("job", "#!/no/such/interpreter\necho hi\n", False, b"/no/such/interpreter"),
        ("job", "#!/etc/passwd\necho hi\n", True, b"/etc/passwd"),
        ("job", "\x7fELF this is no program\0\n", True, b"job"),
    ],
)
def test_command_that_cannot_be_started_says_why(
    scene: Scene, name: str, text: str, is_executable: bool, expected: bytes
) -> None:
    scene.write(name, text).chmod(0o755 if is_executable else 0o644)
    run_id = scene.launch(name)
    done = scene.type("wait", run_id)
    assert done.returncode == 20, done.stderr.decode()
    assert b"could not be started" in done.stderr
    assert expected in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("is_executable", [True, False])
def test_shell_script_without_a_first_line_runs_as_in_a_shell(
    scene: Scene, is_executable: bool
) -> None:
    scene.write("job", "echo it runs\n").chmod(0o755 if is_executable else 0o644)
    run_id = scene.launch("job")
    assert scene.wait(run_id) == 0
    assert scene.output(run_id) == b"it runs\n"


@pytest.mark.parametrize("status", [0, 1])
def test_markers_and_words_in_the_log_change_nothing(scene: Scene, status: int) -> None:
    scene.write("train.py", LIES % status)
    run_id = scene.launch("train.py")
    assert scene.wait(run_id) == (20 if status else 0)
    assert scene.exit_record(run_id)["status"] == status


def test_words_of_failure_from_a_shell_that_exits_0_change_nothing(scene: Scene) -> None:
    text = "echo 'Traceback (most recent call last): fatal error: job failed'\nfalse\nexit 0\n"
    scene.write("job.sh", text)
    run_id = scene.launch("job.sh")
    assert scene.wait(run_id) == 0


def test_forged_exit_record_is_not_believed(scene: Scene) -> None:
    """The script may write wherever it can; what its reaper saw is written after it."""
    scene.write(
        "train.py",
        "import json, os\n"
        "folder = os.path.dirname(os.environ['RUNCTL_CHECKPOINT_DIR'])\n"
        "record = {'status': 0, 'signal': None, 'started_at': 0.0, 'ended_at': 1.0,\n"
        "          'seconds': 1.0, 'max_rss_bytes': 0, 'cpu_seconds': 0.0,\n"
        "          'is_core_dumped': False, 'leftover_processes': 0}\n"
        "json.dump(record, open(os.path.join(folder, 'exit.json'), 'w'))\n"
        "raise SystemExit(9)\n",
    )
    run_id = scene.launch("train.py")
    assert scene.wait(run_id) == 20
    assert scene.exit_record(run_id)["status"] == 9


def test_core_limit_and_environment_do_not_leak_between_runs(scene: Scene) -> None:
    scene.write("train.py", "import json, os\nprint(json.dumps(dict(os.environ)))\n")
    first, second = scene.launch("train.py"), scene.launch("train.py")
    assert scene.wait(first) == scene.wait(second) == 0
    seen = [json.loads(scene.output(run_id)) for run_id in (first, second)]
    assert [env["RUNCTL_RUN_ID"] for env in seen] == [first, second]
    folders = {os.path.dirname(env["RUNCTL_OUTPUT_DIR"]) for env in seen}
    assert len(folders) == 2
