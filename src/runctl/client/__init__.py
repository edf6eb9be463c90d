"""The composition root, and the library: all that the command line does, a program can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runctl.client.client import Client

if TYPE_CHECKING:  # what the client's methods return: imported by those who have them already
    from runctl.client.aws_setup import AwsSetup as AwsSetup
    from runctl.client.docker_images import DockerImages as DockerImages
    from runctl.client.instances import Instances as Instances
    from runctl.client.machine import Machine as Machine
    from runctl.client.snapshots import Snapshots as Snapshots
    from runctl.client.storage import PlannedTransfer as PlannedTransfer
    from runctl.client.storage import Storage as Storage
    from runctl.client.volumes import Volumes as Volumes
    from runctl.engine.rehearsal import Rehearsal as Rehearsal

__all__ = ["Client"]
