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
MULTI_ATTACH = ("io1", "io2")
_GP2_LEAST, _GP2_MOST, _GP2_PER_GIB = 100, 16000, 3
_THROUGHPUT = (125, 2000)
_THROUGHPUT_PER_IOPS = 0.25


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
    _check_size(rule, kind, size)
    shape: dict[str, Any] = {"VolumeType": kind, "Size": size}
    iops = _iops(rule, kind, size, wanted.get("Iops"))
    if iops is not None:
        shape["Iops"] = iops
    return shape | _throughput(kind, wanted.get("Throughput"), iops)


def _check_size(rule: Rule, kind: str, size: int) -> None:
    low, high = rule.sizes
    if low <= size <= high:
        return
    least = f"at least {low} GiB in size. Please specify a volume size above the minimum limit."
    most = f"at most {high} GiB in size. Please specify a volume size below the maximum limit."
    raise AwsError(
        "InvalidParameterValue",
        f"The volume size is invalid for {kind} volumes: {size} GiB. {kind} volumes must be "
        f"{least if size < low else most}",
    )


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
                "InvalidParameterCombination",
                f"The parameter iops must be specified for {kind} volumes.",
            )
        return rule.default_iops
    _check_iops(rule, rule.iops, size, wanted)
    return wanted


def _check_iops(rule: Rule, limits: tuple[int, int], size: int, wanted: int) -> None:
    low, high = limits
    if not low <= wanted <= high:
        words = f"low; minimum is {low}" if wanted < low else f"high; maximum is {high}"
        raise AwsError("InvalidParameterValue", f"Volume iops of {wanted} is too {words}.")
    base = rule.default_iops or low
    if wanted > max(base, size * rule.iops_per_gib):
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
    if not low <= throughput <= high:
        words = f"low; minimum is {low}" if throughput < low else f"high; maximum is {high}"
        raise AwsError(
            "InvalidParameterValue", f"Volume throughput of {throughput} MiBps is too {words} MiBps"
        )
    ratio = throughput / (iops or 1)
    if ratio > _THROUGHPUT_PER_IOPS:
        raise AwsError(
            "InvalidParameterValue",
            f"Throughput (MiBps) to iops ratio of {ratio:.6f} is too high; maximum is "
            f"{_THROUGHPUT_PER_IOPS:.6f} MiBps per iops",
        )
    return {"Throughput": throughput}


def check_multi_attach(wanted: dict[str, Any], kind: str) -> None:
    """Raise what AWS says of Multi-Attach where the type cannot do it."""
    if wanted.get("MultiAttachEnabled") and kind not in MULTI_ATTACH:
        raise AwsError(
            "InvalidParameterCombination",
            "Multi-Attach is supported for io1 and io2 volumes only: it cannot be enabled for "
            f"{kind} volumes.",
        )
