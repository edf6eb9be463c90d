"""What a user wants of an instance."""

from __future__ import annotations

from decimal import Decimal

from runctl.model.codec import Value


class InstanceWish(Value, frozen=True, kw_only=True):
    """Sizes are in GiB, prices in US dollars an hour; None leaves it to the provider.

    ``image``: an id, or one of the names that the provider knows.
    """

    types: tuple[str, ...] = ()
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
