"""An agent that does as little as one can: what the reaper does is all that is tested.

It starts what it finds in ``wanted.json``, sends each signal that appears in ``signals/``, and
ends when the reaper says that the command has exited and ``hold`` is not there.
"""

import json
import os
import pathlib
import select
import sys

folder, read, write = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
lives = folder / "agent-lives"
with lives.open("a") as file:
    file.write(f"{os.getpid()}\n")


def say(word: str) -> None:
    os.write(write, f"{word}\n".encode())


def send_signals() -> None:
    for path in sorted((folder / "signals").iterdir()):
        if path.suffix == ".json":
            number, scope = json.loads(path.read_text())
            path.unlink()
            say(f"signal {number} {scope}")


wanted = json.loads((folder.parent / "wanted.json").read_text())
(folder / "signals").mkdir(exist_ok=True)
(folder / "command.json").write_text(json.dumps(wanted))
heard = b""
while b"exited\n" not in heard or (folder / "hold").exists():
    ready, _, _ = select.select([read], [], [], 0.02)
    if ready:
        heard += os.read(read, 4096)
        (folder / "heard").write_bytes(heard)
    if b"locked\n" in heard and not (folder / "told").exists():
        (folder / "told").touch()
        say("start")
    send_signals()
