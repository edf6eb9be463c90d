"""The command line of the training process, and the variables that it is told."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from runctl.agent.command import (
    TrainingCommand,
    build_command,
    checkpoint_folder,
    watched_folders,
)
from runctl.agent.environment import Prepared
from runctl.agent.folder import AttemptFolder
from runctl.model.codec import escape_name
from runctl.model.hyperparams import parse_hyperparams, to_arguments
from runctl.model.spec import CheckpointWish, Command, Limits, Spec
from tests.records import RUN_ID, make_spec

PYTHON = Path("/env/bin/python")


@pytest.fixture
def folder(tmp_path: Path) -> AttemptFolder:
    folder = AttemptFolder(tmp_path)
    folder.code.mkdir()
    return folder


def prepared(**environ: str) -> Prepared:
    return Prepared(
        python=PYTHON,
        python_version="3.11.0",
        import_paths=(),
        installer=None,
        source="none",
        key=None,
        lock_hash=None,
        is_cached=False,
        packages={},
        environ=environ,
    )


def add_script(folder: AttemptFolder, name: str, text: str = "", mode: int = 0o644) -> None:
    path = folder.code / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def build(
    folder: AttemptFolder,
    spec: Spec,
    *,
    resume_from: Path | None = None,
    secrets: dict[str, str] | None = None,
    environ: dict[str, str] | None = None,
    **environment: str,
) -> TrainingCommand:
    return build_command(
        spec, folder, 2, prepared(**environment), resume_from, secrets or {}, environ or {}
    )


def command(script: str = "train.py", **changes: object) -> Spec:
    made = Command(script=escape_name(script), **changes)  # type: ignore[arg-type]
    return make_spec(command=made)


# -- the command line


def test_a_python_script_is_run_by_the_python_of_its_environment(folder: AttemptFolder) -> None:
    add_script(folder, "train.py", "#!/usr/bin/perl", 0o755)
    built = build(folder, command())
    assert (built.argv, built.cwd) == ([str(PYTHON), "train.py"], str(folder.code))


@pytest.mark.parametrize("content", ["#!/usr/bin/perl\n", "\x7fELF\2\1\1\0"])
def test_an_executable_is_run_as_it_is(folder: AttemptFolder, content: str) -> None:
    add_script(folder, "train", content, 0o755)
    assert build(folder, command("train")).argv == ["./train"]


def test_an_executable_that_names_no_interpreter_is_text_for_a_shell(
    folder: AttemptFolder,
) -> None:
    add_script(folder, "train", "echo hello\n", 0o755)
    assert build(folder, command("train")).argv == ["sh", "train"]


@pytest.mark.parametrize(
    ("first_line", "shell"),
    [
        ("#!/bin/bash -e\n", ["/bin/bash", "-e"]),
        ("#!/usr/bin/env bash\n", ["/usr/bin/env", "bash"]),
        ("#! /bin/dash\r\n", ["/bin/dash"]),
        ("#!\n", ["sh"]),
        ("echo hello\n", ["sh"]),
        ("", ["sh"]),
    ],
)
def test_a_script_that_is_not_executable_is_run_by_what_it_names(
    folder: AttemptFolder, first_line: str, shell: list[str]
) -> None:
    add_script(folder, "train.sh", first_line)
    assert build(folder, command("train.sh")).argv == [*shell, "train.sh"]


@pytest.mark.parametrize(
    ("name", "start"), [("a.bash", "bash"), ("a.txt", "sh"), ("A.PY", str(PYTHON))]
)
def test_a_script_that_names_nothing_is_run_by_what_its_name_says(
    folder: AttemptFolder, name: str, start: str
) -> None:
    add_script(folder, name, "echo hello\n")
    assert build(folder, command(name)).argv == [start, name]


@pytest.mark.parametrize("name", ["my train.py", "deep/er/train.py", "it's.py", "ö.py", "-c.py"])
def test_a_script_may_have_any_name(folder: AttemptFolder, name: str) -> None:
    add_script(folder, name)
    python, script = build(folder, command(name)).argv
    assert os.path.normpath(folder.code / script) == str(folder.code / name)
    assert not script.startswith("-"), "python would take it for an option"
    assert python == str(PYTHON)


def test_the_script_is_named_from_where_the_user_stood(folder: AttemptFolder) -> None:
    add_script(folder, "scripts/train.py")
    (folder.code / "work").mkdir()
    built = build(folder, command("scripts/train.py", cwd="work"))
    assert (built.argv[1], built.cwd) == ("../scripts/train.py", str(folder.code / "work"))


def test_arguments_arrive_byte_for_byte_behind_the_hyperparameters(
    folder: AttemptFolder,
) -> None:
    odd = ["", "a b", "$HOME", "back\\slash", "\\xff", os.fsdecode(b"\xff"), "new\nline", "--", "*"]
    add_script(folder, "train.py")
    spec = command(
        arguments=tuple(map(escape_name, odd)),
        hyperparams=parse_hyperparams("batch_size=32,lr=1e-3"),
    )
    assert build(folder, spec).argv[2:] == [*to_arguments(spec.command.hyperparams), *odd]
    assert any("batch-size" in each for each in build(folder, spec).argv[2:4])


def test_the_grace_travels_to_the_reaper(folder: AttemptFolder) -> None:
    add_script(folder, "train.py")
    assert build(folder, make_spec(limits=Limits())).grace_s == 30.0


# -- variables


def test_the_script_is_told_where_its_things_are(folder: AttemptFolder) -> None:
    add_script(folder, "train.py")
    env = build(folder, command()).env
    assert {name: value for name, value in env.items() if name.startswith("RUNCTL_")} == {
        "RUNCTL_RUN_ID": RUN_ID,
        "RUNCTL_ATTEMPT": "2",
        "RUNCTL_CHECKPOINT_DIR": str(folder.checkpoints),
        "RUNCTL_DATA_DIR": str(folder.data),
        "RUNCTL_OUTPUT_DIR": str(folder.outputs),
    }


def test_resume_is_a_path_or_unset_whatever_is_around(folder: AttemptFolder) -> None:
    add_script(folder, "train.py")
    around = {"RUNCTL_RESUME_FROM": "/of/another/run", "RUNCTL_RUN_ID": "another"}
    spec = command(env={"RUNCTL_RESUME_FROM": "/the/user's"})
    assert "RUNCTL_RESUME_FROM" not in build(folder, spec, environ=around).env
    env = build(folder, spec, environ=around, resume_from=Path("/resume/last.ckpt")).env
    assert env["RUNCTL_RESUME_FROM"] == "/resume/last.ckpt"
    assert env["RUNCTL_RUN_ID"] == RUN_ID


def test_who_sets_a_variable_last(folder: AttemptFolder) -> None:
    """The instance, then the environment, then the user, then secrets, then runctl's own."""
    add_script(folder, "train.py")
    names = ["A", "B", "C", "RUNCTL_ATTEMPT"]
    spec = command(env=dict.fromkeys(names[1:], "user"))
    env = build(
        folder,
        spec,
        environ={"HOME": "/home", **dict.fromkeys(names, "instance")},
        secrets=dict.fromkeys(names[2:], "secret"),
        A="environment",
        B="environment",
    ).env
    assert [env[name] for name in names] == ["environment", "user", "secret", "2"]
    assert env["HOME"] == "/home"


