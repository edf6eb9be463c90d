"""The agent comes to an instance that has nothing of runctl, and trains there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runctl.agent.elsewhere import StartOrder
from runctl.engine.arrival.beginning import begin
from runctl.engine.arrival.interpreters import pack_python
from runctl.engine.arrival.packages import pack_packages
from runctl.engine.arrival.parts import agent_name
from runctl.engine.arrival.platforms import Platform, own_platform, read_platform
from runctl.errors import IntegrityError, ProviderError, TransportError
from runctl.model.run import Run
from runctl.store.folder import FolderObjects
from runctl.store.ledger import Ledger, next_claim
from runctl.transports.api import Completed
from runctl.transports.local import LocalTransport
from tests.cli.projects import fill
from tests.records import make_wanted
from tests.scene import Scene

LIMIT_S = 60.0


class LinkedFolder(FolderObjects):
    """A folder whose links are those of files, which curl reads as well."""

    def link(self, key: str, lifetime: timedelta) -> str:
        return (Path(self.url) / key).as_uri()


class Elsewhere(LocalTransport):
    """Another machine: nothing of this one's environment, and a home of its own."""

    def __init__(self, home: Path, path: str) -> None:
        home.mkdir()
        self.home, self.count = home, 0
        self._env = ["env", "-i", f"HOME={home}", f"PATH={path}", "LANG=C.UTF-8"]

    def exec(self, argv: Sequence[str], *, stdin: bytes = b"") -> Completed:
        self.count += 1
        return super().exec([*self._env, *argv], stdin=stdin)

    def agents(self) -> list[Path]:
        return list((self.home / ".runctl" / "agents").glob("*"))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Elsewhere:
    return Elsewhere(tmp_path / "elsewhere", _path_without_us())


def _path_without_us() -> str:
    """A PATH whose python3 is one without runctl: that which our environment was made from."""
    return os.pathsep.join([str(Path(sys.base_prefix) / "bin"), "/usr/bin", "/bin"])


def _resume_elsewhere(scene: Scene, ledger: Ledger, run_id: str) -> StartOrder:
    """Claim the next attempt for the other machine; return the order to start it."""
    run = ledger.load(run_id)
    claim = next_claim(
        ledger,
        run,
        make_wanted(nonce="n", now=datetime.now(UTC), instance="elsewhere", reason="a test"),
    )
    ledger.claim(run_id, claim)
    return StartOrder(
        run_id=run_id,
        attempt=claim.attempt,
        instance="elsewhere",
        store=ledger.objects.url,
        is_exclusive=True,
        secrets={},
    )


def _await_end(ledger: Ledger, run_id: str) -> Run:
    deadline = time.monotonic() + LIMIT_S
    while not (run := ledger.load(run_id)).is_over:
        assert time.monotonic() < deadline, run.state
        time.sleep(0.1)
    return run


