"""One look at a machine, over trees of /proc that the tests make, and over this machine's own."""

from __future__ import annotations

import ast
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runctl.agent import machine
from runctl.engine.looking import look, watch
from runctl.errors import InstanceLost, TransportError
from runctl.model.codec import build
from runctl.model.instance import InstanceState
from runctl.model.machine import MachineLook
from runctl.transports.api import Completed
from runctl.transports.local import LocalTransport
from tests.instances import make_instance
from tests.records import NOW
from tests.unit.test_architecture import imports

SECOND = timedelta(seconds=1)
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGESIZE")
RUN = "0198f4b2-run"
FOLDER = f"/home/u/.runctl/instance/attempts/{RUN}/1"
REAPER = ("/a/python", "-I", "-S", "/a/runctl/agent/reaper/__main__.py", "start")
AGENT = ("/a/python", "-I", "-u", "-m", "runctl.agent", FOLDER, "4", "5")


class Tree:
    """A machine with /proc and /sys below a folder, whose clock the tests turn."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 100 0 100 800 0 0 0 0\n")
        self.write("proc/loadavg", "0.50 0.25 0.10 1/200 1234\n")
        self.write("proc/uptime", "3600.50 7000.00\n")
        self.write(
            "proc/meminfo",
            "MemTotal: 1000 kB\nMemAvailable: 400 kB\nSwapTotal: 100 kB\nSwapFree: 75 kB\n",
        )
        self.write("proc/mounts", "overlay / overlay rw 0 0\nproc /proc proc rw 0 0\n")
        self.write("proc/net/dev", "Inter-|\n face |\n    lo: 5 0 0 0 0 0 0 0 5 0\n")

    def write(self, path: str, text: str | bytes) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text if isinstance(text, bytes) else text.encode())

    def process(
        self,
        pid: int,
        parent: int,
        *words: str,
        name: str = "python",
        cwd: str = "/",
        ticks: int = 0,
    ) -> None:
        fields = f"S {parent} 1 1 0 -1 0 0 0 0 0 {ticks} 0 0 0 20 0 1 0 99 0 10 0"
        self.write(f"proc/{pid}/stat", f"{pid} ({name}) {fields}\n")
        self.write(f"proc/{pid}/cmdline", "".join(f"{word}\0" for word in words))
        (self.root / f"proc/{pid}/cwd").unlink(missing_ok=True)
        (self.root / f"proc/{pid}/cwd").symlink_to(cwd)

    def look(self, pause: Callable[[], object] = list, *, is_all: bool = False) -> MachineLook:
        told = machine.look(str(self.root), is_all=is_all, pause=pause)
        fields = json.loads(json.dumps(told))
        return build({**fields, "instance": "i-1", "at": NOW}, MachineLook)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    turns = iter(float(second) for second in range(0, 100, 2))
    monkeypatch.setattr(time, "monotonic", lambda: next(turns))
    return Tree(tmp_path)


def test_the_processor_is_what_was_spent_between_two_looks(tree: Tree) -> None:
    def pause() -> None:
        tree.write("proc/stat", "cpu  150 0 110 820 20 0 0 0 9 9\ncpu0 150 0 110 820 20 0 0 0\n")

    found = tree.look(pause).processor
    shares = [found.percent, found.iowait_percent, found.steal_percent]
    assert shares == [60, 20, 0]
    assert found.count == 1
    assert list(found.per_core_percent) == [60]
    assert list(found.load) == [0.5, 0.25, 0.1]


def test_old_kernels_tell_less_of_the_processor(tree: Tree) -> None:
    tree.write("proc/stat", "cpu  1 0 1 8\ncpu0 1 0 1 8\n")
    assert tree.look().processor.percent == 0


def test_memory_has_the_limit_of_the_control_group_of_the_training(tree: Tree) -> None:
    assert tree.look().memory.limit_bytes is None
    memory = tree.look().memory
    assert (memory.total_bytes, memory.used_bytes) == (1_024_000, 614_400)
    assert (memory.swap_total_bytes, memory.swap_used_bytes) == (102_400, 25_600)
    tree.process(10, 1, *REAPER)
    tree.process(12, 10, "python", "train.py")
    tree.write("proc/12/cgroup", "0::/outer/inner\n")
    tree.write("sys/fs/cgroup/outer/inner/memory.max", "max\n")
    tree.write("sys/fs/cgroup/outer/memory.max", "512000\n")
    tree.write("sys/fs/cgroup/outer/memory.current", "1000\n")
    memory = tree.look().memory
    assert (memory.limit_bytes, memory.limit_used_bytes) == (512_000, 1000)


def test_the_older_control_groups_limit_too_and_no_limit_is_none(tree: Tree) -> None:
    tree.write("proc/self/cgroup", "5:cpu:/\n4:memory,x:/box\n")
    tree.write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", f"{1 << 62}\n")
    tree.write("sys/fs/cgroup/memory/box/memory.usage_in_bytes", "7\n")
    assert tree.look().memory.limit_bytes is None
    tree.write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "4096\n")
    assert tree.look().memory.limit_bytes == 4096


def test_disks_are_those_that_hold_files_and_each_is_told_once(tree: Tree) -> None:
    (tree.root / "my data").mkdir()
    (tree.root / "etc").mkdir()
    tree.write("etc/hosts", "")
    lines = ["/dev/root / ext4 rw 0 0", "/dev/root /my\\040data ext4 rw 0 0",
             "/dev/sda1 /etc/hosts ext4 rw 0 0", "tmpfs /tmp tmpfs rw 0 0",
             "/dev/loop1 /snap/x squashfs ro 0 0", "gone:/x /mnt/gone nfs4 rw 0 0"]  # fmt: skip
    tree.write("proc/mounts", "\n".join(lines))
    number = tree.root.stat().st_dev
    row = f"{os.major(number)} {os.minor(number)} sda1 1 0 {{}} 0 1 0 {{}} 0 0 0 0\n"
    tree.write("proc/diskstats", row.format(0, 100))

    def pause() -> None:
        tree.write("proc/diskstats", row.format(8, 104))

    root, gone = tree.look(pause).disks
    assert (root.device, root.mount, root.kind) == ("/dev/root", "/", "ext4")
    assert root.total_bytes
    assert root.free_bytes is not None
    assert (root.read_bytes_per_s, root.written_bytes_per_s) == (2048, 1024)
    assert (gone.mount, gone.total_bytes, gone.read_bytes_per_s) == ("/mnt/gone", None, None)


def test_without_diskstats_there_are_sizes_and_no_rates(tree: Tree) -> None:
    [root] = tree.look().disks
    assert root.total_bytes
    assert root.read_bytes_per_s is None


def test_networks_without_the_loop(tree: Tree) -> None:
    row = "Inter-|\n face |bytes\n  lo: 9 0 0 0 0 0 0 0 9 0\n eth0:{} 0 0 0 0 0 0 0 {} 0\n"
    tree.write("proc/net/dev", row.format(1000, 50))
    [one] = tree.look(lambda: tree.write("proc/net/dev", row.format(5000, 60))).networks
    assert (one.name, one.received_bytes_per_s, one.sent_bytes_per_s) == ("eth0", 2000, 5)


def test_the_processes_are_those_of_runs_in_the_order_of_their_trees(tree: Tree) -> None:
    tree.process(1, 0, "/sbin/init")
    tree.process(20, 1, *REAPER)
    tree.process(30, 20, *AGENT)
    tree.process(31, 30, "/a/uv", "pip", "install")
    tree.process(25, 20, "python", "train.py", cwd=f"{FOLDER}/code")
    tree.process(40, 25, "python", "loader (1) x", name="a b) (c", ticks=5)
    tree.process(50, 1, "bash", cwd=f"{FOLDER}/code")
    tree.process(60, 1, "sshd")
    found = tree.look(
        lambda: tree.process(40, 25, "python", "loader", name="a) b", ticks=5 + TICKS)
    )
    assert [(one.pid, one.depth, one.role) for one in found.processes] == [
        (20, 0, "reaper"), (25, 1, "training"), (40, 2, None), (30, 1, "agent"), (31, 2, None),
        (50, 0, None),
    ]  # fmt: skip
    assert {one.run for one in found.processes} == {RUN}
    loader = found.processes[2]
    assert (loader.cpu_percent, loader.resident_bytes) == (50, 10 * PAGE)
    assert loader.command == ("python", "loader")
    everybody = tree.look(is_all=True).processes
    assert [one.pid for one in everybody] == [1, 20, 25, 40, 30, 31, 50, 60]
    assert [one.depth for one in everybody] == [0, 1, 2, 3, 2, 3, 1, 1]


def test_of_an_attempt_without_a_reaper_what_still_runs_is_told(tree: Tree) -> None:
    tree.process(25, 1, "python", "train.py", cwd=f"{FOLDER}/code")
    [one] = tree.look().processes
    assert (one.role, one.run) == (None, RUN)


def test_commands_beside_an_agent_are_no_agents(tree: Tree) -> None:
    for pid, verb in enumerate(("exec", "start", "probe"), start=5):
        tree.process(pid, 1, "/a/python", "-I", "-m", "runctl.agent", verb, FOLDER)
    tree.process(9, 1, "grep", "runctl.agent")
    assert tree.look().processes == ()


def test_what_ends_while_it_is_looked_at_is_left_out(tree: Tree) -> None:
    tree.process(5, 1, "python", cwd=f"{FOLDER}/code")
    tree.process(6, 1, "python", cwd=f"{FOLDER}/code")
    found = tree.look((tree.root / "proc/6/stat").unlink)
    assert [one.pid for one in found.processes] == [5]
    tree.write("proc/5/stat", "5 (trunc")
    assert tree.look().processes == ()


def test_names_may_be_anything_and_the_kernel_is_left_out(tree: Tree) -> None:
    tree.process(2, 0, name="kthreadd")
    tree.process(3, 2, name="kworker/0:1")
    tree.process(7, 1, name="zombie) (x")
    tree.write("proc/8/stat", b"8 (\xff) S 1 " + b"0 " * 30)
    tree.write("proc/8/cmdline", b"caf\xe9\0new\nline\0\0")
    tree.process(9, 1, "x" * 9000)
    found = {one.pid: one.command for one in tree.look(is_all=True).processes}
    assert sorted(found) == [7, 8, 9]
    assert found[7] == ("[zombie) (x]",)
    assert found[8] == ("caf\\xe9", "new\nline", "")
    assert len(found[9][0]) == machine.LONGEST_COMMAND


SMI = """\
#!/bin/sh
case $1 in
*--query-gpu*)
    echo '0, GPU-1, NVIDIA L4, 87, 1024, 23034, 61, 70.50'
    echo '1, GPU-2, NVIDIA L4, [N/A], 0, 23034, 40, [N/A]' ;;
