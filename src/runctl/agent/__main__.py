"""``python -m runctl.agent FOLDER READ WRITE``: the agent of one attempt, started by its reaper.

``python -m runctl.agent exec FOLDER -- COMMAND``: a command beside the training, in its
folder and environment.

``python -m runctl.agent outputs FOLDER``: tell what the training has written so far.
``python -m runctl.agent start < ORDER``: start an attempt on an instance that the agent is on.
``python -m runctl.agent boot``: take up what a reboot of the instance has cut off.
``python -m runctl.agent probe RUN ATTEMPT``: tell who is alive of an attempt there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from runctl.agent import reaper, reboot
from runctl.agent.containers.command import with_terminal
from runctl.agent.folder import AttemptFolder
from runctl.agent.ledger_access import open_ledger
from runctl.agent.link import ReaperLink
from runctl.agent.machine_end import ask_for_end
from runctl.agent.plan import read_plan
from runctl.agent.priority import lower_session
from runctl.agent.relaunch import Relauncher
from runctl.agent.supervisor import Supervisor
from runctl.model.codec import encode, escape_name
from runctl.model.outputs import SoFar

_WAITS_FOR_ITS_PHASES = 75
_NO_COMMAND = 126
_NO_SUCH_COMMAND = 127
_NAMED = 10


def supervise(folder: AttemptFolder, read_descriptor: int, write_descriptor: int) -> int:
    """Bring the attempt to its end; 0 tells the reaper that it is done."""
    lock = reaper.take_lock(str(folder.agent_lock))
    if lock is None:
        return _WAITS_FOR_ITS_PHASES  # an agent is at work: the reaper tries again later
    reaper.sign_lock(lock, str(os.getpid()))  # for whoever looks behind the tool
    lower_session()
    plan = read_plan(folder)
    ledger = open_ledger(plan)
    link = ReaperLink(read_descriptor, write_descriptor)
    Supervisor(folder, plan, ledger.spec_of(plan.run_id, plan.attempt), ledger, link).run()
    link.wait(0)
    if plan.is_taken_up and link.has_said("terminate"):
        return 0  # the instance goes down: what comes next does so after its boot
    Relauncher(plan, folder, ledger).run()
    forget_secrets(folder)
    ask_for_end(plan, folder, ledger)
    reboot.forget(plan)
    return 0


def forget_secrets(folder: AttemptFolder) -> None:
    """Leave no value of a secret on the instance: neither as it came nor as it was passed on."""
    secrets = reaper.read_json(str(folder.secrets)) or {}
    command = reaper.read_json(str(folder.command))
    if command is not None and secrets:
        command["env"] = {k: v for k, v in command["env"].items() if k not in secrets}
        reaper.write_json(str(folder.command), command)
    folder.secrets.unlink(missing_ok=True)
    folder.exports.unlink(missing_ok=True)


def execute(folder: AttemptFolder, argv: list[str]) -> int:
    """Become a command in the folder and the environment of the training."""
    command = reaper.read_json(str(folder.command))
    if command is None:
        sys.stderr.write("the run has not reached its command yet: try again\n")
        return _WAITS_FOR_ITS_PHASES
    argv = with_terminal(command.get("beside", []), is_there=os.isatty(0)) + argv
    os.chdir(command["cwd"])
    try:
        return os.execvpe(argv[0], argv, command["env"])
    except OSError as error:  # of the last place on PATH, which says nothing: as a shell puts it
        sys.stderr.write(f"{argv[0]}: {error.strerror}\n")
        return _NO_SUCH_COMMAND if isinstance(error, FileNotFoundError) else _NO_COMMAND


def tell_outputs(folder: AttemptFolder) -> int:
    """Write what there is, and some of it by name, to standard output."""
    place = str(folder.outputs)
    paths = [os.path.join(above, name) for above, _, names in os.walk(place) for name in names]
    sizes = {path: os.lstat(path).st_size for path in sorted(paths) if os.path.lexists(path)}
    first = list(sizes.items())[:_NAMED]
    told = SoFar(
        count=len(sizes),
        total_bytes=sum(sizes.values()),
        first={escape_name(os.path.relpath(path, place)): size for path, size in first},
    )
    sys.stdout.write(encode(told).decode())
    return 0


def take_up() -> int:
    """Start what was cut off; the boot's log has how that went."""
    answers = reboot.take_up(reboot.instance_root(os.environ))
    sys.stdout.write("".join(f"{answer}\n" for answer in answers))
    return 0


def main(argv: list[str]) -> int:
    if argv[1] in ("start", "probe"):
        from runctl.agent import elsewhere  # noqa: PLC0415 - no agent needs it

        return elsewhere.main() if argv[1] == "start" else elsewhere.probe(*argv[2:4])
    if argv[1] == "boot":
        return take_up()
    if argv[1] == "outputs":
        return tell_outputs(AttemptFolder(Path(argv[2])))
    if argv[1] == "exec":
        return execute(AttemptFolder(Path(argv[2])), argv[4:])
    return supervise(AttemptFolder(Path(argv[1])), int(argv[2]), int(argv[3]))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
