"""Where things are printed, in which form, and what happens when they cannot be."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import error_of
from tests.scene import RUNCTL, Scene

FAULT = """\
import sys
from runctl.client import Client
def find(self, reference):
    raise ZeroDivisionError("a secret of the code")
Client.find = find
from runctl.cli.main import main
sys.exit(main())
"""


def type_faulty(scene: Scene, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", FAULT, *words],
        cwd=scene.project,
        env=scene.env,
        capture_output=True,
        check=False,
    )


def debug_log(scene: Scene) -> Path:
    return scene.home / ".local/state/runctl/debug.log"


@pytest.mark.parametrize(
    "words",
    [["-o", "json", "runs"], ["runs", "-o", "json"], ["runs", "--output=json"], ["runs", "-ojson"]],
)
def test_global_options_stand_before_or_after(scene: Scene, words: list[str]) -> None:
    done = scene.type(*words)
    assert json.loads(done.stdout) == []


def test_the_last_of_two_counts(scene: Scene) -> None:
    assert scene.type("-o", "json", "version", "-o", "id").stdout == b"0.1.0\n"


def test_settings_and_variables_choose_the_form(scene: Scene) -> None:
    scene.write(".runctl.toml", '[output]\nformat = "json"\n')
    assert json.loads(scene.type("runs").stdout) == []
    assert scene.type("runs", "-o", "text").stdout == b""
    done = scene.type("status", "nobody", env={"RUNCTL_CONFIG_OUTPUT_FORMAT": "text"})
    assert done.stderr.startswith(b"error: there is no run 'nobody'")


def test_quiet_silences_notes_not_errors(scene: Scene) -> None:
    scene.write("a.py", "print('said')\nraise SystemExit(4)\n")
    done = scene.type("local", "a.py", "--quiet")
    assert done.returncode == 20
    assert done.stdout == b"said\n"
    assert [line.split(b":")[0] for line in done.stderr.splitlines()] == [b"error", b"hint"]


def test_verbose_says_more(scene: Scene) -> None:
    scene.write("a.py", "")
    done = scene.type("local", "a.py", "--verbose")
    assert b"a.py" in done.stderr
    assert b"runctl: process " in done.stderr


def test_colour_only_where_it_is_wanted(scene: Scene) -> None:
    assert b"\x1b[" not in scene.type("status", "nobody").stderr
    assert b"\x1b[31m" in scene.type("status", "nobody", "--color", "always").stderr


@pytest.mark.parametrize(
    ("no_color", "term", "is_colored"),
    [("", "xterm", True), ("1", "xterm", False), ("", "dumb", False)],
)
def test_a_terminal_has_colour_unless_no_color(
    scene: Scene, no_color: str, term: str, is_colored: bool
) -> None:
    scene.env["TERM"] = term
    shown = type_on_terminal(scene, "status", "nobody", answer=b"", NO_COLOR=no_color)
    assert b"there is no run" in shown
    assert (b"\x1b[" in shown) is is_colored


def type_on_terminal(scene: Scene, *words: str, answer: bytes, **env: str) -> bytes:
    """Type a command where standard input and error are a terminal; return what it shows."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [RUNCTL, *words], cwd=scene.project, env=scene.env | env, stdin=theirs, stdout=theirs,
        stderr=theirs, start_new_session=True,
    ) as process:  # fmt: skip
        os.close(theirs)
        os.write(ours, answer)
        shown = b""
        while part := _read(ours):
            shown += part
        process.wait(60)
    os.close(ours)
    return shown


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other side is closed
        return b""


@pytest.mark.parametrize(("answer", "is_left"), [(b"y\n", False), (b"\n", True), (b"n\n", True)])
def test_what_destroys_asks_on_a_terminal(scene: Scene, answer: bytes, is_left: bool) -> None:
    scene.write("a.py", "")
    assert scene.type("local", "a.py", "--name", "asked").returncode == 0
    shown = type_on_terminal(scene, "rm", "asked", answer=answer)
    assert b"Delete 1 run, with all that was stored? [y/N]" in shown
    assert (scene.type("status", "asked").returncode == 0) is is_left


def test_what_is_agreed_to_is_deleted(scene: Scene) -> None:
    scene.write("a.py", "")
    scene.type("local", "a.py", "--name", "gone")
    run_id = scene.type("status", "gone", "-o", "id").stdout.decode().strip()
    assert scene.type("rm", "gone", "--dry-run").returncode == 0
    assert scene.run_folder(run_id).exists()
    done = scene.type("rm", "gone", "gone", "--yes", "-o", "json")
    assert json.loads(done.stdout)["run_ids"] == [run_id]
    assert not scene.run_folder(run_id).exists()


def test_a_fault_has_no_bare_traceback_and_names_the_log(scene: Scene) -> None:
    done = type_faulty(scene, "status", "x", "--color", "never")
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert done.stderr.startswith(b"error: runctl has a fault: ZeroDivisionError")
    assert str(debug_log(scene)) in done.stderr.decode()
    log = debug_log(scene).read_text()
    assert "Traceback" in log
    assert "runctl status x" in log


def test_a_fault_with_debug_has_its_traceback(scene: Scene) -> None:
    assert b"Traceback" in type_faulty(scene, "status", "x", "--debug").stderr


def test_a_fault_as_json(scene: Scene) -> None:
    error = error_of(type_faulty(scene, "status", "x", "-o", "json"))
    assert error["code"] == "internal"
    assert error["details"]["log"] == str(debug_log(scene))


def test_a_fault_where_no_log_can_be_written(scene: Scene) -> None:
    scene.env["XDG_STATE_HOME"] = "/proc/nowhere"
    done = type_faulty(scene, "status", "x")
    assert done.returncode == 1
    assert b"runctl has a fault" in done.stderr


def test_the_debug_log_keeps_no_value_of_a_variable(scene: Scene) -> None:
    scene.write("a.py", "")
    words = ["--env", "A=hidden-1", "--env=B=hidden-2"]
    assert scene.type("local", "a.py", *words).returncode == 0
    log = debug_log(scene).read_text()
    assert "runctl local a.py" in log
    assert "hidden" not in log


def test_the_debug_log_rotates(scene: Scene) -> None:
    debug_log(scene).parent.mkdir(parents=True)
    debug_log(scene).write_bytes(b"x" * 1024**2)
    scene.type("runs")
    assert debug_log(scene).stat().st_size < 1000
    assert debug_log(scene).with_name("debug.log.1").stat().st_size == 1024**2


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_full_disk_under_standard_output_is_an_error(scene: Scene, form: str) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [RUNCTL, "version", "-o", form],
            env=scene.env,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: standard output cannot be written: No space left")


def test_a_reader_that_has_had_enough_is_no_error(scene: Scene) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [RUNCTL, "config", "show"], env=scene.env, stdout=write_end, stderr=subprocess.PIPE,
        check=False,
    )  # fmt: skip
    os.close(write_end)
    assert (done.returncode, done.stderr) == (0, b"")
