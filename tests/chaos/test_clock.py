"""The clock of the machine jumps by an hour, forward and back, while a run is training."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.scene import Scene

# libfaketime would be the usual tool, but its clock_nanosleep fails with EINVAL when the
# monotonic clock is left alone, and Python's time.sleep is built on that.
SHIM = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset(void)
{
    char text[32] = {0};
    const char *path = getenv("CHAOS_CLOCK");
    int file = path ? (int) syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return 0;
    syscall(SYS_read, file, text, sizeof text - 1);
    syscall(SYS_close, file);
    return atol(text);
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    int result = (int) syscall(SYS_clock_gettime, id, now);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        now->tv_sec += offset();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec found;
    (void) zone;
    clock_gettime(CLOCK_REALTIME, &found);
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *place)
{
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (place)
        *place = found.tv_sec;
    return found.tv_sec;
}
"""
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None,
    reason="a clock of its own needs Linux and a C compiler: apt-get install gcc libc6-dev",
)
TICKS = """
import json, os, time
from pathlib import Path

place = Path(os.environ["RUNCTL_CHECKPOINT_DIR"])
flags = Path(os.environ["RUNCTL_OUTPUT_DIR"])
step = 0
while not (flags / "go").exists():
    step += 1
    if step % 20 == 0:
        (place / "new.tmp").write_text(json.dumps({"step": step}))
        (place / "new.tmp").rename(place / f"step-{step:06d}.json")
    print(step, time.time(), flush=True)
    time.sleep(0.02)
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a library that shifts the wall clock, and only that, by what a file says."""
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    command = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(library)]
    subprocess.run(command, input=SHIM.encode(), check=True)
    return library


def use_a_clock_of_its_own(scene: Scene, shim: Path) -> None:
    set_clock(scene, "+0")
    scene.env |= {"LD_PRELOAD": str(shim), "CHAOS_CLOCK": str(scene.home / "clock")}


def set_clock(scene: Scene, offset: str) -> None:
    part = scene.home / "clock.part"
    part.write_text(f"{offset}\n", encoding="ascii")
    part.rename(scene.home / "clock")


def clock_of_the_script(scene: Scene, run_id: str) -> float:
    lines = scene.output(run_id).splitlines(keepends=True)
    return float([line for line in lines if line.endswith(b"\n")][-1].split()[1])


@pytest.mark.parametrize("offset", ["+3600", "-3600"])
def test_jump_of_an_hour_changes_nothing(scene: Scene, shim: Path, offset: str) -> None:
    scene.write("ticks.py", TICKS)
    use_a_clock_of_its_own(scene, shim)
    run_id = scene.launch("--max-time", "10m", "ticks.py")
    scene.wait_for_event(run_id, "checkpoint_committed")
    set_clock(scene, offset)
    jumped = int(offset)
    scene.wait_for(
        "the jump", lambda: abs(clock_of_the_script(scene, run_id) - time.time() - jumped) < 600
    )
    count = len(scene.manifests(run_id))
    scene.wait_for_event(run_id, "checkpoint_committed", count=count + 2)
    time.sleep(0.5)
    (scene.outputs(run_id) / "go").touch()
    assert scene.wait(run_id) == 0, "the jump ended the run"
    assert scene.attempt_end(run_id)["cause"] == "exit"
    assert 0 <= scene.attempt_end(run_id)["seconds"] < 600
    assert 0 <= scene.exit_record(run_id)["seconds"] < 600
    assert b"".join(scene.log_pieces(run_id)) == scene.output(run_id)
    shown = scene.type("logs", run_id).stdout
    steps = [int(line.split()[0]) for line in shown.splitlines()]
    assert steps == list(range(1, len(steps) + 1)), "the log lost its order"
    committed = [int(m["name"][5:11]) for m in scene.manifests(run_id)]
    assert committed == sorted(committed), "a later checkpoint counts as an earlier one"
    check_listings(scene, run_id)


def check_listings(scene: Scene, run_id: str) -> None:
    found = json.loads(scene.type("runs", "--output", "json").stdout)
    [run] = found if isinstance(found, list) else found["runs"]
    assert (run["run_id"], run["state"]) == (run_id, "succeeded")
    assert scene.type("runs").returncode == 0
    text = scene.type("status", run_id).stdout.decode()
    assert "-" not in [word[:1] for word in text.split() if word[1:2].isdigit()], text


@pytest.mark.parametrize("offset", ["+3600", "-3600"])
def test_resume_after_a_jump_goes_on_from_the_newest(scene: Scene, shim: Path, offset: str) -> None:
    scene.write("ticks.py", TICKS)
    use_a_clock_of_its_own(scene, shim)
    run_id = scene.launch("--max-time", "10m", "ticks.py")
    scene.wait_for_event(run_id, "checkpoint_committed", count=2)
    set_clock(scene, offset)
    scene.wait_for_event(run_id, "checkpoint_committed", count=4)
    scene.kill(run_id, "command")
    assert scene.wait(run_id) == 20
    assert scene.type("resume", "--detach", run_id).returncode == 0
    scene.wait_for_event(run_id, "command_started", attempt=2)
    newest = max(int(m["name"][5:11]) for m in scene.manifests(run_id) if m["attempt"] == 1)
    assert scene.bodies(run_id, "resume_chosen", 2)[0]["step"] == newest
    (scene.outputs(run_id, 2) / "go").touch()
    assert scene.wait(run_id) == 0
