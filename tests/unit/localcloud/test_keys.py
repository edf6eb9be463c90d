"""Key pairs: made with real keys, brought along, told by AWS's own fingerprints."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localcloud.conftest import START, Rehearsal


def refusal(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return str(error.value.response["Error"]["Code"])


def ssh_keygen(*words: str) -> str:
    command = ["ssh-keygen", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def ec2(rehearsal: Rehearsal) -> Any:
    return rehearsal.client("ec2")


def write_private(folder: Path, material: str) -> Path:
    file = folder / "key.pem"
    file.write_text(material)
    file.chmod(0o600)
    return file


@pytest.mark.parametrize(
    ("kind", "head"), [("rsa", "BEGIN RSA PRIVATE KEY"), ("ed25519", "BEGIN OPENSSH PRIVATE KEY")]
)
def test_a_pair_is_made_whose_halves_belong_together(
    rehearsal: Rehearsal, tmp_path: Path, kind: str, head: str
) -> None:
    ec2 = rehearsal.client("ec2")
    tags = [{"ResourceType": "key-pair", "Tags": [{"Key": "k", "Value": "v"}]}]
    made = ec2.create_key_pair(KeyName="mine", KeyType=kind, TagSpecifications=tags)
    assert head in made["KeyMaterial"]
    assert made["Tags"] == [{"Key": "k", "Value": "v"}]
    rehearsal.restart()
    ec2 = rehearsal.client("ec2")
    [found] = ec2.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]
    assert (found["KeyPairId"], found["KeyType"]) == (made["KeyPairId"], kind)
    assert found["CreateTime"].timestamp() == START
    assert "KeyMaterial" not in found
    private = write_private(tmp_path, made["KeyMaterial"])
    assert ssh_keygen("-y", "-f", str(private)).split()[:2] == found["PublicKey"].split()[:2]


def test_the_public_half_is_told_only_if_asked_for(ec2: Any) -> None:
    ec2.create_key_pair(KeyName="mine", KeyType="ed25519")
    assert "PublicKey" not in ec2.describe_key_pairs()["KeyPairs"][0]


def test_the_fingerprint_of_a_made_rsa_key_is_of_its_private_half(ec2: Any, tmp_path: Path) -> None:
    made = ec2.create_key_pair(KeyName="mine")
    private = write_private(tmp_path, made["KeyMaterial"])
    ssh_keygen("-p", "-q", "-N", "", "-m", "PKCS8", "-f", str(private))
    lines = [line for line in private.read_text().splitlines() if "-----" not in line]
    der = base64.b64decode("".join(lines))
    assert made["KeyFingerprint"] == hashlib.sha1(der, usedforsecurity=False).digest().hex(":")


def test_the_fingerprint_of_an_ed25519_key_is_openssh_s(ec2: Any, tmp_path: Path) -> None:
    made = ec2.create_key_pair(KeyName="mine", KeyType="ed25519")
    private = write_private(tmp_path, made["KeyMaterial"])
    told = ssh_keygen("-l", "-f", str(private)).split()[1]
    assert told == "SHA256:" + made["KeyFingerprint"].rstrip("=")


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_a_key_is_imported_in_every_form(ec2: Any, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "key"
    ssh_keygen("-q", "-t", kind, "-N", "", "-C", "me@here", "-f", str(file))
    public = file.with_suffix(".pub")
    forms = [public.read_text(), ssh_keygen("-e", "-f", str(public))]
    if kind == "rsa":
        pem = ssh_keygen("-e", "-m", "PKCS8", "-f", str(public))
        forms.append("".join(line for line in pem.splitlines() if "-----" not in line))
    prints = set()
    for number, form in enumerate(forms):
        made = ec2.import_key_pair(KeyName=f"k{number}", PublicKeyMaterial=form.encode())
        prints.add(made["KeyFingerprint"])
    assert len(prints) == 1
    found = ec2.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]
    wanted = public.read_text().split()[1]
    assert [one["PublicKey"].split()[1] for one in found] == [wanted] * len(forms)
    if kind == "rsa":
        der = hashlib.md5(base64.b64decode(forms[2]), usedforsecurity=False)
        assert prints == {der.digest().hex(":")}
    else:
        told = ssh_keygen("-l", "-f", str(public)).split()[1]
        assert {f"SHA256:{one.rstrip('=')}" for one in prints} == {told}


@pytest.mark.parametrize(
    "material",
    [
        b"nonsense",
        b"ssh-rsa nonsense",
        b"ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJ3kAYvSpbZtZ7g3Fu1ZQn4gF0pGQ8qbkM3nqvK6xX1Y",
        b"ssh-dss AAAAB3NzaC1kc3MAAAAB",
        b"ssh-ed25519 AAAA",
        b"MIIB",
    ],
)
def test_what_is_no_key_is_refused(ec2: Any, material: bytes) -> None:
    code = refusal(ec2.import_key_pair, KeyName="mine", PublicKeyMaterial=material)
    assert code == "InvalidKey.Format"


def test_names_are_taken_once(ec2: Any) -> None:
    made = ec2.create_key_pair(KeyName="mine", KeyType="ed25519")
    assert refusal(ec2.create_key_pair, KeyName="mine") == "InvalidKeyPair.Duplicate"
    code = refusal(ec2.import_key_pair, KeyName="mine", PublicKeyMaterial=b"x")
    assert code == "InvalidKeyPair.Duplicate"
    assert refusal(ec2.create_key_pair, KeyName="grün") == "InvalidParameterValue"
    answer = ec2.delete_key_pair(KeyPairId=made["KeyPairId"])
    assert answer["KeyPairId"] == made["KeyPairId"]
    ec2.create_key_pair(KeyName="mine", KeyType="ed25519")


def test_deleting_what_is_not_there_is_no_error(ec2: Any) -> None:
    assert ec2.delete_key_pair(KeyName="none")["Return"] is True
    ec2.delete_key_pair(KeyPairId="key-0123456789abcdef0")
    assert refusal(ec2.delete_key_pair) == "MissingParameter"


def test_keys_are_found_by_name_id_and_filter(ec2: Any) -> None:
    idents = {}
    for name in ("one", "two"):
        idents[name] = ec2.create_key_pair(KeyName=name, KeyType="ed25519")["KeyPairId"]
    find = ec2.describe_key_pairs
    for wanted in (
        {"KeyNames": ["two"]},
        {"KeyPairIds": [idents["two"]]},
        {"Filters": [{"Name": "key-name", "Values": ["t*"]}]},
    ):
        assert [one["KeyName"] for one in find(**wanted)["KeyPairs"]] == ["two"]
    assert refusal(find, KeyNames=["none"]) == "InvalidKeyPair.NotFound"
    code = refusal(find, KeyPairIds=["key-0123456789abcdef0"])
    assert code == "InvalidKeyPair.NotFound"


def test_other_formats_are_refused(ec2: Any) -> None:
    assert refusal(ec2.create_key_pair, KeyName="k", KeyFormat="ppk") == "UnsupportedOperation"
    assert refusal(ec2.create_key_pair, KeyName="k", KeyType="dsa") == "InvalidParameterValue"


def test_the_key_of_an_instance_reaches_its_machine(rehearsal: Rehearsal, ec2: Any) -> None:
    ec2.create_key_pair(KeyName="mine", KeyType="ed25519")
    [key] = ec2.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]
    name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    image = rehearsal.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    launch = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    assert refusal(ec2.run_instances, KeyName="none", **launch) == "InvalidKeyPair.NotFound"
    made = ec2.run_instances(KeyName="mine", **launch)["Instances"][0]
    rehearsal.advance(1)
    spec = rehearsal.tier.machines[made["InstanceId"]].spec
    assert key["PublicKey"] in spec.authorized_keys
