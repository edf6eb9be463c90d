"""The network: where instances are, and what may reach them."""

from runctl.localcloud.services.ec2.network.placement import Placement, place_of, release_place

__all__ = ["Placement", "place_of", "release_place"]
