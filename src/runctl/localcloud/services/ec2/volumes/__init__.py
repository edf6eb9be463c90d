"""EBS volumes: records, and files that hold their bytes."""

from runctl.localcloud.services.ec2.volumes.instances import attach_all, release_volumes
from runctl.localcloud.services.ec2.volumes.mapping import make_root_and_data_volumes

__all__ = ["attach_all", "make_root_and_data_volumes", "release_volumes"]
