"""How long AWS takes for things, shortened: the order of states is AWS's, the seconds are not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Seconds."""

    pending_s: float = 0.5
    """An instance is pending for at least so long."""
    ending_s: float = 0.3
    """… shutting down, or stopping."""
    grace_s: float = 5.0
    """From SIGTERM to SIGKILL when an instance is stopped."""
    online_s: float = 1.0
    """From running to Online in Systems Manager."""
    command_hidden_s: float = 0.05
    """A new command is unknown to GetCommandInvocation for so long."""
    checks_s: float = 2.0
    """From running to status checks that are ok."""
    volume_s: float = 0.2
    """A volume is creating, attaching, detaching."""
    modifying_s: float = 0.2
    """A volume is modifying for so long …"""
    optimizing_s: float = 0.6
    """… and then optimizing."""
    snapshot_s: float = 0.5
    """A snapshot is pending for at least so long."""
    spot_s: float = 0.2
    """A spot request is open for so long."""
    spot_again_s: float = 2.0
    """So long after an interruption, or a refusal, there may be capacity again."""
    spot_hidden_s: float = 0.05
    """A new spot request is unknown to DescribeSpotInstanceRequests for so long."""
    fleet_s: float = 1.0
    """A fleet looks at its capacity so often."""
    unhealthy_s: float = 6.0
    """An instance of a fleet is replaced, if that was asked, once it is impaired for so long."""
    keep_terminated_s: float = 3600.0
    """A terminated instance is described for so long."""
    profile_s: float = 1.0
    """A new instance profile is unknown to EC2 for so long."""
