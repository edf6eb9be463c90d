"""Data on this machine that a run is to read elsewhere: sent to the bucket of the ledger first."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from runctl.errors import ConfigError, NotFoundError, TransportError
from runctl.model.data import SCHEME, DataSource
from runctl.model.transfer import TransferRequest

if TYPE_CHECKING:
    from runctl.client.storage import Storage


def send_data(storage: Storage, root: str, cwd: Path, source: DataSource) -> DataSource:
    """Return where a source is found in S3; what is here has been sent there, if it differed.

    ``root`` is that of the ledger. Its copy of a folder is the same for each run, and becomes
    what the folder is now. Raises NotFoundError, ConfigError and TransportError.
    """
    if source.url.startswith(SCHEME):
        return source
    path = cwd / source.url
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        raise NotFoundError(f"there is no data at {source.url}", hint=f"ls {source.url}")
    if not root.startswith(SCHEME):
        raise ConfigError(
            f"data is sent through the bucket of the ledger, which is at {root}",
            hint="runctl config set store.root s3://bucket/prefix",
        )
    told = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:12]
    url = f"{root}/data/{told}"
    request = TransferRequest(
        folder=str(path),
        url=url if path.is_dir() else f"{url}/",
        direction="up",
        has_deletes=path.is_dir(),
        max_deletes=2**31,
    )
    report = storage.plan(request).run()
    for trouble in report.troubles:
        raise TransportError(
            f"{source.url} cannot be sent: {trouble.problem}",
            hint=f"runctl s3 upload {source.url} {url} --dry-run",
        )
    return DataSource(url=url, folder=source.folder)
