"""Names, specs, links: what needs no machine to be tried."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest

from runctl.localcloud.machines import switch
from runctl.localcloud.machines.keeper import devices
from runctl.localcloud.machines.keeper.devices import Device
from runctl.localcloud.machines.keeper.power_tools import scripts as power_scripts
from runctl.localcloud.machines.keeper.user_tools import scripts as user_scripts
from runctl.localcloud.machines.plain import moved
from runctl.localcloud.machines.spec import CloudPlace
from runctl.localcloud.machines.ssh_config import ssh_config


@pytest.mark.parametrize("text", ["", "abcdefghi", "UP", "a-b", "../x"])
def test_an_id_that_would_not_fit_in_a_link_s_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="short id"):
        CloudPlace(text, "/folder")


def test_the_names_on_the_host_bear_the_id_and_fit() -> None:
    assert len(switch.link("abcdefgh")) <= 15
    assert switch.link("ab") == "rclabh"
    assert switch.path("ab") == "/run/netns/rclab"


@pytest.mark.parametrize("text", ["", "..", "i-1/x", "-x"])
def test_an_instance_s_folder_cannot_lie_elsewhere(text: str) -> None:
    with pytest.raises(ValueError, match="instance id"):
        CloudPlace("ab", "/folder").machine(text)


def test_a_volume_s_links_are_those_of_nitro() -> None:
    device = Device.of_volume(7, 3, "vol-0ab12", "/dev/sdf")
    assert device.node == "/dev/nvme3n1"
    name = "disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0ab12"
    assert device.links == [name, f"{name}-ns-1", "sdf", "xvdf"]
    assert Device.of_volume(7, 3, "vol-0ab12", None).links == [name, f"{name}-ns-1"]
    assert Device.of_volume(7, 3, "vol-0ab12", "xvdf").links[2:] == ["xvdf", "sdf"]


def test_a_local_disk_s_link_says_what_it_is() -> None:
    links = Device.of_store(1, 1, "ABC").links
    assert links[0] == "disk/by-id/nvme-Amazon_EC2_NVMe_Instance_Storage_AWSABC"


def test_a_path_of_the_mount_table_is_read_as_it_is() -> None:
    assert devices.unescaped(r"/a\040b\134c") == r"/a b\c"
    assert devices.unescaped("/plain") == "/plain"


def test_an_ssh_config_covers_the_whole_network() -> None:
    text = ssh_config(IPv4Network("127.9.0.0/16"), 2222, "/a b/known")
    expected = 'Host 127.9.*\n    Port 2222\n    UserKnownHostsFile "/a b/known"\n'
    assert text == expected


def test_what_points_at_the_loopback_points_at_the_instance_s_own_address() -> None:
    plan: Any = {
        "address": "127.9.0.4",
        "endpoint_port": 4566,
        "proxy_port": None,
        "environment": {
            "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
            "OTHER": "127.0.0.1:1",
            "no_proxy": "localhost",
        },
    }
    assert moved(plan) == {
        "AWS_ENDPOINT_URL": "http://127.9.0.4:4566",
        "OTHER": "127.0.0.1:1",
        "no_proxy": "localhost,127.9.0.4",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.9.0.4:1338",
    }


def test_the_tools_have_no_gap_left_to_fill() -> None:
    texts = [*power_scripts("/run/pipe").values(), *user_scripts("ubuntu", 1000).values()]
    for text in texts:
        assert text.startswith("#!/bin/sh\n")
        assert "@login@" not in text.replace("$@", "")
        assert not any(f"@{gap}@" in text for gap in ("pipe", "login", "uid", "root"))
