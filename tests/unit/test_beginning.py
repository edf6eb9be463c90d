"""The first moment of the command line."""

from __future__ import annotations

import builtins
import sys
from typing import Any

import pytest

from runctl.__main__ import INTERRUPTED, main


def test_a_ctrl_c_while_the_command_line_is_loaded_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    load = builtins.__import__

    def interrupt(name: str, *rest: Any, **named: Any) -> Any:
        if name == "runctl.cli.main":
            raise KeyboardInterrupt
        return load(name, *rest, **named)

    monkeypatch.delitem(sys.modules, "runctl.cli.main", raising=False)
    monkeypatch.setattr(builtins, "__import__", interrupt)
    assert main() == INTERRUPTED
