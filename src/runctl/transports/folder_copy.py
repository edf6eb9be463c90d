"""Files and folders to and from another machine, in one archive, over any transport."""

from __future__ import annotations

import secrets
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from runctl.errors import IntegrityError, NotFoundError, TransportError
from runctl.model.paths import check_relative
from runctl.store.files import files_under
from runctl.transports.api import Transport
from runctl.transports.remote_command import shell_text

ABSENT, DAMAGED = 44, 45
"""The exit statuses of the scripts for what is not there, and for what is other than it was."""


def put_tree(transport: Transport, source: Path, target: str) -> None:
    """Bring a file to ``target``, or what is in a folder below it; each is whole, or not there."""
    if not source.is_dir():
        transport.put(source, target)
        return
    remote = _archive_name()
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "files.tar"
        with tarfile.open(archive, "w", dereference=True) as tar:
            for name in files_under(source):
                tar.add(source / name, arcname=name, recursive=False)
        transport.put(archive, remote)
    run_script(transport, "unpack.sh", [target, remote], f"{source} cannot be copied to {target}")


def get_tree(transport: Transport, source: str, target: Path) -> None:
    """Bring a file to ``target``, or what is in a folder below it. Raises NotFoundError."""
    remote = _archive_name()
    what = f"{source} cannot be copied to {target}"
    try:
        told = run_script(transport, "pack.sh", [source, remote], what)
        if told.strip() == b"file":
            transport.get(source, target)
            return
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "files.tar"
            transport.get(remote, archive)
            unpack(archive, target)
    finally:
        transport.exec(["rm", "-f", "--", remote])


def unpack(archive: Path, target: Path) -> None:
    """Bring the files of an archive below a folder; hostile names raise UnsafePath."""
    with tarfile.open(archive) as tar, staged(target) as (stage, publish):
        for member in tar:
            if member.isfile():
                name = check_relative(member.name.removeprefix("./"))
                member.name = name
                tar.extract(member, stage, filter="data")
                publish(name)


@contextmanager
def staged(target: Path) -> Iterator[tuple[Path, Callable[[str], None]]]:
    """Yield a folder to write to, and what gives a file of it its name below ``target``."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".runctl-", dir=target) as folder:

        def publish(name: str) -> None:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / name).replace(target / name)

        yield Path(folder), publish


def run_script(
    transport: Transport, name: str, words: Sequence[str], what: str, stdin: bytes = b""
) -> bytes:
    """Run one of the scripts there, and return what it printed; ``what`` begins its error."""
    argv = ["sh", "-c", shell_text(name), name.removesuffix(".sh"), *words]
    done = transport.exec(argv, stdin=stdin)
    if done.status == 0:
        return done.stdout
    said = done.stderr.decode(errors="replace").strip() or f"status {done.status}"
    if done.status == ABSENT:
        raise NotFoundError(f"{what}: {said}")
    kind = IntegrityError if done.status == DAMAGED else TransportError
    raise kind(f"{what}: {said}", hint="type the same again")


def _archive_name() -> str:
    return f".runctl-{secrets.token_hex(8)}.tar"
