"""Launch templates: what RunInstances is to be told, kept under a name and in versions."""

from runctl.localcloud.services.ec2.launchtemplates.records import resolve

__all__ = ["resolve"]
