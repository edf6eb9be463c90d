"""Archives that were made before, by what they were made of."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path


def cached(cache: Path, words: Sequence[str], make: Callable[[], bytes]) -> bytes:
    """Return what was made of these words, now or earlier."""
    name = hashlib.sha256("\0".join(words).encode()).hexdigest()
    kept = cache / "parts" / f"{name}.tar.gz"
    if kept.is_file():
        return kept.read_bytes()
    data = make()
    _keep(kept, data)
    return data


def _keep(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.replace(path)
