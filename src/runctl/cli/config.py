"""``runctl config``: show and change settings."""

from __future__ import annotations

import click

from runctl.cli.command import Group
from runctl.cli.invocation import Invocation, pass_invocation
from runctl.errors import ConfigError, NotFoundError


@click.group(cls=Group)
def config() -> None:
    """Show and change settings.

    What counts, strongest first: the command line, variables such as
    RUNCTL_CONFIG_RUN_RETRIES, the project's file, your own file, the default.
    """


@config.command()
@click.option("--origin", is_flag=True, help="Show where each value comes from.")
@pass_invocation
def show(invocation: Invocation, *, origin: bool) -> None:
    """Show all settings in force."""
    loaded, screen = invocation.client().config, invocation.screen
    settings = loaded.settings()
    header = ("KEY", "VALUE", "ORIGIN") if origin else ("KEY", "VALUE")
    rows = [(one.key, one.text, str(one.origin))[: len(header)] for one in settings]
    screen.show(settings, lambda: screen.show_table(header, rows), [one.key for one in settings])
    for note in loaded.notes:
        screen.warn(note)


@config.command()
@click.argument("key")
@pass_invocation
def get(invocation: Invocation, key: str) -> None:
    """Print the value of KEY, such as run.retries or run.env.NAME."""
    setting = invocation.client().config.setting(key)
    if setting.value is None and key.count(".") > 1:
        raise NotFoundError(f"{key} is not set", hint=f"runctl config set {key} VALUE", key=key)
    invocation.screen.show(setting, lambda: [setting.text], setting.text)
    invocation.screen.detail(f"from {setting.origin}")


@config.command("set")
@click.argument("key")
@click.argument("value", type=click.UNPROCESSED)
@click.option("--user", "is_user", flag_value=True, default=False, help="In your own file.")
@click.option("--project", "is_user", flag_value=False, help="In this project's: the default.")
@pass_invocation
def set_(invocation: Invocation, key: str, value: str, *, is_user: bool) -> None:
    """Write KEY = VALUE into a file, and nothing else of it."""
    setting = invocation.client().set_config(key, value, is_user=bool(is_user))
    line = f"{setting.key} = {setting.text} ({setting.origin})"
    invocation.screen.show(setting, lambda: [line], setting.key)
    if setting.origin.kind != ("user" if is_user else "project"):
        invocation.screen.warn(f"{key} was written, but {setting.origin} is stronger")


@config.command()
@pass_invocation
def validate(invocation: Invocation) -> None:
    """Check every file, and the variables; say all that is wrong."""
    client, screen = invocation.client(), invocation.screen
    found = client.validate_config()
    problems = [problem for each in found.values() for problem in each]
    if problems:
        raise _join(problems)
    _ = client.config  # the variables, and what only all sources together tell
    screen.show(
        {"files": list(found)}, lambda: [f"{path}: good" for path in found], list(map(str, found))
    )
    if not found:
        screen.note("there is no file: all settings have their defaults")


def _join(problems: list[ConfigError]) -> ConfigError:
    if len(problems) == 1:
        return problems[0]
    listed = [{"message": p.message, "hint": p.hint, **p.details} for p in problems]
    return ConfigError(
        "\n  ".join([f"{len(problems)} settings are wrong:", *(p.message for p in problems)]),
        hint=problems[0].hint,
        problems=listed,
    )


@config.command()
@pass_invocation
def path(invocation: Invocation) -> None:
    """Print the files that settings are read from, the strongest first."""
    files = invocation.client().config_files()
    invocation.screen.show(
        files,
        lambda: [f"{file.path}{'' if file.is_present else ' (not there)'}" for file in files],
        [str(file.path) for file in files],
    )
