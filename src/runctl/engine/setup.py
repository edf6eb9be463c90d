"""What ``runctl init`` makes."""

from __future__ import annotations

from pathlib import Path

_TEMPLATE = """\
# Settings of this project for runctl; all keys: runctl config show
# [run]
# retries = 0
# [checkpoint]
# dir = "checkpoints"
"""


def write_project_file(root: Path) -> Path | None:
    """Make ``.runctl.toml`` unless it is there; return its path if it was made."""
    path = root / ".runctl.toml"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_TEMPLATE)
    except FileExistsError:
        return None
    return path
