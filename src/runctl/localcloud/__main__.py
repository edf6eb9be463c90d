"""``python -m runctl.localcloud serve|purge --folder DIR``: how ``runctl cloud`` starts a cloud.

Each prints one JSON document: what there is, or ``{"error": {"code": …, "message": …}}``.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

_SYSTEM = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def main() -> int:
    """Do what the command line says; return the exit status."""
    words = _parser().parse_args()
    _find_system_tools()
    folder = words.folder.absolute()
    if words.verb == "purge":
        from runctl.localcloud.purging import purge  # noqa: PLC0415

        return purge(folder)
    if words.detach and os.fork():
        os._exit(
            0
        )  # whoever has started us reads on, from our child, which is nobody's to wait for
    from runctl.localcloud.serving import Wish, serve  # noqa: PLC0415

    return serve(Wish(folder, words.tier, words.port))


def _find_system_tools() -> None:
    """Look where mkfs, losetup and ip lie, too: on Debian that is on root's PATH alone."""
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    missing = [place for place in _SYSTEM if place not in path]
    os.environ["PATH"] = os.pathsep.join([*path, *missing])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m runctl.localcloud", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    serve = verbs.add_parser("serve", help="serve the cloud of a folder until SIGTERM")
    serve.add_argument("--tier", default="auto")
    serve.add_argument("--port", type=int, default=0)
    serve.add_argument("--detach", action="store_true", help="go on when the caller has waited")
    purge = verbs.add_parser("purge", help="remove a cloud that is not being served")
    for one in (serve, purge):
        one.add_argument("--folder", type=Path, required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())
