"""``runctl aws create`` with what cannot be: told, and free of charge."""

from __future__ import annotations

import json

import pytest

from tests.aws.renter import Renter, renter, rig

pytestmark = pytest.mark.slow
__all__ = ["renter", "rig"]


HOSTILE = {
    "type": (["t3.huge"], 4, "no such instance type"),
    "type with a star": (["t3.*"], 4, "no such instance type"),
    "type with a command": (["t3.micro;id"], 4, "no such instance type"),
    "no type": ([], 2, "no instance type is named"),
    "zone": (["t3.micro", "--zone", "us-east-1z"], 4, "cannot be had in us-east-1z"),
    "gpu": (["--gpu", "Voodoo"], 4, "with 1 Voodoo; of those large enough there are A100"),
    "gpu count": (["--gpu", "L4:0"], 2, "'L4:0' is not a name with a count"),
    "gpu of a type": (["t3.micro", "--gpu", "L4"], 4, "none of t3.micro can be had"),
    "cpus": (["--cpus", "-1"], 2, "--cpus"),
    "too many cpus": (["--cpus", "1000000"], 4, "with 1000000 CPUs"),
    "memory": (["--memory", "-3"], 2, "--memory"),
    "too much memory": (["--memory", "9" * 30], 2, "not a size that there is"),
    "disk": (["t3.micro", "--root-volume-size", "0"], 2, "--root-volume-size"),
    "small disk": (["t3.micro", "--root-volume-size", "1"], 8, "is smaller than"),
    "image": (["t3.micro", "--ami", "windows"], 2, "no image 'windows'"),
    "image id": (["t3.micro", "--ami", "ami-0123456789abcdef0"], 4, "ami-0123456789abcdef0"),
    "key": (["t3.micro", "--key-name", "nobody"], 4, "'nobody' does not exist"),
    "group": (["t3.micro", "--security-group", "nobody"], 4, "the name 'nobody'"),
    "subnet": (["t3.micro", "--subnet", "subnet-0123456789abcdef0"], 4, "subnet-0123456789"),
    "no spot": (["t3.micro", "--spot-max-price", "1"], 2, "--spot-max-price is about --spot"),
    "no market": (["t3.micro", "--fallback", "ask"], 2, "--fallback is about --spot"),
    "price": (["t3.micro", "--spot", "--spot-max-price", "nan"], 2, "not an amount of US"),
    "low price": (["g5.xlarge", "--spot", "--spot-max-price", "0.001"], 7, "cheapest spot price"),
    "cost": (["t3.micro", "--max-cost", "-1"], 2, "--max-cost"),
    "low cost": (["t3.micro", "--max-cost", "0.0001"], 11, "$0.0001 pays for 34s"),
    "ttl": (["t3.micro", "--ttl", "0s"], 2, "no time at all"),
    "bare ttl": (["t3.micro", "--ttl", "5"], 2, "is not a duration"),
    "name": (["t3.micro", "--name", "x" * 300], 8, "maximum length"),
}


def test_what_cannot_be_is_told_and_costs_nothing(renter: Renter) -> None:
    for words, status, told in HOSTILE.values():
        done = renter.type(*words, "-o", "json")
        assert done.returncode == status, (words, done.stdout, done.stderr)
        error = json.loads(done.stdout)["error"]
        assert told in error["message"], words
        assert error["hint"], words
    absent = renter.type("t3.micro", "--iam-instance-profile", "nobody", has_profile=False)
    assert absent.returncode == 4
    assert renter.living() == []
    assert renter.intents() == []
