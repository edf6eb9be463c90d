"""Scripts that know nothing of runctl, run unchanged, and looked at behind the tool."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

from tests.scene import ROOT, Scene

PLAIN = ROOT / "examples" / "plain" / "train.py"


def stored_manifests(scene: Scene, run_id: str) -> list[dict[str, Any]]:
    paths = sorted((scene.run_folder(run_id) / "checkpoints").rglob("manifest.json"))
    return [json.loads(path.read_bytes())["manifest"] for path in paths]


def stored_bytes(scene: Scene, manifest: dict[str, Any]) -> bytes:
    """Read a checkpoint's only file from the ledger's blobs, each held to its name."""
    (file,) = manifest["files"]
    data = b""
    for part in file["parts"]:
        blob = (scene.ledger / "blobs" / part["sha256"]).read_bytes()
        assert hashlib.sha256(blob).hexdigest() == part["sha256"]
        data += blob
    return data


def test_plain_script_runs_unchanged_and_its_checkpoints_are_kept(scene: Scene) -> None:
    shutil.copy(PLAIN, scene.project)
    done = scene.type("local", "train.py", "--name", "plain", "--", "--steps", "150")
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.splitlines()[-1].startswith(b"Done: y = ")
    run_id = next((scene.ledger / "runs").iterdir()).name
    manifests = stored_manifests(scene, run_id)
    assert [manifest["name"] for manifest in manifests] == [
        "line-50.pkl",
        "line-100.pkl",
        "line-150.pkl",
    ]
    written = scene.attempt(run_id) / "code" / "checkpoints"
    for manifest in manifests:
        assert stored_bytes(scene, manifest) == (written / manifest["name"]).read_bytes()
    assert pickle.loads(stored_bytes(scene, manifests[-1]))["step"] == 150


def test_what_runs_is_what_was_there_when_it_was_typed(scene: Scene) -> None:
    """A change after the launch does not reach the run; subfolders, modes and links do."""
    scene.write(".runctl.toml", "")
    scene.write(
        "code/with space/train it.py",
        "import time, pathlib; time.sleep(0.5)\n"
        "import helper; print(helper.WORD, pathlib.Path('link').read_text())\n",
    )
    scene.write("code/with space/helper.py", "WORD = 'before'\n")
    tool = scene.write("bin/tool", "#!/bin/sh\necho tool\n")
    tool.chmod(0o755)
    (scene.project / "link").symlink_to("bin/tool")
    run_id = scene.launch("code/with space/train it.py")
    scene.write("code/with space/helper.py", "WORD = 'after'\n")
    assert scene.type("wait", run_id).returncode == 0
    assert scene.output(run_id).startswith(b"before #!/bin/sh")
    arrived = scene.attempt(run_id) / "code"
    assert os.access(arrived / "bin" / "tool", os.X_OK)
    assert (arrived / "link").is_symlink()


def test_arguments_arrive_byte_for_byte(scene: Scene) -> None:
    scene.write("show.py", "import sys, os; print([os.fsencode(a) for a in sys.argv[1:]])\n")
    words = [
        "--help",
        "-x",
        "",
        "a b",
        "'q\"",
        "$HOME",
        "*",
        "--",
        "\n",
        "ü",
        "\udcff\udcfe",
        "\\x41",
    ]
    done = scene.type("local", "show.py", "--", *words)
    assert done.stdout.decode().strip() == str([os.fsencode(word) for word in words])


def test_shell_scripts_and_executables_run(scene: Scene) -> None:
    scene.write("plain.sh", "echo plain $1\n")
    scene.write("tool", "#!/bin/bash\necho tool ${BASH_VERSION:+bash} $1\n").chmod(0o755)
    assert scene.type("local", "plain.sh", "--", "x").stdout == b"plain x\n"
    assert scene.type("local", "tool", "--", "y").stdout == b"tool bash y\n"


def test_secret_reaches_the_script_and_no_file(scene: Scene) -> None:
    value = "hunter2-" + os.urandom(8).hex()
    scene.write(
        "use.py",
        "import os, hashlib; print(hashlib.sha256(os.environ['TOKEN'].encode()).hexdigest())\n",
    )
    done = scene.type("local", "use.py", "--secret", "TOKEN", env={"TOKEN": value})
    assert done.stdout.decode().strip() == hashlib.sha256(value.encode()).hexdigest()
    files = [path for path in scene.home.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path for path in files if value.encode() in path.read_bytes()] == []


def test_missing_secret_is_refused_before_anything_is_written(scene: Scene) -> None:
    scene.write("use.py", "print(1)\n")
    done = scene.type("local", "use.py", "--secret", "TOKEN")
    assert done.returncode == 2
    assert b"TOKEN" in done.stderr
    assert not (scene.ledger / "runs").exists()


def test_script_finds_its_folders_and_leaves_outputs(scene: Scene) -> None:
    scene.write(
        "use.py",
        "import os, pathlib\n"
        "out = pathlib.Path(os.environ['RUNCTL_OUTPUT_DIR'])\n"
        "(out / 'deep').mkdir(); (out / 'deep' / 'result.txt').write_text('42')\n"
        "assert pathlib.Path(os.environ['RUNCTL_DATA_DIR']).is_dir()\n"
        "assert 'RUNCTL_RESUME_FROM' not in os.environ\n"
        "print(os.environ['RUNCTL_RUN_ID'], os.environ['RUNCTL_ATTEMPT'])\n",
    )
    run_id = scene.launch("use.py")
    assert scene.type("wait", run_id).returncode == 0
    assert scene.output(run_id).decode().split() == [run_id, "1"]
    target = scene.project / "pulled"
    assert scene.type("pull", run_id, "--into", str(target)).returncode == 0
    assert (Path(target) / "deep" / "result.txt").read_text(encoding="utf-8") == "42"
