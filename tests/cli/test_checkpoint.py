"""``runctl checkpoint`` on a run of the plain example, and on folders with real checkpoints."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runctl.testing import format_samples as samples
from tests.cli.conftest import Done, Golden, error_of, make_scene
from tests.scene import ROOT, Scene

STEPS = [50, 100, 150, 200]
PRINT_RESUME = """\
import os, sys
print("from", os.path.basename(os.environ["RUNCTL_RESUME_FROM"]), sys.argv[1:])
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A run of the plain example, which no test changes."""
    made = make_scene(tmp_path_factory.mktemp("trained"))
    train(made)
    yield made
    made.end_all()


def train(scene: Scene) -> None:
    shutil.copy(ROOT / "examples" / "plain" / "train.py", scene.project / "train.py")
    options = ["--name", "plain", "--checkpoint-dir", "checkpoints"]
    done = scene.type("train", "train.py", *options, "--", "--delay", "0.002")
    assert done.returncode == 0, done.stderr.decode()


def ask(scene: Scene, verb: str, *words: str) -> Any:
    done = scene.type("checkpoint", verb, "-o", "json", *words)
    assert done.returncode == 0, done.stdout.decode()
    return json.loads(done.stdout)


def save(scene: Scene, step: int, *, loss: float = 0.5) -> Path:
    """Save a checkpoint into ./saved, as it would have been at that second, long ago."""
    path = scene.project / "saved" / f"step-{step}.pt"
    path.parent.mkdir(exist_ok=True)
    state = samples.torch_state() | {"global_step": step, "loss": loss}
    samples.write_torch_zip(path, state, samples.torch_storages())
    os.utime(path, (1e9 + step, 1e9 + step))
    return path


def tear(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 9)


def names(scene: Scene) -> list[str]:
    return sorted(os.listdir(scene.project / "saved"))


def test_help(scene: Scene, golden: Golden) -> None:
    golden("help-checkpoint", scene.type("checkpoint", "--help"))


# -- a run


def test_list_shows_each_committed_checkpoint_of_a_run(trained: Scene) -> None:
    views = ask(trained, "list")
    assert [(view["name"], view["step"]) for view in views] == [
        (f"line-{step}.pkl", step) for step in STEPS
    ]
    assert {(view["verdict"], view["format"]) for view in views} == {("good", "pickle")}
    assert [view["label"] for view in views] == ["1/1", "1/2", "1/3", "1/4"]
    text = trained.type("checkpoint", "list", "plain").stdout.decode()
    assert text.split("\n")[0].split() == [
        "CHECKPOINT", "NAME", "FORMAT", "STEP", "EPOCH", "LOSS", "SIZE", "AGE", "LAG", "STATE",
    ]  # fmt: skip
    assert text.count("committed") == len(STEPS)
    ids = trained.type("checkpoint", "list", "plain", "-o", "id").stdout.split()
    assert ids == [b"1/1", b"1/2", b"1/3", b"1/4"]


@pytest.mark.parametrize(
    ("which", "step"), [("latest", 200), ("1/2", 100), ("line-150.pkl", 150), ("step=50", 50)]
)
def test_info_of_one_by_each_of_its_names(trained: Scene, which: str, step: int) -> None:
    detail = ask(trained, "info", "plain", which)
    assert detail["view"]["step"] == step
    assert set(detail["view"]["metrics"]) == {"loss", "slope", "intercept"}
    text = trained.type("checkpoint", "info", "plain", which).stdout.decode()
    assert f"step        {step}\n" in text


def test_download_brings_the_bytes(trained: Scene, tmp_path: Path) -> None:
    for words in (["plain", str(tmp_path)], ["plain", "1/4", str(tmp_path)]):
        found = ask(trained, "download", *words)
        assert found["path"] == str(tmp_path / "line-200.pkl")
    (manifest,) = (m for m in trained.manifests(run_id(trained)) if m["seq"] == 4)
    data = trained.committed(manifest)["line-200.pkl"]
    assert (tmp_path / "line-200.pkl").read_bytes() == data
    assert error_of(trained.type("checkpoint", "download", "plain", "-o", "json"))["exit_code"] == 2


def run_id(scene: Scene) -> str:
    return scene.type("runs", "-o", "id").stdout.decode().split()[0]


def test_verify_names_the_bad_one_and_shows_all(scene: Scene) -> None:
    train(scene)
    assert scene.type("checkpoint", "verify", "plain", "--deep").returncode == 0
    part = scene.manifests(run_id(scene))[1]["files"][0]["parts"][0]
    blob = scene.ledger / "blobs" / part["sha256"]
    blob.chmod(0o600)
    blob.write_bytes(b"x" * part["size_bytes"])
    assert scene.type("checkpoint", "verify", "plain").returncode == 0
    done = scene.type("checkpoint", "verify", "plain", "--deep")
    assert done.returncode == 10
    assert b"1 of 4 checkpoints are bad: 1/2" in done.stderr
    as_json = scene.type("checkpoint", "verify", "plain", "--deep", "-o", "json")
    assert as_json.returncode == 10
    assert [v["verdict"] for v in json.loads(as_json.stdout)] == ["good", "bad", "good", "good"]
    assert scene.type("checkpoint", "verify", "plain", "1/1", "--deep").returncode == 0
    assert scene.type("checkpoint", "download", "plain", "1/2", "there").returncode == 10
    assert os.listdir(scene.project / "there") == []


def test_cleanup_of_a_run_asks_first_and_deletes_what_it_said(scene: Scene) -> None:
    train(scene)
    command = ["checkpoint", "cleanup", "plain", "--keep-last", "2"]
    refused = scene.type(*command, "-o", "json")
    assert (refused.returncode, error_of(refused)["code"]) == (11, "refused")
    dry = json.loads(scene.type(*command, "--dry-run", "-o", "json").stdout)
    assert dry["is_dry_run"]
    assert len(scene.manifests(run_id(scene))) == len(STEPS)
    done = json.loads(scene.type(*command, "--yes", "-o", "json").stdout)
    assert done["checkpoints"] == dry["checkpoints"]
    assert [m["name"] for m in scene.manifests(run_id(scene))] == ["line-150.pkl", "line-200.pkl"]
    assert scene.type(*command, "--yes").returncode == 0


def test_resume_of_a_run_starts_from_the_wanted_checkpoint(scene: Scene) -> None:
    (scene.project / "fit.py").write_text(
        "import json, os, sys\n"
        "start = os.environ.get('RUNCTL_RESUME_FROM')\n"
        "print('from', start and os.path.basename(start))\n"
        "for step in (1, 2):\n"
        "    path = os.path.join(os.environ['RUNCTL_CHECKPOINT_DIR'], f's-{step}.json')\n"
        "    open(path, 'w').write(json.dumps({'step': step}))\n"
        "sys.exit(0 if start else 'it went wrong')\n"
    )
    assert scene.type("train", "fit.py", "--name", "fit").returncode == 20
    done = scene.type("checkpoint", "resume", "fit", "--from", "step=1")
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.endswith(b"from s-1.json\n")
    assert scene.type("checkpoint", "resume", "fit", "other.py").returncode == 2


# -- a folder


def test_a_folder_shows_what_is_whole_and_what_is_torn(scene: Scene) -> None:
    save(scene, 100)
    tear(save(scene, 200))
    canary = scene.home / "canary"
    hostile = samples.pickled({"step": 1, "x": samples.hostile(f"touch {canary}")})
    (scene.project / "saved" / "evil.pkl").write_bytes(hostile)
    odd = os.fsdecode(b"odd\xe9.npz")
    samples.write_npz(scene.project / "saved" / odd)
    found = {view["name"]: view["verdict"] for view in ask(scene, "list", "saved")}
    assert found == {
        "step-100.pt": "good", "step-200.pt": "bad", "evil.pkl": "good", "odd\\xe9.npz": "good",
    }  # fmt: skip
    text = scene.type("checkpoint", "list", "saved").stdout.decode()
    assert "bad: has no central directory" in text
    done = scene.type("checkpoint", "verify", "saved", "--deep")
    assert (done.returncode, b"step-200.pt" in done.stderr) == (10, True)
    assert scene.type("checkpoint", "info", "saved", "step-200.pt").returncode == 10
    assert "posix.system" in ask(scene, "info", "saved", "evil.pkl")["notes"][0]
    assert ask(scene, "info", "saved", odd)["view"]["name"] == "odd\\xe9.npz"
    assert not canary.exists()


def test_info_shows_tensors_the_first_or_all(scene: Scene) -> None:
    shaped = {f"layer.{number:02}": ("float32", (2, 3)) for number in range(25)}
    samples.write_safetensors(scene.project / "m.safetensors", shaped, step=3)
    text = scene.type("checkpoint", "info", "./m.safetensors").stdout.decode()
    assert "layer.19  float32  2x3\n" in text
    assert "layer.20" not in text
    assert "and 5 more: --all shows them" in text
    assert "parameters  150\n" in text
    everything = scene.type("checkpoint", "info", "./m.safetensors", "--all").stdout.decode()
    assert "layer.24" in everything


def test_what_a_checkpoint_says_does_not_reach_the_terminal_raw(scene: Scene) -> None:
    path = scene.project / "bell\x07.safetensors"
    samples.write_safetensors(path, {"\x1b[2Jname": ("float32", (1,))})
    done = scene.type("checkpoint", "info", ".")
    assert b"[2Jname" in done.stdout
    assert b"\x1b" not in done.stdout
    done = scene.type("checkpoint", "list", ".")
    assert b"bell\\x07.safetensors" in done.stdout
    assert b"\x07" not in done.stdout


def test_cleanup_of_a_folder_leaves_what_is_in_use(scene: Scene) -> None:
    for step, loss in ((1, 0.9), (2, 0.1), (3, 0.5), (4, 0.4), (5, 0.6), (6, 0.7)):
        save(scene, step, loss=loss)
    saved = scene.project / "saved"
    (saved / "last.ckpt").symlink_to("step-3.pt")
    (saved / "notes.txt").write_text("keep me")
    command = ["checkpoint", "cleanup", "saved", "--keep-last", "1", "--best", "loss"]
    assert scene.type(*command).returncode == 11
    with (saved / "step-4.pt").open("ab"):
        done = scene.type(*command, "--yes")
    assert done.returncode == 0, done.stderr.decode()
    kept = ["step-2.pt", "step-3.pt", "step-4.pt", "step-6.pt"]
    assert names(scene) == ["last.ckpt", "notes.txt", *kept]
    assert b"the link last.ckpt leads to it" in done.stdout
    assert b"a process has it open" in done.stdout


def test_cleanup_needs_a_number_and_a_metric_that_is_there(scene: Scene) -> None:
    save(scene, 1)
    assert scene.type("checkpoint", "cleanup", "saved").returncode == 2
    done = scene.type("checkpoint", "cleanup", "saved", "--keep-last", "0")
    assert done.returncode == 2
    words = ["checkpoint", "cleanup", "saved", "--keep-last", "1", "--best", "f1", "-o", "json"]
    error = error_of(scene.type(*words))
    assert (error["code"], error["details"]["metrics"]) == ("usage", ["epoch", "loss", "step"])


def test_a_script_resumes_from_the_newest_whole_one_of_a_folder(scene: Scene) -> None:
    scene.write("go.py", PRINT_RESUME)
    save(scene, 1)
    tear(save(scene, 2))
    done = scene.type("checkpoint", "resume", "saved", "go.py", "--name", "on", "--", "--lr", "a b")
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b"from step-1.pt ['--lr', 'a b']\n"
    assert b"step-2.pt was passed over" in done.stderr
    assert [view["label"] for view in ask(scene, "list", "on")] == ["0/1"]


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["saved"], 2),
        (["saved", "go.py", "--from", "step-2.pt"], 10),
        (["saved", "go.py", "--from", "step=9"], 4),
        (["./nowhere", "go.py"], 4),
    ],
)
def test_a_resume_that_cannot_be_leaves_no_run(scene: Scene, words: list[str], status: int) -> None:
    scene.write("go.py", PRINT_RESUME)
    save(scene, 1)
    tear(save(scene, 2))
    done = scene.type("checkpoint", "resume", *words, "-o", "json")
    assert (done.returncode, bool(error_of(done)["hint"])) == (status, True)
    assert scene.type("runs", "-o", "id").stdout == b""


def test_a_run_wins_over_a_folder_of_its_name(trained: Scene) -> None:
    folder = trained.project / "plain"
    folder.mkdir()
    try:
        done = trained.type("checkpoint", "list", "plain")
        assert b"plain is also a folder here: ./plain names it" in done.stderr
        assert b"committed" in done.stdout
        assert ask(trained, "list", "./plain") == []
    finally:
        folder.rmdir()


@pytest.mark.parametrize(
    ("target", "code"), [("a/b", "checkpoint-not-found"), ("ab", "run-not-found")]
)
def test_what_is_not_there(trained: Scene, target: str, code: str) -> None:
    done: Done = trained.type("checkpoint", "list", target, "-o", "json")
    assert (done.returncode, error_of(done)["code"]) == (4, code)
