"""What ends an instance by itself: user data that settles in at the first boot."""

from __future__ import annotations

import math
from datetime import timedelta
from importlib import resources

from runctl.model.quantities import format_duration
from runctl.model.wish import InstanceWish


def has_keeper(wish: InstanceWish) -> bool:
    """Tell whether anything is wished that ends the instance by itself."""
    return wish.ends_on_request or (wish.ttl, wish.idle_stop) != (None, None)


def user_data(wish: InstanceWish) -> str:
    """Return the keeper's script; the same wish gives the same: it holds durations, no time."""
    text = resources.files("runctl.providers.aws").joinpath("keeper.sh").read_text("ascii")
    values = {
        "on_request": "1" if wish.ends_on_request else "",
        **_duration("ttl", wish.ttl),
        **_duration("idle", wish.idle_stop),
    }
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _duration(name: str, duration: timedelta | None) -> dict[str, str]:
    """Return it for arithmetic, in whole seconds, and in words."""
    if duration is None:
        return {f"{name}_s": "", name: ""}
    return {f"{name}_s": str(math.ceil(duration.total_seconds())), name: format_duration(duration)}