*) printf '25, 512\\n25, 256\\n99, [N/A]\\n' ;;
esac
"""


def put(tree: Tree, text: str) -> None:
    path = tree.root / "bin/nvidia-smi"
    path.write_text(text)
    path.chmod(0o755)


def test_gpus_are_what_nvidia_smi_tells(tree: Tree) -> None:
    put(tree, SMI)
    tree.process(25, 1, "python", cwd=FOLDER)
    tree.process(99, 1, "python", cwd=FOLDER)
    found = tree.look()
    first, second = found.gpus
    assert (first.index, first.name, first.percent) == (0, "NVIDIA L4", 87)
    assert (first.memory_used_bytes, first.celsius, first.watts) == (1 << 30, 61, 70.5)
    assert (second.index, second.percent, second.watts) == (1, None, None)
    assert [one.gpu_memory_bytes for one in found.processes] == [768 << 20, 0]
    assert found.gpu_problem is None


def test_why_gpus_are_not_told_is_told(tree: Tree) -> None:
    assert (tree.look().gpus, tree.look().gpu_problem) == ((), None)
    put(tree, "#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    assert tree.look().gpu_problem == "NVIDIA-SMI has failed"
    put(tree, "#!/bin/sh\nexit 9\n")
    assert tree.look().gpu_problem == "nvidia-smi ended with status 9"


def test_the_text_is_understood_by_python_3_9_with_its_library_alone() -> None:
    place = Path(machine.__file__)
    parsed = ast.parse(place.read_text(encoding="utf-8"), feature_version=(3, 9))
    taken = {module.partition(".")[0] for module, _ in imports(place)}
    assert taken <= set(sys.stdlib_module_names)
    calls = [node for node in ast.walk(parsed) if isinstance(node, ast.Call)]
    keywords = {word.arg for call in calls for word in call.keywords}
    assert "strict" not in keywords  # of zip: 3.10


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_this_very_machine_is_looked_at_as_an_instance_is() -> None:
    found = look(LocalTransport(), "local", NOW, is_detailed=True)
    assert found.processor.count >= 1
    assert found.memory.total_bytes > found.memory.used_bytes > 0
    mine = {one.pid: one for one in found.processes}[os.getpid()]
    assert mine.command
    assert mine.resident_bytes > 1 << 20
    assert any(disk.mount == "/" for disk in found.disks)


class Mute:
    """A transport that answers what it was told to."""

    def __init__(self, status: int, stdout: bytes) -> None:
        self.done = Completed(status, stdout, b"it has no Python\n")

    def exec(self, argv: object, *, stdin: bytes = b"") -> Completed:
        return self.done

    name = "mute"
    attach: Any = None
    put: Any = None
    get: Any = None


@pytest.mark.parametrize(("status", "told"), [(127, b""), (0, b"motd"), (0, b"{}"), (0, b"[]")])
def test_what_cannot_be_read_is_an_error_with_the_last_words(status: int, told: bytes) -> None:
    with pytest.raises(TransportError, match="it has no Python") as caught:
        look(Mute(status, told), "i-1", NOW)
    assert caught.value.hint == "runctl ssh i-1 -- top -bn1"


def test_watching_goes_on_through_a_moment_of_silence_and_ends_with_the_instance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, states = [0.0], [InstanceState.RUNNING, InstanceState.RUNNING, InstanceState.ENDING]
    monkeypatch.setattr("runctl.engine.looking.time.monotonic", lambda: now[0])
    monkeypatch.setattr("runctl.engine.looking.time.sleep", lambda s: now.append(now.pop() + s))
    answers: list[str | None] = ["one", None, None, "two", None]

    def look_now() -> Any:
        if (answer := answers.pop(0)) is None:
            raise TransportError("silent")
        return answer

    seen: list[Any] = []
    ending = watch(look_now, lambda: make_instance("i-1", state=states.pop(0)), SECOND)
    with pytest.raises(InstanceLost, match="i-1 does not run any more: it is ending"):
        seen.extend(ending)
    assert seen == ["one", "two"]


def test_watching_ends_where_the_instance_runs_and_is_silent_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("runctl.engine.looking.time.monotonic", lambda: now[0])
    monkeypatch.setattr("runctl.engine.looking.time.sleep", lambda s: now.append(now.pop() + s))

    def look_now() -> Any:
        raise TransportError("silent")

    with pytest.raises(TransportError, match="silent"):
        list(watch(look_now, lambda: make_instance("i-1"), SECOND))
    assert now[0] > 30
