"""What may be asked of the spot market, and what AWS says of the rest."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from runctl.localcloud.data import price_of
from runctl.localcloud.wire.errors import AwsError


def check_market(market: dict[str, Any]) -> dict[str, Any]:
    """Return the spot options of a launch by RunInstances; raise for what it does not take."""
    kind = market.get("MarketType", "spot")
    if kind != "spot":
        raise AwsError("Unsupported", f"The market type {kind} is not supported.")
    options: dict[str, Any] = market.get("SpotOptions", {})
    check_options(options)
    is_persistent = options.get("SpotInstanceType") == "persistent"
    if is_persistent and options.get("InstanceInterruptionBehavior", "terminate") == "terminate":
        raise AwsError(
            "InvalidParameterCombination",
            "The terminate InstanceInterruptionBehavior is not supported when requestType is set "
            "to persistent.",
        )
    if not is_persistent and options.get("ValidUntil"):
        raise AwsError(
            "InvalidParameterCombination",
            "ValidUntil is not supported for one-time Spot Instance requests.",
        )
    return options


def check_options(options: dict[str, Any]) -> None:
    """Raise for options that no spot request takes."""
    behaviour = options.get("InstanceInterruptionBehavior") or "terminate"
    if options.get("SpotInstanceType") != "persistent" and behaviour != "terminate":
        kind = options.get("SpotInstanceType")
        raise AwsError(
            "InvalidParameterCombination",
            f"The request with type '{kind or 'null'}' is not supported when "
            f"instanceInterruptionBehavior is set to '{behaviour}'.",
        )
    if options.get("BlockDurationMinutes"):
        raise AwsError("Unsupported", "Spot Instances with a defined duration are not supported.")
    read_price(options.get("MaxPrice"))


def read_price(wanted: str | None) -> Decimal | None:
    """Return US dollars an hour; None where no price is asked for."""
    if not wanted:
        return None
    try:
        price = Decimal(wanted)
    except InvalidOperation:
        price = Decimal(-1)
    if not price.is_finite() or price <= 0:
        raise AwsError("InvalidParameterValue", f"Invalid value '{wanted}' for spotPrice.")
    return price


def is_too_low(kind: str, region: str, wanted: str | None) -> bool:
    """Whether a price is below the known one; nothing is too low where none is known."""
    given, known = read_price(wanted), price_of(kind, region, is_spot=True)
    return given is not None and known is not None and given < known


def check_price(kind: str, region: str, wanted: str | None) -> None:
    """Raise what RunInstances answers to a price that is too low."""
    if is_too_low(kind, region, wanted):
        raise AwsError(
            "SpotMaxPriceTooLow",
            f"Your Spot request price of {wanted} is lower than the minimum required Spot request "
            f"fulfillment price of {price_of(kind, region, is_spot=True)}.",
        )
