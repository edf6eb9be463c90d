"""What a volume may be: sizes, IOPS and throughput by type."""

from __future__ import annotations

from typing import Any, NamedTuple

from runctl.localcloud.wire.errors import AwsError


class Rule(NamedTuple):
    """The limits of one type; GiB, IOPS, MiB/s."""

    sizes: tuple[int, int]
    iops: tuple[int, int] | None
    iops_per_gib: int
    default_iops: int | None


RULES = {
    "gp3": Rule((1, 65536), (3000, 80000), 500, 3000),
    "gp2": Rule((1, 16384), None, 0, None),
    "io1": Rule((4, 16384), (100, 64000), 50, None),
    "io2": Rule((4, 65536), (100, 256000), 1000, None),
    "st1": Rule((125, 16384), None, 0, None),
    "sc1": Rule((125, 16384), None, 0, None),
    "standard": Rule((1, 1024), None, 0, None),
}
_GP2_LEAST, _GP2_MOST, _GP2_PER_GIB = 100, 16000, 3
_THROUGHPUT = (125, 2000)


def shape_of(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return type, size, IOPS and throughput of a volume; raise where AWS would not make it.

    ``wanted`` has VolumeType, Size, Iops and Throughput, as far as they were given.
    """
    kind = wanted.get("VolumeType") or "gp2"
    rule = RULES.get(kind)
    if rule is None:
        raise AwsError(
            "UnknownVolumeType", f"Unsupported volume type '{kind}' for volume creation."
        )
    size = wanted.get("Size")
    if size is None:
        raise AwsError(
            "MissingParameter", "The request must contain the parameter size or snapshotId"
        )
    low, high = rule.sizes
    if not low <= size <= high:
        word = "small" if size < low else "large"
        raise AwsError(
            "InvalidParameterValue",
            f"Volume of {size}GiB is too {word} for volume type {kind}; "
            f"{'minimum' if size < low else 'maximum'} is {low if size < low else high}GiB.",
        )
    shape: dict[str, Any] = {"VolumeType": kind, "Size": size}
    iops = _iops(rule, kind, size, wanted.get("Iops"))
    if iops is not None:
        shape["Iops"] = iops
    return shape | _throughput(kind, wanted.get("Throughput"), iops)


def _iops(rule: Rule, kind: str, size: int, wanted: int | None) -> int | None:
    if rule.iops is None:
        if wanted is not None:
            raise AwsError(
                "InvalidParameterCombination",
                f"The parameter iops is not supported for {kind} volumes.",
            )
        gp2 = min(max(_GP2_LEAST, size * _GP2_PER_GIB), _GP2_MOST)
        return gp2 if kind == "gp2" else None
    if wanted is None:
        if rule.default_iops is None:
            raise AwsError(
                "MissingParameter", f"The request must contain the parameter iops for {kind}"
            )
        return rule.default_iops
    _check_iops(rule, size, wanted)
    return wanted


def _check_iops(rule: Rule, size: int, wanted: int) -> None:
    assert rule.iops is not None  # noqa: S101 - asked for only where there are limits
    low, high = rule.iops
    if not low <= wanted <= high:
        words = f"low; minimum is {low}" if wanted < low else f"high; maximum is {high}"
        raise AwsError("InvalidParameterValue", f"Volume iops of {wanted} is too {words}.")
    if wanted > max(low, size * rule.iops_per_gib):
        raise AwsError(
            "InvalidParameterValue",
            f"Iops to volume size ratio of {wanted / size:.6f} is too high; maximum is "
            f"{rule.iops_per_gib}",
        )


def _throughput(kind: str, wanted: int | None, iops: int | None) -> dict[str, Any]:
    if kind != "gp3":
        if wanted is not None:
            raise AwsError(
                "InvalidParameterCombination",
                f"The parameter throughput is not supported for {kind} volumes.",
            )
        return {}
    low, high = _THROUGHPUT
    throughput = low if wanted is None else wanted
    if not low <= throughput <= high or throughput > max(low, (iops or 0) // 4):
        raise AwsError(
            "InvalidParameterValue", f"Throughput of {throughput} is invalid for gp3 volumes."
        )
    return {"Throughput": throughput}
