"""What a user wants of an instance, or of a volume."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from runctl.model.codec import Value


class VolumeWish(Value, frozen=True, kw_only=True):
    """What a user wants of a volume, which is told from his others by its name.

    ``throughput_mibps`` is in MiB/s; None leaves it, and ``iops``, to the provider. ``snapshot`` is
    the id of what it holds; None is a blank one.
    """

    name: str
    gib: int
    place: str
    iops: int | None = None
    throughput_mibps: int | None = None
    project: str | None = None
    is_protected: bool = False
    snapshot: str | None = None


class InstanceWish(Value, frozen=True, kw_only=True):
    """Sizes are in GiB, prices in US dollars an hour; None leaves it to the provider.

    ``image``: an id, or one of the names that the provider knows. ``gpu`` is a name such as
    ``L4``; ``gpu_count``, ``cpus`` and ``memory_gib`` are the least that will do.
    What ends the instance by itself: ``ttl`` counts from its first boot, ``idle_stop`` from when
    no run was on it; with ``ends_on_request`` the run that it is rented for ends it.
    ``max_cost``, in US dollars, shortens ``ttl`` by the price of the offer that is taken.
    """

    types: tuple[str, ...] = ()
    gpu: str | None = None
    gpu_count: int = 0
    cpus: int = 0
    memory_gib: int = 0
    is_spot: bool = False
    spot_max_price: Decimal | None = None
    zones: tuple[str, ...] = ()
    image: str = "al2023"
    root_gib: int | None = None
    instance_profile: str | None = None
    key_name: str | None = None
    security_groups: tuple[str, ...] = ()
    subnet: str | None = None
    project: str | None = None
    name: str | None = None
    ttl: timedelta | None = None
    idle_stop: timedelta | None = None
    ends_on_request: bool = False
    max_cost: Decimal | None = None
