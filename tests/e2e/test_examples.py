"""The example scripts run bare, without runctl: what later scenarios take for granted of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
DIGITS = EXAMPLES / "digits" / "train.py"
PLAIN = EXAMPLES / "plain" / "train.py"
SHORT = ("--epochs", "3")  # 135 steps
LAST_STEP = 135
Metrics = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """A folder to run the digits in, as an agent would call them."""

    folder: Path

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints here"

    @property
    def outputs(self) -> Path:
        return self.folder / "outputs here"

    def start(self, *args: str, resume: Path | None = None) -> subprocess.Popen[str]:
        env = {k: v for k, v in os.environ.items() if not k.startswith("RUNCTL_")}
        env["RUNCTL_CHECKPOINT_DIR"] = str(self.checkpoints)
        env["RUNCTL_OUTPUT_DIR"] = str(self.outputs)
        if resume is not None:
            env["RUNCTL_RESUME_FROM"] = str(resume)
        return subprocess.Popen(
            [sys.executable, str(DIGITS), *args],
            cwd=self.folder,
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def finish(self, *args: str, resume: Path | None = None) -> list[Metrics]:
        process = self.start(*args, resume=resume)
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
        return [json.loads(line) for line in out.splitlines()]

    def interrupt(
        self, signum: int, at_step: int, *args: str, resume: Path | None = None
    ) -> list[Metrics]:
        """Send a signal once `at_step` has been printed, and give all that was printed."""
        with ended(self.start(*args, "--step-delay", "0.02", resume=resume)) as process:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(json.loads(line))
                if lines[-1]["step"] == at_step and "loss" in lines[-1]:
                    process.send_signal(signum)
            assert process.wait(timeout=120) == -signum
            return lines

    def list_checkpoints(self) -> list[str]:
        return [name for name in list_names(self.checkpoints) if name.startswith("step-")]

    def newest(self) -> Path:
        return self.checkpoints / self.list_checkpoints()[-1]


def list_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*"))


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Leave no process and no pipe behind, whatever a test does."""
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, list[Metrics]]:
    """A short run nobody touches, with a checkpoint of every step to compare with."""
    bench = Bench(tmp_path_factory.mktemp("undisturbed"))
    return bench, bench.finish(*SHORT, "--checkpoint-every", "1")


def test_defaults_reach_95_percent_and_write_the_outputs(bench: Bench) -> None:
    last = bench.finish()[-1]
    assert last["final_accuracy"] >= 0.95
    figures = json.loads((bench.outputs / "metrics.json").read_text())
    assert figures["final_accuracy"] == last["final_accuracy"]
    assert figures["weights_sha256"] == last["weights_sha256"]
    with np.load(bench.outputs / "model.npz", allow_pickle=False) as model:
        shapes = {name: model[name].shape for name in model}
    assert shapes == {"w1": (64, 64), "b1": (64,), "w2": (64, 10), "b2": (10,)}
    assert list_names(bench.outputs) == ["metrics.json", "model.npz"]


def test_metrics_are_json_lines(undisturbed: tuple[Bench, list[Metrics]]) -> None:
    _, lines = undisturbed
    steps = [line for line in lines if "loss" in line]
    assert [line["step"] for line in steps] == list(range(1, LAST_STEP + 1))
    assert [line["epoch"] for line in steps] == [1] * 45 + [2] * 45 + [3] * 45
    assert steps[-1]["lr"] < steps[0]["lr"] == 0.003
    assert sum(line["loss"] for line in steps[-45:]) < sum(line["loss"] for line in steps[:45])
    accuracies = [line["test_accuracy"] for line in lines if "test_accuracy" in line]
    assert len(accuracies) == 3
    assert lines[-1]["final_accuracy"] == accuracies[-1]
    assert len(lines[-1]["weights_sha256"]) == 64


