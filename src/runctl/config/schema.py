"""Every key that may be set: its type, its default, what it means."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

from msgspec import Meta, Struct, structs

from runctl.errors import ConfigError
from runctl.model.hyperparams import Hyperparameter

Kind = Literal[
    "text", "choice", "boolean", "integer", "duration", "size", "list", "table", "hyperparams"
]


def _about(description: str, minimum: int = 0) -> Meta:
    return Meta(description=description, extra={"minimum": minimum})


class RunSettings(Struct, frozen=True, kw_only=True):
    """``[run]``: where and how a run goes."""

    on: Annotated[str, _about("where runs go: local, or aws:i-… for an instance")] = "local"
    retries: Annotated[int, _about("attempts after the first")] = 0
    retry_on: Annotated[
        tuple[str, ...],
        _about("what is tried again: interruption, lost, exit, exit:STATUS, hang, oom, gpu-lost"),
    ] = ("interruption", "lost", "exit", "hang", "gpu-lost")
    hang_timeout: Annotated[
        timedelta | None, _about("ends a script that neither prints nor saves for so long")
    ] = None
    fail_on: Annotated[
        tuple[Literal["nan"], ...], _about("ends a script whose loss in the log is no number: nan")
    ] = ()
    grace: Annotated[timedelta, _about("from the stop signal to SIGKILL")] = timedelta(seconds=30)
    stop_signal: Annotated[
        Literal["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"],
        _about("what asks the script to save and end"),
    ] = "SIGTERM"
    max_time: Annotated[timedelta | None, _about("ends the run, over all its attempts")] = None
    wait_timeout: Annotated[timedelta | None, _about("ends only the waiting")] = None
    hyperparams: Annotated[
        dict[str, Hyperparameter], _about("arguments of the script: epochs=5,lr=1e-3")
    ] = {}
    env: Annotated[dict[str, str], _about("environment variables of the script")] = {}
    secrets: Annotated[
        tuple[str, ...], _about("variables of yours whose values the script gets, unrecorded")
    ] = ()


class CodeSettings(Struct, frozen=True, kw_only=True):
    """``[code]``: what travels."""

    include: Annotated[tuple[str, ...], _about("patterns that bring ignored files back")] = ()
    exclude: Annotated[tuple[str, ...], _about("patterns of files that stay")] = ()
    allow: Annotated[
        tuple[str, ...], _about("patterns of files that travel though they look like secrets")
    ] = ()
    warn_bytes: Annotated[int, _about("a larger snapshot is asked about")] = 100 * 1024**2
    max_bytes: Annotated[int, _about("a larger snapshot is refused")] = 1024**3


class EnvironmentSettings(Struct, frozen=True, kw_only=True):
    """``[environment]``: how dependencies are installed."""

    install: Annotated[bool, _about("install what the project declares")] = True
    installer: Annotated[Literal["auto", "uv", "pip"], _about("auto is uv, or else pip")] = "auto"
    python: Annotated[str | None, _about("a version, such as 3.12")] = None
    requirements: Annotated[
        tuple[str, ...], _about("requirements files, from the root; empty is what is declared")
    ] = ()
    extras: Annotated[tuple[str, ...], _about("extras of the project")] = ()
    groups: Annotated[tuple[str, ...], _about("dependency groups of the project")] = ()
    system_site_packages: Annotated[bool, _about("keep the image's own packages")] = False
    no_deps: Annotated[bool, _about("install what is listed, and nothing that it needs")] = False
    stage_wheels: Annotated[
        bool, _about("send wheels from here, for instances that reach no package index")
    ] = False


class DockerSettings(Struct, frozen=True, kw_only=True):
    """``[docker]``: the container that runs go in."""

    image: Annotated[str | None, _about("its image; none runs scripts in no container")] = None
    repository: Annotated[
        str | None, _about("where its own images go: HOST/NAME; none is nowhere")
    ] = None
    shm_bytes: Annotated[
        int | None, _about("its shared memory; none is half of the instance's memory", 1)
    ] = None
    options: Annotated[tuple[str, ...], _about("further arguments of docker run")] = ()
    install: Annotated[bool, _about("install Docker on instances that have none")] = False


class CheckpointSettings(Struct, frozen=True, kw_only=True):
    """``[checkpoint]``: how checkpoints are found and kept."""

    dir: Annotated[str | None, _about("the script's checkpoint folder")] = None
    keep_last: Annotated[int | None, _about("how many are kept; none is all", 1)] = None
    interval: Annotated[timedelta, _about("how often the folder is looked at")] = timedelta(
        seconds=1
    )
    settle: Annotated[timedelta, _about("how long a file must be unchanged")] = timedelta(seconds=2)


class StoreSettings(Struct, frozen=True, kw_only=True):
    """``[store]``: where the ledger is."""

    root: Annotated[str | None, _about("a folder or s3://bucket/prefix")] = None


class AwsSettings(Struct, frozen=True, kw_only=True):
    """``[aws]``: which account, and how its instances are reached."""

    region: Annotated[str | None, _about("the region; none leaves it to AWS's own settings")] = None
    profile: Annotated[str | None, _about("the profile of AWS's own settings")] = None
    transport: Annotated[
        Literal["auto", "ssm", "ssh"], _about("how instances are reached; auto is what they have")
    ] = "auto"
    instance_type: Annotated[str | None, _about("the type that is rented, such as g6.xlarge")] = (
        None
    )
    ami: Annotated[str, _about("its image: ami-…, al2023, ubuntu or dlami")] = "al2023"
    instance_profile: Annotated[
        str | None, _about("its instance profile; none is that of runctl aws setup")
    ] = None
    security_groups: Annotated[
        tuple[str, ...], _about("its security groups; empty is that of runctl aws setup")
    ] = ()
    subnet: Annotated[str | None, _about("its subnet; none is the default one of its zone")] = None
    key_name: Annotated[str | None, _about("its key pair, for SSH")] = None


class OutputSettings(Struct, frozen=True, kw_only=True):
    """``[output]``: what the command line prints."""

    format: Annotated[Literal["text", "json", "id"], _about("the form of results")] = "text"
    color: Annotated[Literal["auto", "always", "never"], _about("auto is on a terminal")] = "auto"


class Settings(Struct, frozen=True, kw_only=True):
    """All sections."""

    run: RunSettings = RunSettings()
    code: CodeSettings = CodeSettings()
    environment: EnvironmentSettings = EnvironmentSettings()
    docker: DockerSettings = DockerSettings()
    checkpoint: CheckpointSettings = CheckpointSettings()
    store: StoreSettings = StoreSettings()
    aws: AwsSettings = AwsSettings()
    output: OutputSettings = OutputSettings()


class Key(Struct, frozen=True):
    """One key: ``name`` is ``section.field``; an optional one takes the word ``none``."""

    name: str
    kind: Kind
    default: object
    description: str
    is_optional: bool = False
    choices: tuple[str, ...] = ()
    minimum: int = 0

    @property
    def section(self) -> str:
        return self.name.partition(".")[0]

    @property
    def field(self) -> str:
        return self.name.partition(".")[2]

    @property
    def is_table(self) -> bool:
        return self.kind in ("table", "hyperparams")


def _read_key(section: str, field: structs.FieldInfo) -> Key:
    described, meta = get_args(field.type)
    members = get_args(described) if get_origin(described) is UnionType else (described,)
    kind, choices = _read_kind(field.name, next(m for m in members if m is not NoneType))
    return Key(
        name=f"{section}.{field.name}",
        kind=kind,
        default={} if kind in ("table", "hyperparams") else field.default,
        description=meta.description,
        is_optional=NoneType in members,
        choices=choices,
        minimum=meta.extra["minimum"],
    )


def _read_kind(name: str, type_: Any) -> tuple[Kind, tuple[str, ...]]:
    if get_origin(type_) is Literal:
        return "choice", get_args(type_)
    if name.endswith("_bytes"):
        return "size", ()
    if name == "hyperparams":
        return "hyperparams", ()
    kinds: dict[Any, Kind] = {
        str: "text",
        bool: "boolean",
        int: "integer",
        timedelta: "duration",
        tuple: "list",
        dict: "table",
    }
    return kinds[get_origin(type_) or type_], ()


KEYS: dict[str, Key] = {
    key.name: key
    for section in structs.fields(Settings)
    for key in (_read_key(section.name, field) for field in structs.fields(section.type))
}
SECTIONS: dict[str, list[Key]] = {
    section: [key for key in KEYS.values() if key.section == section]
    for section in Settings.__struct_fields__
}


def find_key(name: str) -> tuple[Key, str | None]:
    """The key, and the entry of a table: ``run.env.HOME`` is ``run.env`` and ``HOME``.

    Raises ConfigError with a near name.
    """
    if name in KEYS:
        return KEYS[name], None
    section, _, rest = name.partition(".")
    field, _, entry = rest.partition(".")
    key = KEYS.get(f"{section}.{field}")
    if key is None or not key.is_table or not entry:
        raise ConfigError(
            f"there is no key {name!r}",
            hint=f"did you mean {find_near(name, KEYS)}? All keys: runctl config show",
            key=name,
        )
    return key, entry


def find_near(name: str, known: Iterable[str]) -> str:
    """The known name most like ``name``: never none, so that a hint always has one."""
    from difflib import get_close_matches  # noqa: PLC0415 - only on the way to an error

    return get_close_matches(name.replace("-", "_"), list(known), n=1, cutoff=0)[0]