def test_an_attempt_runs_where_nothing_of_runctl_was(
    scene: Scene, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    run_id = fill(scene).launch("steps.py")
    assert scene.wait(run_id) == 20
    objects = LinkedFolder(scene.ledger)
    ledger = Ledger(objects)
    order = _resume_elsewhere(scene, ledger, run_id)
    answer = begin(elsewhere, order, objects, tmp_path / "cache", os.environ)
    assert json.loads(answer) == {"answer": "started"}
    run = _await_end(ledger, run_id)
    assert [attempt.state.value for attempt in run.attempts] == ["failed", "succeeded"]
    assert run.attempts[1].folder == str(
        elsewhere.home / ".runctl" / "instance" / "attempts" / run_id / "2"
    )
    assert b"from step 10" in (Path(run.attempts[1].folder) / "output.log").read_bytes()
    plan = json.loads((Path(run.attempts[1].folder) / "plan.json").read_bytes())
    assert plan["is_taken_up"] is False  # no instance of a cloud: nothing was done as root
    assert not (elsewhere.home / ".runctl" / "instance" / "boot").exists()
    assert elsewhere.count == 2  # once to hear what it needs
    _begin_again(elsewhere, order, objects, tmp_path)


def _begin_again(
    elsewhere: Elsewhere, order: StartOrder, objects: LinkedFolder, tmp_path: Path
) -> None:
    """With the agent there one command is enough; it is told the same once more, harmlessly."""
    elsewhere.count = 0
    before = elsewhere.agents()
    begin(elsewhere, order, objects, tmp_path / "cache", os.environ)
    assert elsewhere.count == 1
    assert elsewhere.agents() == before == [elsewhere.home / ".runctl" / "agents" / agent_name()]


def _order() -> StartOrder:
    return StartOrder(run_id="r", attempt=1, instance="i", store="/absent", is_exclusive=True)


def test_a_part_that_arrives_damaged_starts_nothing(elsewhere: Elsewhere, tmp_path: Path) -> None:
    class Damaged(LinkedFolder):
        def link(self, key: str, lifetime: timedelta) -> str:
            (Path(self.url) / key).write_bytes(b"other bytes")
            return super().link(key, lifetime)

    with pytest.raises(IntegrityError, match="other bytes"):
        begin(elsewhere, _order(), Damaged(tmp_path / "l"), tmp_path / "cache", os.environ)
    assert not any(path.name == agent_name() for path in elsewhere.agents())


def test_a_part_that_is_gone_says_what_curl_said(elsewhere: Elsewhere, tmp_path: Path) -> None:
    class Gone(LinkedFolder):
        def link(self, key: str, lifetime: timedelta) -> str:
            return super().link(f"{key}-gone", lifetime)

    with pytest.raises(TransportError, match=r"could not be started: curl: \(37\)"):
        begin(elsewhere, _order(), Gone(tmp_path / "l"), tmp_path / "cache", os.environ)


def test_an_image_without_python_gets_one(scene: Scene, tmp_path: Path) -> None:
    bare = Elsewhere(tmp_path / "bare", str(_programs(tmp_path / "programs")))
    run_id = fill(scene).launch("steps.py")
    assert scene.wait(run_id) == 20
    objects = LinkedFolder(scene.ledger)
    order = _resume_elsewhere(scene, Ledger(objects), run_id)
    begin(bare, order, objects, tmp_path / "cache", os.environ)
    run = _await_end(Ledger(objects), run_id)
    assert run.state.value == "succeeded"
    assert os.path.realpath(bare.agents()[0] / "bin" / "python").startswith(str(bare.home))


def _programs(folder: Path) -> Path:
    """A folder for PATH that has what the bootstrap needs, and no Python."""
    folder.mkdir()
    needed = "env sh uname ldd mkdir curl sha256sum tar gzip rm mv ln dirname cat"
    for name in needed.split():
        (folder / name).symlink_to(shutil.which(name) or "")
    return folder


def test_a_python_for_a_machine_of_another_kind_is_refused_with_what_to_do(tmp_path: Path) -> None:
    nowhere = {"UV_PYTHON_INSTALL_MIRROR": f"file://{tmp_path}/absent", "PATH": os.defpath}
    with pytest.raises(ProviderError, match="none for aarch64 with gnu") as caught:
        pack_python(Platform("aarch64", "gnu", None), tmp_path, nowhere)
    assert caught.value.hint


def test_parts_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    mine = own_platform()
    assert mine is not None
    made = [pack_packages(mine, tmp_path / name, os.environ) for name in ("a", "b")]
    assert len({hashlib.sha256(data).hexdigest() for data in made}) == 1
    kept = list((tmp_path / "a" / "parts").iterdir())
    assert [path.read_bytes() for path in kept] == made[:1]


def test_another_platform_gets_binaries_of_its_own(tmp_path: Path) -> None:
    other = Platform("aarch64", "gnu", "3.12")
    data = pack_packages(other, tmp_path, os.environ)
    (tmp_path / "other.tgz").write_bytes(data)
    shutil.unpack_archive(tmp_path / "other.tgz", tmp_path / "other", "gztar", filter="data")
    uv = (tmp_path / "other" / "bin" / "uv").read_bytes()
    assert uv[:4] == b"\x7fELF"
    assert uv[18] == 0xB7  # e_machine of aarch64
    assert list((tmp_path / "other").rglob("*cpython-312-aarch64-linux-gnu.so"))


def test_what_an_instance_says_of_itself_is_understood_or_refused() -> None:
    assert read_platform("Linux x86_64 musl 3.13\n").uv_name == "x86_64-unknown-linux-musl"
    assert read_platform("Linux aarch64 gnu 3.11").uv_name == "aarch64-manylinux_2_28"
    assert read_platform("Linux aarch64 gnu none").python is None
    with pytest.raises(ProviderError, match="Darwin"):
        read_platform("Darwin arm64 gnu 3.12")