def test_another_seed_gives_other_weights(
    bench: Bench, undisturbed: tuple[Bench, list[Metrics]]
) -> None:
    last = bench.finish(*SHORT, "--seed", "1")[-1]
    assert last["weights_sha256"] != undisturbed[1][-1]["weights_sha256"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("at_step", [1, 45, 46, 80])  # 45 ends an epoch
def test_interrupted_and_resumed_equals_undisturbed(
    bench: Bench, undisturbed: tuple[Bench, list[Metrics]], signum: int, at_step: int
) -> None:
    every = ("--checkpoint-every", "7")
    printed = bench.interrupt(signum, at_step, *SHORT, *every)
    resume = bench.checkpoints if bench.list_checkpoints() else None  # killed before the first
    lines = bench.finish(*SHORT, *every, resume=resume)
    assert printed[-1]["step"] < LAST_STEP
    if resume is not None:
        assert lines[0]["resumed_from"] == str(
            bench.checkpoints / f"step-{lines[0]['step']:06d}.npz"
        )
        assert lines[1]["step"] == lines[0]["step"] + 1 >= at_step - 6
    assert_same_end(bench, lines, undisturbed)


def test_resumed_many_times_equals_undisturbed(
    bench: Bench, undisturbed: tuple[Bench, list[Metrics]]
) -> None:
    resume = None
    for step, signum in [(13, signal.SIGTERM), (44, signal.SIGKILL), (90, signal.SIGTERM)]:
        bench.interrupt(signum, step, *SHORT, "--checkpoint-every", "5", resume=resume)
        resume = bench.newest()  # a file this time, where the test above gives the folder
    lines = bench.finish(*SHORT, resume=resume)
    assert_same_end(bench, lines, undisturbed)


def assert_same_end(
    bench: Bench, lines: list[Metrics], undisturbed: tuple[Bench, list[Metrics]]
) -> None:
    """Equal weights, and byte for byte equal checkpoints: moments, random state, position too."""
    other, expected = undisturbed
    assert lines[-1] == expected[-1]
    for name in {f"step-{LAST_STEP:06d}.npz", *bench.list_checkpoints()}:
        assert (bench.checkpoints / name).read_bytes() == (other.checkpoints / name).read_bytes()


def test_sigterm_saves_at_the_next_step_boundary(bench: Bench) -> None:
    lines = bench.interrupt(signal.SIGTERM, 9, *SHORT, "--checkpoint-every", "100000")
    stopped_at = lines[-1]["step"]
    assert lines[-1]["checkpoint"] == f"step-{stopped_at:06d}.npz"
    assert [line["step"] for line in lines if "loss" in line][-1] == stopped_at < LAST_STEP
    assert list_names(bench.checkpoints) == [lines[-1]["checkpoint"]]


def test_sigterm_does_not_wait_for_a_long_step_delay(bench: Bench) -> None:
    with ended(bench.start(*SHORT, "--step-delay", "100000")) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        assert process.wait(timeout=30) == -signal.SIGTERM
    assert list_names(bench.checkpoints) == ["step-000001.npz"]


@pytest.mark.parametrize("lines_before", [30, 61, 97, 150])
def test_killed_while_saving_leaves_only_whole_checkpoints(bench: Bench, lines_before: int) -> None:
    # A large network, saved in each step, spends nearly all its time in saving.
    args = (*SHORT, "--checkpoint-every", "1", "--hidden", "500")
    with ended(bench.start(*args)) as process:
        assert process.stdout is not None
        for _ in range(lines_before):
            process.stdout.readline()
        process.kill()
    visible = bench.list_checkpoints()
    assert len(visible) >= lines_before // 2 - 1
    for name in visible:
        with zipfile.ZipFile(bench.checkpoints / name) as archive:
            assert archive.testzip() is None
            assert "adam_second.w1.npy" in archive.namelist()


def test_a_checkpoint_holds_everything_and_no_pickle(
    undisturbed: tuple[Bench, list[Metrics]],
) -> None:
    bench, lines = undisturbed
    with np.load(bench.checkpoints / "step-000050.npz", allow_pickle=False) as file:
        fields = dict(file)
    assert (fields["step"], fields["epoch"], fields["index"]) == (50, 2, 5 * 32)
    assert fields["loss"] == next(li["loss"] for li in lines if li["step"] == 50 and "loss" in li)
    assert sorted(fields["permutation"]) == list(range(1437))
    assert json.loads(str(fields["rng_state"]))["bit_generator"] == "PCG64"
    assert json.loads(str(fields["hyperparameters"])) == {
        "epochs": 3, "lr": 0.003, "batch_size": 32, "hidden": 64, "seed": 0
    }  # fmt: skip
    for part in ("model", "adam_first", "adam_second"):
        assert fields[f"{part}.w1"].shape == (64, 64)


@pytest.mark.parametrize(
    ("flag", "was", "asked"),
    [
        ("--lr", "0.003", "0.01"),
        ("--batch-size", "32", "16"),
        ("--hidden", "64", "32"),
        ("--seed", "0", "1"),
        ("--epochs", "3", "2"),
    ],
)
def test_other_hyperparameters_are_refused(
    bench: Bench, undisturbed: tuple[Bench, list[Metrics]], flag: str, was: str, asked: str
) -> None:
    resume = undisturbed[0].checkpoints / "step-000050.npz"
    message = f"step-000050.npz was made with {flag} {was}, this run asks for {flag} {asked}"
    assert refusal(bench, *SHORT, flag, asked, resume=resume) == f"cannot resume: {message}\n"


def test_more_epochs_are_welcome(bench: Bench, undisturbed: tuple[Bench, list[Metrics]]) -> None:
    longer = bench.finish("--epochs", "4")
    again = Bench(bench.folder / "again")
    again.folder.mkdir()
    resumed = again.finish("--epochs", "4", resume=undisturbed[0].newest())
    assert [line["epoch"] for line in resumed if "loss" in line] == [4] * 45
    assert resumed[-1] == longer[-1]


def test_resuming_a_finished_run_only_writes_the_outputs(
    bench: Bench, undisturbed: tuple[Bench, list[Metrics]]
) -> None:
    lines = bench.finish(*SHORT, resume=undisturbed[0].newest())
    assert len(lines) == 2
    assert lines[-1] == undisturbed[1][-1]
    assert (bench.outputs / "model.npz").exists()


@pytest.mark.parametrize("damage", ["missing", "empty folder", "truncated", "empty", "flipped"])
def test_a_bad_checkpoint_is_refused(
    bench: Bench, undisturbed: tuple[Bench, list[Metrics]], damage: str
) -> None:
    whole = undisturbed[0].newest().read_bytes()
    path = bench.folder / "step-000135.npz"
    if damage == "empty folder":
        path.mkdir()
    elif damage != "missing":
        flipped = bytes([*whole[:900], whole[900] ^ 1, *whole[901:]])
        path.write_bytes({"truncated": whole[:-9], "empty": b"", "flipped": flipped}[damage])
    assert str(path) in refusal(bench, *SHORT, resume=path)


def refusal(bench: Bench, *args: str, resume: Path) -> str:
    process = bench.start(*args, resume=resume)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (2, "")
    assert not bench.checkpoints.exists()
    return err


@pytest.mark.parametrize(
    ("flag", "value"), [("--epochs", "0"), ("--lr", "nan"), ("--seed", "-1"), ("--step-delay", "x")]
)
def test_a_bad_argument_is_a_usage_error(bench: Bench, flag: str, value: str) -> None:
    process = bench.start(flag, value)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert f"argument {flag}" in err


def test_bare_it_writes_beside_the_current_folder(tmp_path: Path) -> None:
    env = {k: v for k, v in os.environ.items() if not k.startswith("RUNCTL_")}
    command = [sys.executable, str(DIGITS), "--epochs", "1"]
    subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True, timeout=120)
    assert list_names(tmp_path) == ["checkpoints", "outputs"]
    assert (tmp_path / "checkpoints" / "step-000045.npz").exists()


