"""What a line of ``shutdown`` asks for."""

from __future__ import annotations

POWEROFF, REBOOT, CANCEL = "poweroff", "reboot", "cancel"
_DAY_S = 86400


def parse(line: str, seconds_of_day: float) -> tuple[str, float]:
    """Return what to do, and in how many seconds; ``ValueError`` for what cannot be understood.

    Without a time it is in one minute, as systemd's ``shutdown`` has it.
    """
    words = line.split()[1:]
    if {"-c", "--cancel"} & set(words):
        return CANCEL, 0.0
    letters = "".join(word[1:] for word in words if word[:1] == "-" and word[:2] != "--")
    is_reboot = "--reboot" in words or "r" in letters
    times = [word for word in words if not word.startswith("-")]
    delay_s = _delay_s(times[0], seconds_of_day) if times else 60.0
    return REBOOT if is_reboot else POWEROFF, delay_s


def _delay_s(text: str, seconds_of_day: float) -> float:
    if text == "now":
        return 0.0
    if ":" in text:
        hours, _, minutes = text.partition(":")
        if not (0 <= int(hours) < 24 and 0 <= int(minutes) < 60):
            raise ValueError(text)
        return (int(hours) * 3600 + int(minutes) * 60 - seconds_of_day) % _DAY_S
    minutes_left = int(text.removeprefix("+"))
    if minutes_left < 0:
        raise ValueError(text)
    return minutes_left * 60.0
