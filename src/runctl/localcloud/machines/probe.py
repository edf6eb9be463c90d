"""Which tiers this host lets us have: found by starting an instance of each."""

from __future__ import annotations

import glob
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from runctl.localcloud.machines import trial
from runctl.localcloud.machines.bubblewrap import BubblewrapTier
from runctl.localcloud.machines.errors import MachineError
from runctl.localcloud.machines.keeper import spaces
from runctl.localcloud.machines.namespace import NamespaceTier
from runctl.localcloud.machines.plain import PlainTier
from runctl.localcloud.machines.results import Feature, TierReport
from runctl.localcloud.machines.root import RootTier
from runctl.localcloud.machines.spec import CloudPlace
from runctl.localcloud.machines.tier import Tier

_TIERS: dict[str, type[Tier]] = {
    "root": RootTier,
    "namespace": NamespaceTier,
    "bubblewrap": BubblewrapTier,
    "plain": PlainTier,
}
ROOTLESS = ("namespace", "bubblewrap", "plain")
_TRIAL = "trial-"
_OPTIONAL = {Feature.DISK_LIMIT, Feature.VOLUMES, Feature.BLOCK_DEVICES}


def probe(folder: str | None = None) -> list[TierReport]:
    """Return all tiers, best first; those to be had were had, for a moment, in the folder."""
    with _trial_folder(folder) as place:
        return [_report(name, place) for name in _TIERS]


def open_tier(name: str, cloud: CloudPlace) -> Tier:
    """Return a tier: by its name, the best for ``auto``, or the best without root for ``rootless``.

    Raises ``MachineError`` with the reasons.
    """
    names = {"auto": tuple(_TIERS), "rootless": ROOTLESS}.get(name, (name,))
    reasons = []
    with _trial_folder(cloud.folder) as place:
        for one in names:
            report = _report(one, place)
            if report.is_usable:
                return make_tier(report, cloud)
            reasons.append(f"{one}: {report.reason}")
    raise MachineError("tier", "; ".join(reasons))


def make_tier(report: TierReport, cloud: CloudPlace) -> Tier:
    """Return a tier that was found usable; nothing is tried again."""
    return _TIERS[report.name](cloud, report)


def open_for_purge(name: str, users: str | None, cloud: CloudPlace) -> Tier:
    """Return a tier that was once had, only to remove what its machines have left."""
    return _TIERS[name](cloud, TierReport(name, True, "for a purge", users=users))


def sweep_trials(folder: str) -> None:
    """Remove what trials have left whose process was killed meanwhile."""
    for trial_folder in glob.glob(os.path.join(glob.escape(folder), f"{_TRIAL}*")):
        for short in os.listdir(trial_folder):
            place = CloudPlace(short, os.path.join(trial_folder, short))
            for name in _TIERS if os.geteuid() == 0 else ROOTLESS:
                tier = open_for_purge(name, spaces.ALL if os.geteuid() == 0 else None, place)
                tier.purge()
                tier.close()
        shutil.rmtree(trial_folder, ignore_errors=True)


def _report(name: str, folder: str) -> TierReport:
    if name not in _TIERS:
        return TierReport(name, False, "there is no such tier")
    reasons = []
    for candidate in _candidates(name):
        try:
            return trial.run(_TIERS[name], candidate, _place(folder))
        except MachineError as fault:
            reasons.append(f"{candidate.reason}: {fault}")
    return TierReport(name, False, "; ".join(reasons) or "needs root")


def _candidates(name: str) -> Iterator[TierReport]:
    """Return what may be tried, best first."""
    features = _TIERS[name].FEATURES
    whole = TierReport(name, True, "", features)
    if name == "root" and os.geteuid() == 0:
        yield replace(whole, reason="namespaces of root, a disk of its own")
        yield replace(whole, reason="namespaces of root", features=features - _OPTIONAL)
    elif name == "namespace":
        yield from _user_namespaces(whole)
    elif name == "bubblewrap":
        yield replace(whole, reason="bwrap, with one user", users=spaces.SINGLE)
    elif name == "plain":
        yield replace(whole, reason="processes of the host")


def _user_namespaces(whole: TierReport) -> Iterator[TierReport]:
    if os.geteuid() == 0:
        yield replace(whole, reason="a user namespace with all users", users=spaces.ALL)
        return
    reason = "a user namespace with a range of users"
    if shutil.which("newuidmap") and shutil.which("newgidmap"):
        yield replace(whole, reason=reason, users=spaces.SUBORDINATE)
    features = whole.features - {Feature.USERS}
    reason = "a user namespace with one user"
    yield TierReport(whole.name, True, reason, features, spaces.SINGLE)


def _place(folder: str) -> CloudPlace:
    short = "t" + secrets.token_hex(3)
    return CloudPlace(short, os.path.join(folder, short))


@contextmanager
def _trial_folder(folder: str | None) -> Iterator[str]:
    if folder is not None:
        os.makedirs(folder, exist_ok=True)
    made = tempfile.mkdtemp(prefix=_TRIAL, dir=folder)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
