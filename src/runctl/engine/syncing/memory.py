"""What this machine remembers of a folder on an instance: a cache, which may be deleted."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from runctl.engine.syncing.tree import Entries, Entry, Known

_FORMAT = 1


@dataclass
class Memory:
    """``entries`` are what the folder had after the last sync; None where nobody knows."""

    entries: Entries | None = None
    known: dict[str, Known] = field(default_factory=dict)
    codec: str = "zlib"

    @classmethod
    def load(cls, path: Path) -> Memory:
        try:
            fields = json.loads(path.read_bytes())
            if fields["format"] != _FORMAT:
                return cls()
            known = {
                one[0]: Known(one[1], (one[2], one[3], one[4]), one[5]) for one in fields["known"]
            }
            listed = fields["entries"]
            entries = None if listed is None else {one[0]: Entry(*one) for one in listed}
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return cls()
        return cls(entries, known, fields["codec"])

    def save(self, path: Path) -> None:
        fields = {
            "format": _FORMAT,
            "codec": self.codec,
            "entries": None if self.entries is None else list(self.entries.values()),
            "known": [(path, one[0], *one[1], one[2]) for path, one in self.known.items()],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.urandom(4).hex()}")
        part.write_text(json.dumps(fields))
        part.replace(path)


def memory_path(cache: Path, project: Path, instance: str, folder: str) -> Path:
    named = "\0".join((str(project), instance, folder))
    return cache / "sync" / hashlib.sha256(os.fsencode(named)).hexdigest()[:32]
