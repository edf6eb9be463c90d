"""Settings: what may be set, where it comes from, and who the user is.

Precedence, strongest first: flag, environment variable, project file, user file, default. A list
is taken whole from the strongest source that gives it; tables (``run.env``, ``run.hyperparams``)
are merged, entry by entry.
"""

from __future__ import annotations

from runctl.config.edit import set_value
from runctl.config.loading import Config, Setting, load, validate
from runctl.config.origin import Origin
from runctl.config.owner import owner_id
from runctl.config.places import ConfigFile, cloud_folder, ledger_root, paths, user_dir
from runctl.config.schema import KEYS, Key, Settings, find_key

__all__ = [
    "KEYS",
    "Config",
    "ConfigFile",
    "Key",
    "Origin",
    "Setting",
    "Settings",
    "cloud_folder",
    "find_key",
    "ledger_root",
    "load",
    "owner_id",
    "paths",
    "set_value",
    "user_dir",
    "validate",
]
