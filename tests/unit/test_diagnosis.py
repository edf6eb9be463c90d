"""What was wrong with a command that failed is named, and nothing else is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from runctl.agent import diagnosis
from runctl.agent.diagnosis import Diagnosis, find_lost_gpu
from runctl.agent.folder import AttemptFolder
from runctl.agent.kernel_kills import read_kills
from runctl.model.events import Cause, ExitRecord, StopBegun, Trouble
from tests.records import make_exit

KILLED = make_exit(None, 9)
HUNG = StopBegun(cause=Cause.TROUBLE, reason="it hangs", is_now=False, trouble=Trouble.HANG)
LOST_GPU = b"Unable to determine the device handle for GPU 0000:3B:00.0: GPU is lost.\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AttemptFolder:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(diagnosis, "read_kills", lambda: {"own": 3, "all": 5})
    return AttemptFolder(tmp_path)


def examine(
    folder: AttemptFolder,
    record: ExitRecord,
    monkeypatch: pytest.MonkeyPatch,
    after: dict[str, int] | None = None,
    stop: StopBegun | None = None,
) -> tuple[Trouble | None, str]:
    found = Diagnosis(folder)
    found.note_before()
    monkeypatch.setattr(diagnosis, "read_kills", lambda: after or {"own": 3, "all": 5})
    Diagnosis(folder).note_before()  # an agent that comes back does not begin anew
    told = found.examine(record, stop)
    return told.trouble, told.advice


def add_nvidia_smi(
    folder: AttemptFolder, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, bytes] | Exception
) -> None:
    """Let the driver's tool answer so: its status and its words, or that it cannot be run."""
    (folder.path / "bin" / "nvidia-smi").touch(mode=0o755)

    def run(argv: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        if isinstance(answer, Exception):
            raise answer
        return subprocess.CompletedProcess(argv, answer[0], answer[1], b"")

    monkeypatch.setattr("runctl.agent.diagnosis.subprocess.run", run)


@pytest.mark.parametrize(
    ("record", "after", "trouble"),
    [
        (KILLED, {"own": 4, "all": 6}, Trouble.OOM),
        (make_exit(1), {"own": 4, "all": 6}, Trouble.OOM),  # a worker was: torchrun exits with 1
        (KILLED, {"own": 3, "all": 6}, Trouble.OOM),
        (make_exit(137), {"own": 3, "all": 6}, Trouble.OOM),
        (make_exit(1), {"own": 3, "all": 6}, None),  # a stranger's was
        (KILLED, {"own": 3, "all": 5}, None),
        (KILLED, {}, None),
        (make_exit(0), {"own": 4, "all": 6}, None),
    ],
)
def test_what_the_kernel_killed_for_memory_is_named(
    folder: AttemptFolder,
    monkeypatch: pytest.MonkeyPatch,
    record: ExitRecord,
    after: dict[str, int],
    trouble: Trouble | None,
) -> None:
    assert examine(folder, record, monkeypatch, after)[0] is trouble


@pytest.mark.parametrize(
    ("words", "trouble"),
    [
        ("OSError: [Errno 28] No space left on device: 'x'", Trouble.DISK_FULL),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", Trouble.OOM),
        ("MemoryError", Trouble.OOM),
        ("ValueError: no", None),
    ],
)
def test_the_log_names_what_it_says(
    folder: AttemptFolder, monkeypatch: pytest.MonkeyPatch, words: str, trouble: Trouble | None
) -> None:
    folder.output.write_text(f"step 1\n{words}\n")
    assert examine(folder, make_exit(1), monkeypatch)[0] is trouble
    assert examine(folder, make_exit(0), monkeypatch)[0] is None


@pytest.mark.parametrize("status", [0, 15])
def test_a_gpu_that_is_lost_is_named(
    folder: AttemptFolder, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    add_nvidia_smi(folder, monkeypatch, (status, LOST_GPU))
    trouble, advice = examine(folder, make_exit(1), monkeypatch)
    assert trouble is Trouble.GPU_LOST
    assert "0000:3B:00.0" in advice
    assert examine(folder, make_exit(None, 6), monkeypatch, stop=HUNG)[0] is Trouble.GPU_LOST


@pytest.mark.parametrize("answer", [(0, b"GPU 0"), (9, b"no driver"), OSError("no program")])
def test_a_driver_that_is_well_or_not_there_is_no_lost_gpu(
    folder: AttemptFolder, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, bytes] | Exception
) -> None:
    add_nvidia_smi(folder, monkeypatch, answer)
    assert find_lost_gpu() is None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (subprocess.TimeoutExpired("nvidia-smi", 20), "does not answer"),
        ((15, b""), "nvidia-smi says status 15"),
    ],
)
def test_a_driver_that_does_not_answer_or_says_so_is(
    folder: AttemptFolder,
    monkeypatch: pytest.MonkeyPatch,
    answer: tuple[int, bytes] | Exception,
    words: str,
) -> None:
    add_nvidia_smi(folder, monkeypatch, answer)
    assert words in str(find_lost_gpu())


def test_what_was_ended_for_its_trouble_has_that(
    folder: AttemptFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert examine(folder, make_exit(None, 6), monkeypatch, stop=HUNG)[0] is Trouble.HANG
    asked = StopBegun(cause=Cause.STOP, reason="asked for", is_now=False)
    assert examine(folder, make_exit(1), monkeypatch, stop=asked) == (None, "")


def test_the_kernel_is_read_as_it_writes(tmp_path: Path) -> None:
    for name, text in {
        "proc/self/cgroup": "4:memory:/x\n0::/system.slice/run.service\n",
        "sys/fs/cgroup/system.slice/run.service/memory.events": "low 0\noom 2\noom_kill 7\n",
        "proc/vmstat": "nr_free 1\noom_kill 56\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert read_kills(tmp_path) == {"own": 7, "all": 56}
    assert read_kills(tmp_path / "elsewhere") == {}
