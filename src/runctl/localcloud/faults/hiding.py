"""New things that are not seen for a while: EC2 is eventually consistent, and says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from runctl.localcloud.services.ec2.idents import NOUNS, Noun, not_found
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.api import Call

_BORN = ("LaunchTime", "CreateTime", "StartTime")
_LISTS = {
    "Fleets": "FleetId",
    "Images": "ImageId",
    "InstanceStatuses": "InstanceId",
    "Instances": "InstanceId",
    "KeyPairs": "KeyPairId",
    "SecurityGroups": "GroupId",
    "Snapshots": "SnapshotId",
    "SpotInstanceRequests": "SpotInstanceRequestId",
    "Subnets": "SubnetId",
    "Volumes": "VolumeId",
    "Vpcs": "VpcId",
}


class Hiding:
    """Knows how old things are; for those whose record does not say, since they were asked for."""

    def __init__(self) -> None:
        self._first: dict[str, float] = {}

    def refuse(self, call: Call, seconds: float) -> AwsError | None:
        """Return what EC2 says where a call names what is younger than so many seconds."""
        for noun, ident in _named(call.parameters):
            if self._is_young(call, noun, ident, seconds):
                return not_found(noun, [ident])
        return None

    def omit(self, call: Call, answer: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
        """Return the answer without what is younger than so many seconds."""
        found = {name: self._seen(call, name, part, seconds) for name, part in answer.items()}
        if "Reservations" in found:
            kept = [
                {**one, "Instances": self._seen(call, "Instances", one["Instances"], seconds)}
                for one in found["Reservations"]
            ]
            found["Reservations"] = [one for one in kept if one["Instances"]]
        return found

    def _seen(self, call: Call, name: str, part: Any, seconds: float) -> Any:
        if name not in _LISTS:
            return part
        idents = [(one, str(one[_LISTS[name]])) for one in part]
        return [
            one
            for one, ident in idents
            if (noun := _noun_of(ident)) is None or not self._is_young(call, noun, ident, seconds)
        ]

    def _is_young(self, call: Call, noun: Noun, ident: str, seconds: float) -> bool:
        record = call.cloud.records.peek(noun.kind, call.region, ident)
        if record is None:
            return False
        now = call.cloud.clock()
        born = next((record[name] for name in _BORN if isinstance(record.get(name), float)), None)
        return now < (born or self._first.setdefault(ident, now)) + seconds


def _named(parameters: Mapping[str, Any]) -> Iterator[tuple[Noun, str]]:
    """Return all ids that a call names, wherever they are in it, but for its filters."""
    for value in parameters.values():
        texts = value if isinstance(value, list) else [value]
        for text in texts:
            noun = _noun_of(text) if isinstance(text, str) else None
            if noun is not None:
                yield noun, text


def _noun_of(ident: str) -> Noun | None:
    prefix, dash, _ = ident.partition("-")
    return next((noun for noun in NOUNS if dash and noun.prefix == prefix), None)
