"""What a plan says has changed: files that the last launch has read are not read again."""

from __future__ import annotations

import hashlib
from pathlib import Path

from runctl.engine.changes import digest_now
from runctl.store.snapshot import Remembered, stamp_of
from runctl.store.snapshot.memory import TICK_NS

READ = hashlib.sha256(b"x = 1\n").hexdigest()


def test_what_is_known_is_believed_until_the_file_looks_different(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_bytes(b"x = 1\n")
    status = path.stat()
    later_ns = max(status.st_mtime_ns, status.st_ctime_ns) + TICK_NS + 1
    known = Remembered(stamp_of(status), later_ns, "of the last launch")
    assert digest_now(tmp_path, "train.py", known) == "of the last launch"
    assert digest_now(tmp_path, "train.py", None) == READ
    path.chmod(0o600)
    assert digest_now(tmp_path, "train.py", known) == READ


def test_what_was_read_in_the_tick_of_an_edit_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_bytes(b"x = 1\n")
    known = Remembered(stamp_of(path.stat()), path.stat().st_ctime_ns, "of the last launch")
    assert digest_now(tmp_path, "train.py", known) == READ
