"""Objects that this instance has fetched: kept under bucket, key, ETag and size.

Runs see hard links to read-only files. One that was written to all the same has another time than
was noted, and is fetched anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from runctl.errors import RunctlError
from runctl.store.transfer.download import Fetched, Landing, LargeDownload, fetch_small
from runctl.store.transfer.far import PIECE_BYTES, FarBucket, FarObject

AT_ONCE = 8
READ_ONLY = 0o444


class KeptObjects:
    """What this instance has fetched of a bucket, by what it is."""

    def __init__(self, folder: Path, bucket: FarBucket) -> None:
        self._folder, self._bucket = folder, bucket
        self._landing = Landing(folder)
        folder.mkdir(parents=True, exist_ok=True)

    def place(self, found: FarObject) -> Path:
        told = "\0".join((self._bucket.url, found.key, found.etag, str(found.size_bytes)))
        sha256 = hashlib.sha256(told.encode()).hexdigest()
        return self._folder / sha256[:2] / sha256

    def has(self, found: FarObject) -> bool:
        """Tell whether it is there, as it was left."""
        place = self.place(found)
        with suppress(OSError, ValueError):
            status, noted = place.stat(), self._note(place).read_text(encoding="ascii")
            if (status.st_size, status.st_mtime_ns) == (found.size_bytes, int(noted)):
                return True
        for path in (place, self._note(place)):
            path.unlink(missing_ok=True)
        return False

    def fetch(self, missing: Sequence[FarObject]) -> list[Fetched]:
        """Fetch objects, small ones side by side, large ones piece by piece."""
        small = [one for one in missing if one.size_bytes <= PIECE_BYTES]
        large = [one for one in missing if one.size_bytes > PIECE_BYTES]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            try:
                fetched = list(threads.map(self._fetch_small, small))
                return [*fetched, *(self._fetch_large(one, threads) for one in large)]
            except RunctlError:
                threads.shutdown(cancel_futures=True)
                raise

    def _fetch_small(self, found: FarObject) -> Fetched:
        return self._keep(fetch_small(self._bucket, found, self._landing, self.place(found)))

    def _fetch_large(self, found: FarObject, threads: ThreadPoolExecutor) -> Fetched:
        place, state = self.place(found), self._folder / "unfinished"
        download = LargeDownload(self._bucket, found, self._folder, place, state)
        return self._keep(download.fetch(threads, lambda _bytes: None))

    def _keep(self, fetched: Fetched) -> Fetched:
        path = fetched.file.path
        path.chmod(READ_ONLY)
        self._note(path).write_text(str(path.stat().st_mtime_ns), encoding="ascii")
        return fetched

    @staticmethod
    def _note(place: Path) -> Path:
        return place.with_name(f"{place.name}.time")
