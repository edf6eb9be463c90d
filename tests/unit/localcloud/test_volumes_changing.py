"""Volumes that are modified; encryption."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.localcloud.conftest import ACCOUNT, REGION, Rehearsal
from tests.unit.localcloud.ebs import (
    create,
    file_of,
    launch,
    read,
    refusal,
    snapshot,
    snapshot_of,
    volume_of,
    write,
)

GIB = 1 << 30
DAY_S = 86400.0
KEYS = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/"


def modification(rehearsal: Rehearsal, volume: str) -> Any:
    ec2 = rehearsal.client("ec2")
    return ec2.describe_volumes_modifications(VolumeIds=[volume])["VolumesModifications"][0]


def test_a_volume_is_modifying_optimizing_completed(rehearsal: Rehearsal) -> None:
    volume = create(rehearsal)
    write(rehearsal, volume, b"kept")
    answer = rehearsal.client("ec2").modify_volume(VolumeId=volume, Size=7, Iops=3500)
    changed = answer["VolumeModification"]
    assert (changed["ModificationState"], changed["Progress"]) == ("modifying", 0)
    assert (changed["OriginalSize"], changed["TargetSize"]) == (1, 7)
    assert (changed["OriginalIops"], changed["TargetIops"]) == (3000, 3500)
    assert volume_of(rehearsal, volume)["Size"] == 1
    rehearsal.advance(0.4)
    assert modification(rehearsal, volume)["ModificationState"] == "optimizing"
    assert volume_of(rehearsal, volume)["Size"] == 7
    assert file_of(rehearsal, volume).stat().st_size == 7 * GIB
    assert read(file_of(rehearsal, volume), 4) == b"kept"
    rehearsal.advance(1)
    done = modification(rehearsal, volume)
    assert (done["ModificationState"], done["Progress"]) == ("completed", 100)
    assert done["EndTime"] >= done["StartTime"]


@pytest.mark.parametrize(
    ("wanted", "shape"),
    [
        ({"VolumeType": "gp2"}, ("gp2", 100, None)),
        ({"VolumeType": "io2", "Size": 4}, ("io2", 3000, None)),
        ({"VolumeType": "standard"}, ("standard", None, None)),
        ({"Throughput": 500}, ("gp3", 3000, 500)),
    ],
)
def test_types_may_change(
    rehearsal: Rehearsal, wanted: dict[str, Any], shape: tuple[Any, ...]
) -> None:
    volume = create(rehearsal)
    rehearsal.client("ec2").modify_volume(VolumeId=volume, **wanted)
    rehearsal.advance(2)
    found = volume_of(rehearsal, volume)
    assert (found["VolumeType"], found.get("Iops"), found.get("Throughput")) == shape


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({}, "MissingParameter"),
        ({"Size": 70000}, "InvalidParameterValue"),
        ({"Iops": 100}, "InvalidParameterValue"),
        ({"VolumeType": "gp2", "Iops": 3000}, "InvalidParameterCombination"),
        ({"MultiAttachEnabled": True}, "InvalidParameterCombination"),
    ],
)
def test_what_cannot_be_changed(rehearsal: Rehearsal, wanted: dict[str, Any], code: str) -> None:
    volume, ec2 = create(rehearsal, Size=2), rehearsal.client("ec2")
    assert refusal(ec2.modify_volume, VolumeId=volume, **wanted)[0] == code
    found = refusal(ec2.describe_volumes_modifications, VolumeIds=[volume])
    assert found[0] == "InvalidVolumeModification.NotFound"


def test_a_volume_never_shrinks(rehearsal: Rehearsal) -> None:
    volume = create(rehearsal, Size=2)
    found = refusal(rehearsal.client("ec2").modify_volume, VolumeId=volume, Size=1)
    assert found == ("InvalidParameterValue", "New size cannot be smaller than existing size")


def test_one_modification_at_a_time_and_four_a_day(rehearsal: Rehearsal) -> None:
    volume, ec2 = create(rehearsal), rehearsal.client("ec2")
    for size in (2, 3, 4, 5):
        ec2.modify_volume(VolumeId=volume, Size=size)
        for _ in range(2):
            found = refusal(ec2.modify_volume, VolumeId=volume, Size=9)
            assert found[0] == "IncorrectModificationState"
            rehearsal.advance(0.4)
        rehearsal.advance(2)
    found = refusal(ec2.modify_volume, VolumeId=volume, Size=6)
    assert found[0] == "VolumeModificationRateExceeded"
    rehearsal.restart()
    ec2 = rehearsal.client("ec2")
    found = refusal(ec2.modify_volume, VolumeId=volume, Size=6)
    assert found[0] == "VolumeModificationRateExceeded"
    rehearsal.advance(DAY_S)
    ec2.modify_volume(VolumeId=volume, Size=6)


@pytest.mark.parametrize("passed_s", [0.0, 0.4])
def test_a_modification_is_finished_after_a_restart(rehearsal: Rehearsal, passed_s: float) -> None:
    volume = create(rehearsal)
    rehearsal.client("ec2").modify_volume(VolumeId=volume, Size=3)
    rehearsal.advance(passed_s)
    rehearsal.restart()
    rehearsal.advance(2)
    assert modification(rehearsal, volume)["ModificationState"] == "completed"
    assert file_of(rehearsal, volume).stat().st_size == 3 * GIB


def test_modifications_are_found_by_filters_and_go_with_the_volume(rehearsal: Rehearsal) -> None:
    first, second, ec2 = create(rehearsal), create(rehearsal), rehearsal.client("ec2")
    ec2.modify_volume(VolumeId=first, Size=3)
    ec2.modify_volume(VolumeId=second, VolumeType="gp2")
    rehearsal.advance(2)
    for name, value in {
        "target-size": "3",
        "original-volume-type": "gp3",
        "target-volume-type": "gp3",
        "modification-state": "completed",
        "volume-id": first,
    }.items():
        wanted = [
            {"Name": name, "Values": [value]},
            {"Name": "target-size", "Values": ["3"]},
        ]
        answer = ec2.describe_volumes_modifications(Filters=wanted)
        assert [one["VolumeId"] for one in answer["VolumesModifications"]] == [first], name
    ec2.delete_volume(VolumeId=first)
    rehearsal.advance(1)
    answer = ec2.describe_volumes_modifications()
    assert [one["VolumeId"] for one in answer["VolumesModifications"]] == [second]


# ---------------------------------------------------------------- encryption


def test_an_encrypted_volume_names_its_key(rehearsal: Rehearsal) -> None:
    key = volume_of(rehearsal, create(rehearsal, Encrypted=True))["KmsKeyId"]
    assert key.startswith(KEYS)
    named = create(rehearsal, Encrypted=True, KmsKeyId="1234abcd-12ab-34cd-56ef-1234567890ab")
    assert volume_of(rehearsal, named)["KmsKeyId"] == f"{KEYS}1234abcd-12ab-34cd-56ef-1234567890ab"
    alias = create(rehearsal, Encrypted=True, KmsKeyId="alias/aws/ebs")
    assert volume_of(rehearsal, alias)["KmsKeyId"] == key
    assert "KmsKeyId" not in volume_of(rehearsal, create(rehearsal))


def test_snapshots_and_their_volumes_inherit_the_key(rehearsal: Rehearsal) -> None:
    volume = create(rehearsal, Encrypted=True, KmsKeyId=f"{KEYS}mine")
    ident = snapshot(rehearsal, volume)
    assert (snapshot_of(rehearsal, ident)["Encrypted"]) is True
    copy = volume_of(rehearsal, create(rehearsal, SnapshotId=ident))
    assert (copy["Encrypted"], copy["KmsKeyId"]) == (True, f"{KEYS}mine")


def test_encryption_by_default(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    assert ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False
    assert ec2.enable_ebs_encryption_by_default()["EbsEncryptionByDefault"] is True
    rehearsal.restart()
    ec2 = rehearsal.client("ec2")
    assert ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is True
    assert volume_of(rehearsal, create(rehearsal))["Encrypted"] is True
    instance = launch(rehearsal)
    wanted = [{"Name": "attachment.instance-id", "Values": [instance]}]
    [root] = ec2.describe_volumes(Filters=wanted)["Volumes"]
    assert root["Encrypted"] is True
    assert rehearsal.client("ec2", "us-west-2").get_ebs_encryption_by_default()[
        "EbsEncryptionByDefault"
    ] is (False)
    assert ec2.disable_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False
    assert volume_of(rehearsal, create(rehearsal))["Encrypted"] is False


def test_the_default_key(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    assert ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == "alias/aws/ebs"
    assert ec2.modify_ebs_default_kms_key_id(KmsKeyId="mine")["KmsKeyId"] == f"{KEYS}mine"
    assert ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == f"{KEYS}mine"
    assert volume_of(rehearsal, create(rehearsal, Encrypted=True))["KmsKeyId"] == f"{KEYS}mine"
    assert ec2.reset_ebs_default_kms_key_id()["KmsKeyId"] == "alias/aws/ebs"
