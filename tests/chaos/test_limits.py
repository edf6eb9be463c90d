"""--max-time ends a run on its instance, politely, and sums over its attempts."""

from __future__ import annotations

import json

from tests.scene import Scene

AWARE = """
import json, os, signal, sys, time
from pathlib import Path

def save(*_):
    place = Path(os.environ["RUNCTL_CHECKPOINT_DIR"], "saved.json")
    place.with_suffix(".tmp").write_text(json.dumps({"step": 5, "seconds": elapsed()}))
    place.with_suffix(".tmp").replace(place)
    print("saved", flush=True)
    sys.exit(0)

def elapsed():
    return time.monotonic() - began

began = time.monotonic()
signal.signal(signal.SIGTERM, save)
while True:
    print(f"{elapsed():.2f}", flush=True)
    time.sleep(0.05)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: print("heard it", flush=True))
while True:
    time.sleep(0.02)
"""


def lived_s(scene: Scene, run_id: str, attempt: int) -> float:
    """Return for how long the script says that it had run when it was told to end."""
    found = [m for m in scene.manifests(run_id) if m["attempt"] == attempt]
    return float(json.loads(scene.committed(found[-1])["saved.json"])["seconds"])


def test_limit_lets_the_script_save_and_exits_23(scene: Scene) -> None:
    scene.write("aware.py", AWARE)
    run_id = scene.launch("--max-time", "2s", "aware.py")
    done = scene.type("wait", run_id)
    assert done.returncode == 23
    assert b"2s" in done.stderr, done.stderr
    assert b"saved" in scene.output(run_id)
    assert lived_s(scene, run_id, 1) < 2.5
    assert scene.attempt_end(run_id)["cause"] == "limit"
    assert scene.exit_record(run_id)["status"] == 0, "its own status is kept beside the limit"


def test_limit_kills_what_does_not_listen(scene: Scene) -> None:
    scene.write("stubborn.py", STUBBORN)
    run_id = scene.launch("--max-time", "1s", "--grace", "1s", "--retries", "3", "stubborn.py")
    assert scene.wait(run_id) == 23
    assert b"heard it" in scene.output(run_id)
    assert scene.exit_record(run_id)["signal"] == 9
    assert not (scene.run_folder(run_id) / "attempts" / "0002.json").exists(), "it was retried"


def test_limit_is_kept_with_the_agent_killed(scene: Scene) -> None:
    scene.write("aware.py", AWARE)
    run_id = scene.launch("--max-time", "4s", "aware.py")
    scene.wait_for_output(run_id, b"\n2.")
    scene.kill(run_id, "agent")
    assert scene.wait(run_id) == 23
    assert lived_s(scene, run_id, 1) < 5.5, "the limit began anew with the agent"


def test_limit_sums_over_attempts(scene: Scene) -> None:
    scene.write("aware.py", AWARE)
    run_id = scene.launch("--max-time", "10s", "aware.py")
    scene.wait_for_output(run_id, b"\n4.")
    scene.type("stop", run_id)
    assert scene.wait(run_id) == 24
    assert scene.type("resume", "--detach", run_id).returncode == 0
    assert scene.wait(run_id) == 23
    assert lived_s(scene, run_id, 1) >= 4
    assert lived_s(scene, run_id, 2) < 6, "the second attempt had the whole time again"


def test_nothing_is_left_of_a_limit_that_was_used_up(scene: Scene) -> None:
    scene.write("aware.py", AWARE)
    run_id = scene.launch("--max-time", "1s", "aware.py")
    assert scene.wait(run_id) == 23
    scene.type("resume", "--detach", run_id)
    assert scene.wait(run_id) == 23
    assert scene.output(run_id, 2) == b"", "the command was started with no time left"
