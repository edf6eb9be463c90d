"""A certificate for 127.0.0.1 that whoever is told of it trusts."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate; return the file with its key, and the one without."""
    path, key, both = (folder / f"{name}.pem" for name in ("trusted", "key", "store"))
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(path),
        ],
        capture_output=True,
        check=True,
    )  # fmt: skip
    both.write_bytes(key.read_bytes() + path.read_bytes())
    return both, path
