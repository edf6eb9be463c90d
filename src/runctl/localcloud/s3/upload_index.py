"""What is known of multipart uploads: those that go on, and those that ended a day ago or less."""

from __future__ import annotations

from typing import Any

import msgspec

from runctl.localcloud.s3.database import Database
from runctl.localcloud.s3.rows import Piece, Stored, Upload

_REMEMBERED_S = 86400.0
"""An upload that is completed again within a day gets the answer that it got."""


class UploadIndex:
    """Uploads and their parts."""

    def __init__(self, database: Database) -> None:
        self._ask = database.ask

    def find(self, ident: str) -> Upload | None:
        """Return an upload that is going on."""
        rows = self._ask("SELECT id, bucket, key, body FROM upload WHERE id = ?", ident)
        return _upload(rows[0]) if rows else None

    def of_bucket(self, bucket: str) -> list[Upload]:
        """Return the uploads of a bucket, by key."""
        rows = self._ask(
            "SELECT id, bucket, key, body FROM upload WHERE bucket = ? ORDER BY key, id", bucket
        )
        return [_upload(row) for row in rows]

    def begin(self, upload: Upload) -> None:
        """Begin an upload."""
        self._ask(
            "INSERT INTO upload VALUES (?, ?, ?, ?)",
            upload.ident,
            upload.bucket,
            upload.key,
            msgspec.json.encode(upload.body),
        )

    def end(self, ident: str) -> dict[int, Stored]:
        """End an upload; return the parts that it had."""
        parts = self.parts(ident)
        self._ask("DELETE FROM upload WHERE id = ?", ident)
        self._ask("DELETE FROM part WHERE upload = ?", ident)
        return parts

    def remember(self, ident: str, body: dict[str, Any], now: float) -> None:
        """Remember what was answered to the completion of an upload, for a day."""
        self._ask("DELETE FROM completed WHERE ended < ?", now - _REMEMBERED_S)
        self._ask(
            "INSERT OR REPLACE INTO completed VALUES (?, ?, ?)",
            ident,
            now,
            msgspec.json.encode(body),
        )

    def remembered(self, ident: str) -> dict[str, Any] | None:
        """Return what was answered to the completion of an upload."""
        rows = self._ask("SELECT body FROM completed WHERE upload = ?", ident)
        return msgspec.json.decode(rows[0][0]) if rows else None

    def parts(self, ident: str) -> dict[int, Stored]:
        """Return the parts of an upload, by number."""
        rows = self._ask("SELECT number, body FROM part WHERE upload = ? ORDER BY number", ident)
        return {number: msgspec.json.decode(body, type=Stored) for number, body in rows}

    def put_part(self, ident: str, number: int, part: Stored) -> list[Piece]:
        """Add a part, or replace it; return the files that are of no use any more."""
        known = self._ask("SELECT body FROM part WHERE upload = ? AND number = ?", ident, number)
        self._ask(
            "INSERT OR REPLACE INTO part VALUES (?, ?, ?)", ident, number, msgspec.json.encode(part)
        )
        return msgspec.json.decode(known[0][0], type=Stored).pieces if known else []


def _upload(row: tuple[Any, ...]) -> Upload:
    ident, bucket, key, body = row
    return Upload(ident, bucket, key, msgspec.json.decode(body))
