"""Faults that were asked for: what AWS does on a bad day, when the user says so.

``orders`` is what can be asked for, ``force`` what calls ask of the faults in force, ``lasting``
what is done to machines and undone, ``changes`` how faults come and go.
"""

from runctl.localcloud.faults.force import Faults

__all__ = ["Faults"]