def test_output_is_not_held_back(folder: AttemptFolder) -> None:
    add_script(folder, "train.py")
    assert build(folder, command()).env["PYTHONUNBUFFERED"] == "1"


@pytest.mark.parametrize(("gpus", "visible"), [((0,), "0"), ((1, 3), "1,3"), ((), None)])
def test_only_the_gpus_that_were_claimed_are_visible(
    folder: AttemptFolder, gpus: tuple[int, ...], visible: str | None
) -> None:
    add_script(folder, "train.py")
    env = build(folder, make_spec(gpus=gpus)).env
    assert env.get("CUDA_VISIBLE_DEVICES") == visible


# -- where checkpoints may appear


def test_a_folder_of_the_script_s_own_is_what_it_is_told(folder: AttemptFolder) -> None:
    spec = make_spec(
        command=Command(script="train.py", cwd="work"), checkpoint=CheckpointWish(folder="out/c")
    )
    assert checkpoint_folder(spec, folder) == folder.code / "work" / "out" / "c"
    assert watched_folders(spec, folder) == [
        folder.code / "work" / "out" / "c",
        folder.code / "work" / "checkpoints",
    ]


def test_a_folder_is_watched_once(folder: AttemptFolder) -> None:
    spec = make_spec(checkpoint=CheckpointWish(folder="checkpoints"))
    assert watched_folders(spec, folder) == [folder.code / "checkpoints"]


def test_this_interpreter_is_not_what_scripts_are_run_by(folder: AttemptFolder) -> None:
    add_script(folder, "train.py")
    assert build(folder, command()).argv[0] != sys.executable
