"""What the project declares of its environment, read here before anything is rented or written."""

from __future__ import annotations

from pathlib import Path

from runctl.agent.environment import Source, detect
from runctl.agent.environment.recipe import read_recipe
from runctl.agent.phases import settings_of
from runctl.model.spec import EnvironmentWish
from runctl.project import ProjectRoot, Selection


def read_declaration(root: ProjectRoot, selection: Selection, wish: EnvironmentWish) -> Source:
    """Return what will decide the environment there: of the files that travel, no others.

    Raises PhaseFailed where it cannot be honoured on any instance: a lock that is stale, an
    ``environment.yml`` alone, an extra that is not there.
    """
    settings, travelling = settings_of(wish), set(selection.paths)

    def travels(path: Path) -> bool:
        is_inside = path.is_relative_to(root.path)
        return is_inside and path.relative_to(root.path).as_posix() in travelling

    source = detect(root.path, root.path / root.script, settings, travels)
    read_recipe(root.path, source, settings)
    return source
