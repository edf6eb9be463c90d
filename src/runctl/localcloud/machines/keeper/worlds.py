"""Which world an instance has."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runctl.localcloud.machines.keeper.folder import Folder
    from runctl.localcloud.machines.keeper.world import World
    from runctl.localcloud.machines.plan import Plan


def make_world(folder: Folder, plan: Plan) -> World:
    """Return the world of the tier; only what it needs is imported."""
    if plan["tier"] == "plain":
        from runctl.localcloud.machines.keeper.plain import PlainWorld  # noqa: PLC0415

        return PlainWorld(folder, plan)
    if plan["tier"] == "bubblewrap":
        from runctl.localcloud.machines.keeper.wrapped import WrappedWorld  # noqa: PLC0415

        return WrappedWorld(folder, plan)
    from runctl.localcloud.machines.keeper.namespaced import NamespacedWorld  # noqa: PLC0415

    return NamespacedWorld(folder, plan)
