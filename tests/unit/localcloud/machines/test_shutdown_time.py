"""What ``shutdown`` is asked for."""

from __future__ import annotations

import pytest

from runctl.localcloud.machines.keeper.shutdown_time import CANCEL, POWEROFF, REBOOT, parse

NOON_S = 12 * 3600.0


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("shutdown", (POWEROFF, 60.0)),
        ("shutdown now", (POWEROFF, 0.0)),
        ("shutdown -h now", (POWEROFF, 0.0)),
        ("shutdown -P +0", (POWEROFF, 0.0)),
        ("shutdown -h +90 going down", (POWEROFF, 5400.0)),
        ("shutdown -r 5", (REBOOT, 300.0)),
        ("shutdown --reboot now", (REBOOT, 0.0)),
        ("shutdown -hr now", (REBOOT, 0.0)),
        ("shutdown 12:30", (POWEROFF, 1800.0)),
        ("shutdown 11:59", (POWEROFF, 86340.0)),
        ("shutdown -c", (CANCEL, 0.0)),
        ("shutdown --no-wall -h +1", (POWEROFF, 60.0)),
    ],
)
def test_a_line_is_understood(line: str, expected: tuple[str, float]) -> None:
    assert parse(line, NOON_S) == expected


@pytest.mark.parametrize("text", ["soon", "25:00", "12:60", "+-5", "-h +x", "1:2:3"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(f"shutdown {text}", NOON_S)
