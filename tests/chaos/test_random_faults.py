"""Whatever goes wrong, and whenever: the weights are those of a training that was left alone.

``make soak`` disturbs 200 trainings, all else a few. A seed that fails is named; ``make soak
SEED=…`` has it again.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.chaos.disturbed import Disturber
from tests.chaos.random_faults import Plan, draw
from tests.chaos.test_clock import SHIM
from tests.e2e.conftest import lead_to
from tests.e2e.trainee import Trainee
from tests.localcloud.conftest import NewCloud

pytestmark = pytest.mark.slow
AT_ONCE = 4
COUNT = int(os.environ.get("COUNT", "200"))
SEED = os.environ.get("SEED", "")


def seeds(count: int) -> list[str]:
    """Return the seed that was asked for; else new ones, or in CI always the same."""
    first = "ci" if "CI" in os.environ else secrets.token_hex(3)
    return [SEED] if SEED else [f"{first}-{number}" for number in range(count)]


def make_shim(folder: Path) -> Path | None:
    """Return a library that shifts the clock; None where it cannot be compiled."""
    library = folder / "clock.so"
    if shutil.which("cc") is None:
        return None
    command = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(library)]
    subprocess.run(command, input=SHIM.encode(), check=True)
    return library


def find_problem(disturber: Disturber, plan: Plan, undisturbed: Future[str]) -> str | None:
    """Disturb a training, and hold it against the promises; say what is broken."""
    try:
        story = disturber.train(plan)
        with (disturber.user.home.parent / "stories").open("a", encoding="utf-8") as file:
            file.write(f"{story.plan.seed}: {story.took_s:.0f} s, {story.done}, {story.missed}\n")
        disturber.check(story, undisturbed.result())
    except (AssertionError, subprocess.SubprocessError) as error:
        return str(error)
    return None


def train_alone(disturber: Disturber) -> str:
    """Return the weights of a training that nothing disturbs."""
    return disturber.weights(disturber.train(Plan("alone", ())).run_id)


@pytest.mark.parametrize(
    "count", [3, pytest.param(COUNT, marks=pytest.mark.soak)], ids=["short", "long"]
)
@pytest.mark.timeout(0)
def test_nothing_is_lost(new_cloud: NewCloud, tmp_path: Path, count: int) -> None:
    made = new_cloud()
    made.start()
    cloud = lead_to(made)
    user = Trainee(tmp_path / "user", cloud.session, cloud.environ, cloud.ssh_port)
    user.bring_digits()
    disturber = Disturber(user, cloud, make_shim(tmp_path))
    plans = [draw(seed) for seed in seeds(count)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        alone = pool.submit(train_alone, disturber)
        found = pool.map(lambda plan: find_problem(disturber, plan, alone), plans)
        told = "\n\n".join(filter(None, found))
    assert not told, told
    disturber.check_nothing_is_left()
    user.leave()
