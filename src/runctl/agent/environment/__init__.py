"""The environment of a run: the one that the project declares, or the run fails saying why.

``detect`` says what decides, ``prepare`` makes it (or finds it) and says how to use it.
"""

from runctl.agent.environment.preparation import prepare
from runctl.agent.environment.settings import Prepared, Settings
from runctl.agent.environment.sources import Source, detect, get_kind

__all__ = ["Prepared", "Settings", "Source", "detect", "get_kind", "prepare"]
