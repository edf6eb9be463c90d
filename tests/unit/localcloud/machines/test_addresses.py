"""A network for each cloud, an address for each instance."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from runctl.localcloud.machines import addresses
from runctl.localcloud.machines.addresses import Addresses
from runctl.localcloud.machines.errors import MachineError

NETWORK = IPv4Network("10.70.0.0/16")


def test_a_network_in_use_is_not_chosen() -> None:
    used = [IPv4Network(f"10.{number}.0.0/16") for number in range(64, 128) if number != 77]
    assert str(addresses.choose_private(used, random.Random(1))) == "10.77.0.0/16"
    with pytest.raises(MachineError, match="no network is free"):
        addresses.choose_private([IPv4Network("10.0.0.0/8")], random.Random(1))


def test_a_loopback_network_leaves_the_usual_ones_alone() -> None:
    chosen = {
        str(addresses.choose_loopback([], random.Random(number)).network_address)
        for number in range(300)
    }
    assert not {"127.0.0.0", "127.1.0.0"} & chosen
    assert len(chosen) > 50


def test_the_network_is_chosen_once(tmp_path: Path) -> None:
    choices = iter([NETWORK])
    one, other = (Addresses(str(tmp_path), lambda: next(choices)) for _ in range(2))
    assert one.network == other.network == NETWORK
    assert one.gateway == "10.70.0.1"


def test_an_instance_keeps_its_address_until_it_is_released(tmp_path: Path) -> None:
    kept = Addresses(str(tmp_path), lambda: NETWORK)
    first, second = kept.reserve("i-1"), kept.reserve("i-2")
    assert [first, second] == ["10.70.0.4", "10.70.0.5"]
    assert Addresses(str(tmp_path), lambda: NETWORK).reserve("i-1") == first
    kept.release("i-1")
    assert kept.of("i-1") is None
    assert kept.of("i-2") == second
    assert kept.reserve("i-3") == "10.70.0.6"


def test_addresses_are_used_again_at_last(tmp_path: Path) -> None:
    kept = Addresses(str(tmp_path), lambda: IPv4Network("10.70.0.0/29"))
    given = [kept.reserve(f"i-{number}") for number in range(3)]
    with pytest.raises(MachineError, match="taken"):
        kept.reserve("i-9")
    kept.release("i-1")
    assert kept.reserve("i-9") == given[1]


def test_many_at_once_have_different_addresses(tmp_path: Path) -> None:
    kept = Addresses(str(tmp_path), lambda: NETWORK)
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda number: kept.reserve(f"i-{number}"), range(40)))
    assert len(set(given)) == 40
