"""A training command, put into ``docker run``: the same paths, the same user, the same signals."""

from __future__ import annotations

import os
import pwd
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from runctl.agent.command import TrainingCommand, checkpoint_folder
from runctl.agent.containers.docker import Docker
from runctl.agent.folder import AttemptFolder
from runctl.model.spec import ContainerWish, Spec

_LEAST_SHM_BYTES = 64 * 1024**2
_OOM_SCORE = 500  # as the reaper gives it to a process: the training goes first
_READ_EXPORTS = ("sh", "-c", '. "$0"; exec "$@"')


def contain(
    inner: TrainingCommand,
    docker: Docker,
    image_id: str,
    name: str,
    places: Mapping[Path, bool],
    exports: Path | None,
    words: Sequence[str],
) -> TrainingCommand:
    """Return what runs ``inner`` in a container: its ``env`` there, this process's own here.

    ``places`` are seen at the same paths inside, and written to where that is said; ``exports``
    has secrets for a shell to read, which no command line and no ``docker inspect`` shows.
    ``words`` are further options.
    """
    entry = [*_READ_EXPORTS, str(exports)] if exports else []
    first, *rest = [*entry, *inner.argv]
    seen = {**places, exports: False} if exports else places
    options = [*_mounts(seen), *_variables(inner.env), *words]
    fixed = ("--init", "--network=host", "--pull=never", "--log-driver=none")
    argv = [docker.program, "run", *fixed, "--name", name, "--workdir", inner.cwd, *options]
    beside = [docker.program, "exec", "--interactive", "--workdir", inner.cwd, name, *entry]
    return replace(
        inner,
        argv=[*argv, "--entrypoint", first, image_id, *rest],
        cwd="/",
        env=dict(os.environ),
        end=docker.remove_argv(name),
        beside=beside,
    )


def with_terminal(beside: Sequence[str], *, is_there: bool) -> list[str]:
    """Return what a command is put behind, with a terminal for it where there is one."""
    if not (beside and is_there):
        return list(beside)
    return [*beside[:2], "--tty", *beside[2:]]


def python_of(wanted: str | None) -> str:
    """Return the Python of an image: the one wanted, by its version or path; else what it has."""
    if wanted is None:
        return "python3"
    return f"python{wanted}" if wanted[0].isdigit() else wanted


def container_name(run_id: str, attempt: int) -> str:
    return f"runctl-{run_id}-{attempt}"


def options_of(
    spec: Spec, wish: ContainerWish, attempt: int, info: Mapping[str, object]
) -> Iterator[str]:
    """Yield the options that say whose it is, as whom it runs and how much memory is shared."""
    for key, value in (("owner", spec.owner), ("run", spec.run_id), ("attempt", attempt)):
        yield f"--label=runctl.{key}={value}"
    is_rootless = "name=rootless" in str(info.get("SecurityOptions"))  # root there is us here
    yield "--user=0:0" if is_rootless else f"--user={os.getuid()}:{os.getgid()}"
    yield f"--shm-size={wish.shm_bytes or _half_of_memory(info)}"
    if not is_rootless:
        yield f"--oom-score-adj={_OOM_SCORE}"
    yield from wish.options


def _half_of_memory(info: Mapping[str, object]) -> int:
    total = info.get("MemTotal")
    return max(_LEAST_SHM_BYTES, (total if isinstance(total, int) else 0) // 2)


def places_of(spec: Spec, folder: AttemptFolder, resume_from: Path | None) -> dict[Path, bool]:
    """Return the folders that the training has, and whether it may write there.

    Its own, the volumes of the run, and the folder of checkpoints where that is elsewhere.
    """
    own = [folder.code, folder.checkpoints, folder.outputs, folder.data, folder.container_home]
    named = checkpoint_folder(spec, folder)
    places = dict.fromkeys([*own, *([resume_from.parent] if resume_from else [])], True)
    places |= {Path(volume.path): not volume.is_read_only for volume in spec.volumes}
    is_seen = any(named.is_relative_to(place) for place in places)
    return places if is_seen else {**places, named: True}


def home_variables(folder: AttemptFolder) -> dict[str, str]:
    """Return what programs ask for who the user is, whom the image does not know."""
    name = pwd.getpwuid(os.getuid()).pw_name
    return {"HOME": str(folder.container_home), "USER": name, "LOGNAME": name}


def write_exports(path: Path, secrets: Mapping[str, str]) -> Path | None:
    """Write secrets for a shell to read, for nobody else to see; None where there are none."""
    if not secrets:
        return None
    lines = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in secrets.items())
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(os.fsencode(lines))
    return path


def _mounts(places: Mapping[Path, bool]) -> Iterator[str]:
    for place, is_writable in places.items():
        yield f"--mount={_fields(place)}{'' if is_writable else ',readonly'}"


def _fields(place: Path) -> str:
    """Return a mount as Docker reads it: fields with commas between, quoted as in CSV."""
    fields = (f"source={place}", f"target={place}")
    return ",".join(["type=bind", *(f'"{f.replace(chr(34), chr(34) * 2)}"' for f in fields)])


def _variables(env: Mapping[str, str]) -> Iterator[str]:
    for name, value in env.items():
        yield f"--env={name}={value}"
