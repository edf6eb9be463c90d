"""What a script prints reaches the ledger byte for byte, whatever it prints and how much."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from tests.scene import RUNCTL, Scene, is_alive

MIB = 1024**2
AGENT_LIMIT_BYTES = 256 * MIB
PRINTER = """
import hashlib, os, random, sys
from pathlib import Path

kind, left = sys.argv[1], int(sys.argv[2])
chance, digest, count = random.Random(1), hashlib.sha256(), 0
while left > 0:
    if kind == "lines":
        lines = range(count, count + 20000)
        data = "".join(f"step {n} loss {n / 7:.6f} caf\\u00e9\\n" for n in lines).encode()
        count += 20000
    elif kind == "binary":
        data = chance.randbytes(200_000) + bytes(100) + b"\\xff\\xfe\\x80\\r\\n\\x1b[2J\\n"
    elif kind == "endless":
        data = b"x" * 2**20
    data = data[:left]
    left -= len(data)
    digest.update(data)
    view = memoryview(data)
    while view:
        view = view[os.write(1, view):]
Path(os.environ["RUNCTL_OUTPUT_DIR"], "digest").write_text(digest.hexdigest())
"""


def peak_bytes(pid: int) -> int:
    """Return the most memory that a process has held, in bytes."""
    try:
        status = Path("/proc", str(pid), "status").read_text(encoding="ascii")
    except OSError:
        return 0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(found[0]) * 1024 if found else 0


def watch_agent(scene: Scene, run_id: str) -> int:
    """Return the peak memory of the agent, watched until the run has ended."""
    scene.wait_for("the agent", lambda: "agent" in scene.pids(run_id))
    agent = scene.pids(run_id)["agent"]
    peaks = [0]

    def has_ended() -> bool:
        peaks.append(peak_bytes(agent))
        return not is_alive(agent)

    scene.wait_for("the end of the agent", has_ended)
    return max(peaks)


def digest_of_shown(scene: Scene, run_id: str) -> str:
    """Return the digest of what ``runctl logs`` prints."""
    digest = hashlib.sha256()
    command = [RUNCTL, "logs", run_id]
    with subprocess.Popen(
        command, cwd=scene.project, env=scene.env, stdout=subprocess.PIPE
    ) as shown:
        assert shown.stdout is not None
        while data := shown.stdout.read(MIB):
            digest.update(data)
    assert shown.returncode == 0
    return digest.hexdigest()


def check_log(scene: Scene, kind: str, size_bytes: int) -> None:
    scene.write("printer.py", PRINTER)
    run_id = scene.launch("printer.py", "--", kind, str(size_bytes))
    peak = watch_agent(scene, run_id)
    assert scene.wait(run_id) == 0
    printed = (scene.outputs(run_id) / "digest").read_text()
    digest = hashlib.sha256()
    for piece in scene.log_pieces(run_id):
        digest.update(piece)
    assert digest.hexdigest() == printed, "the ledger holds another log than was printed"
    assert digest_of_shown(scene, run_id) == printed, "runctl logs shows another log"
    assert scene.attempt_end(run_id)["log_bytes"] == size_bytes
    assert 0 < peak <= AGENT_LIMIT_BYTES
    assert len(scene.log_chunks(run_id)) <= 100 + size_bytes // (4 * MIB)


@pytest.mark.parametrize("kind", ["lines", "binary", "endless"])
def test_much_output_arrives_byte_for_byte(scene: Scene, kind: str) -> None:
    check_log(scene, kind, 64 * MIB)


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["lines", "binary", "endless"])
def test_a_gigabyte_of_output_arrives_byte_for_byte(scene: Scene, kind: str) -> None:
    check_log(scene, kind, 1024 * MIB)


def test_last_line_without_its_end_is_not_lost(scene: Scene) -> None:
    scene.write(
        "train.py",
        "import os, time\nos.write(1, b'first\\n')\ntime.sleep(0.3)\n"
        "os.write(1, b'last, cut sh')\nos._exit(0)\n",
    )
    run_id = scene.launch("train.py")
    assert scene.wait(run_id) == 0
    assert b"".join(scene.log_pieces(run_id)) == b"first\nlast, cut sh"
    assert scene.type("logs", run_id).stdout == b"first\nlast, cut sh"


def test_output_of_a_script_that_is_killed_while_it_prints_arrives(scene: Scene) -> None:
    text = "import os, signal\nos.write(1, b'y' * 3000001)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    scene.write("train.py", text)
    run_id = scene.launch("train.py")
    assert scene.wait(run_id) == 20
    assert b"".join(scene.log_pieces(run_id)) == b"y" * 3000001


@pytest.mark.soak
def test_slow_output_costs_few_objects(scene: Scene) -> None:
    """A line every now and then is shipped at once, yet a long log does not fill the ledger."""
    scene.write(
        "train.py",
        "import time\nfor n in range(450):\n    print(n, flush=True)\n    time.sleep(0.2)\n",
    )
    run_id = scene.launch("train.py")
    assert scene.wait(run_id, timeout_s=200) == 0
    log = b"".join(scene.log_pieces(run_id))
    assert log == b"".join(b"%d\n" % n for n in range(450))
    assert len(scene.log_chunks(run_id)) < 64, "chunks are not compacted"