def test_torch_script_declares_what_its_requirements_file_lists() -> None:
    script = (DIGITS.parent / "train_torch.py").read_text()
    block = script.split("# /// script\n")[1].split("# ///\n")[0].replace("# ", "")
    listed = (DIGITS.parent / "requirements-torch.txt").read_text().split()
    assert tomllib.loads(block)["dependencies"] == listed
    assert set((DIGITS.parent / "requirements.txt").read_text().split()) < set(listed)


def run_plain(folder: Path, *args: str) -> list[str]:
    command = [sys.executable, str(PLAIN), *args]
    done = subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True, timeout=120
    )
    return done.stdout.splitlines()


def test_plain_prints_text_and_resumes_in_its_own_way(tmp_path: Path) -> None:
    lines = run_plain(tmp_path, "--delay", "0")
    assert lines[0] == "Fitting a line, from step 0 to 200"
    assert lines[-1].startswith("Done: y = ")
    names = list_names(tmp_path / "checkpoints")
    assert names == ["line-100.pkl", "line-150.pkl", "line-200.pkl", "line-50.pkl"]
    again = run_plain(tmp_path, "--delay", "0", "--resume", "checkpoints/line-150.pkl")
    assert again[0] == "Fitting a line, from step 150 to 200"
    assert again[-1] == lines[-1]


def test_plain_knows_nothing_of_runctl() -> None:
    code = PLAIN.read_text().split('"""')[2]
    assert "runctl" not in code.lower()
