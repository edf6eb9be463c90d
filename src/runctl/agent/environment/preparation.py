"""The phase itself: find what is declared, take it from the cache, or install it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from runctl.agent.environment import cache, contents, pip, uv
from runctl.agent.environment.failures import system_failed
from runctl.agent.environment.interpreters import Interpreter, choose
from runctl.agent.environment.introduction import introduce
from runctl.agent.environment.plan import Plan, decide, read_wish
from runctl.agent.environment.processes import (
    IsCancelled,
    OnOutput,
    clean_environ,
    run_installer,
)
from runctl.agent.environment.recipe import read_recipe
from runctl.agent.environment.settings import Prepared, Settings
from runctl.agent.environment.sources import Source, detect
from runctl.agent.environment.staging import restrict

_INTERPRETERS = "interpreters"
_PROJECTS = "projects"


def prepare(  # noqa: PLR0913 - the phase has one entry, and each of these is its own thing
    tree: Path,
    script: Path,
    settings: Settings,
    *,
    envs_root: Path,
    base_python: Path,
    on_output: OnOutput,
    is_cancelled: IsCancelled,
    environ: Mapping[str, str],
) -> Prepared:
    """Make the environment that the project at ``tree`` declares for ``script``.

    ``on_output`` gets the installer's output as it comes, without credentials;
    ``is_cancelled`` is polled while it runs. ``environ`` is what the installer and later the
    training start from. Raises PhaseFailed (phase ``environment``) and StoppedOnRequest.
    """
    try:
        tree, envs_root = tree.resolve(), envs_root.absolute()
        script = _place(tree, script)
        source, interpreter, plan = _decide(tree, script, settings, envs_root, base_python, environ)
        if plan is None:
            return _take_interpreter(interpreter, source)
        return _realize(plan, source, envs_root, on_output, is_cancelled, environ)
    except OSError as error:
        raise system_failed(error, f"the environment's folder {envs_root}") from error


def _place(tree: Path, script: Path) -> Path:
    path = Path(os.path.abspath(tree / script))
    return path if path.is_relative_to(tree) else path.resolve()


def _decide(
    tree: Path,
    script: Path,
    settings: Settings,
    envs_root: Path,
    base_python: Path,
    environ: Mapping[str, str],
) -> tuple[Source, Interpreter, Plan | None]:
    source = detect(tree, script, settings)
    recipe = read_recipe(tree, source, settings)
    if recipe is not None and settings.staged is not None:
        recipe = restrict(recipe, settings.staged)
    wish = read_wish(tree, script, source, recipe, settings.python)
    binary = uv.find_uv(environ) if settings.installer != "pip" else None
    memory = envs_root / _INTERPRETERS
    interpreter = choose(wish, base_python, memory=memory, uv=binary, environ=environ)
    if recipe is None:
        return source, interpreter, None
    return source, interpreter, decide(recipe, interpreter, settings, binary, environ)


def _realize(
    plan: Plan,
    source: Source,
    envs_root: Path,
    on_output: OnOutput,
    is_cancelled: IsCancelled,
    environ: Mapping[str, str],
) -> Prepared:
    env, complete = _look(plan, envs_root)
    if complete is not None:
        return _describe(plan, env, complete, environ, is_cached=True)
    with cache.hold(envs_root, plan.key, is_cancelled) as lock:
        env, complete = _look(plan, envs_root)
        if complete is not None:
            return _describe(plan, env, complete, environ, is_cached=True)
        on_output(_announce(plan, source))
        start = _make_runner(plan, lock, env, on_output, is_cancelled, environ)
        complete = _build(plan, source, env, start)
        on_output(_tell_replaced(complete))
    return _describe(plan, env, complete, environ, is_cached=False)


def _look(plan: Plan, envs_root: Path) -> tuple[Path, cache.Complete | None]:
    if plan.settings.is_fresh:
        return cache.find_free(envs_root, plan.key), None
    return cache.find(envs_root, plan.key)


def _make_runner(
    plan: Plan,
    lock: int,
    env: Path,
    on_output: OnOutput,
    is_cancelled: IsCancelled,
    environ: Mapping[str, str],
) -> Callable[[tuple[str, ...]], None]:
    variables = clean_environ(environ) | {"UV_PROJECT_ENVIRONMENT": str(env)}

    def start(argv: tuple[str, ...]) -> None:
        run_installer(
            argv,
            folder=plan.recipe.folder,
            environ=variables,
            on_output=on_output,
            is_cancelled=is_cancelled,
            keep_open=(lock,),
            disk=env.parent,
        )

    return start


def _build(
    plan: Plan, source: Source, env: Path, start: Callable[[tuple[str, ...]], None]
) -> cache.Complete:
    """Build in place; whatever goes wrong, the disk that it took is given back."""
    installer = uv if plan.installer == "uv" else pip
    cache.clear(env)
    try:
        start(installer.create_command(plan, env))
        lines = env / "requirements.txt"
        lines.write_text("".join(f"{line}\n" for line in plan.recipe.lines), encoding="utf-8")
        for command in installer.iterate_commands(plan, env, lines):
            start(command)
        complete = _summarize(plan, source, env)
        cache.finish(env, complete)
    except BaseException:
        with suppress(OSError):  # the failure itself is what is told
            cache.clear(env)
        raise
    return complete


def _summarize(plan: Plan, source: Source, env: Path) -> cache.Complete:
    is_kept = plan.settings.system_site_packages
    return cache.Complete(
        key=plan.key,
        lock_hash=plan.lock_hash,
        source=source.reason,
        installer=plan.installer,
        python=plan.interpreter.path,
        python_version=plan.interpreter.version,
        packages=cache.list_packages(env),
        hashes=contents.digest_packages(env),
        image=contents.list_image(plan.interpreter.base if is_kept else ()),
    )


def _announce(plan: Plan, source: Source) -> bytes:
    version = plan.interpreter.version
    text = f"runctl: {source.reason}; installing with {plan.installer} for Python {version}\n"
    if plan.installer == "uv" and plan.settings.system_site_packages:
        text += "runctl: uv does not count the image's own packages; it installs what is declared\n"
    return text.encode()


def _tell_replaced(complete: cache.Complete) -> bytes:
    """A line for each package of the image that another version is put in front of."""
    packages = complete.packages
    replaced = contents.find_replaced(complete.image, packages)
    lines = (
        f"runctl: {name} {packages[name]} takes the place of the image's {version}\n"
        for name, version in replaced.items()
    )
    return "".join(lines).encode()


def _describe(
    plan: Plan, env: Path, complete: cache.Complete, environ: Mapping[str, str], *, is_cached: bool
) -> Prepared:
    known = introduce(env.parent / _PROJECTS, plan.recipe.projects)
    roots = plan.recipe.import_roots if known is None else (*plan.recipe.import_roots, known)
    return Prepared(
        python=env / "bin" / "python",
        python_version=complete.python_version,
        import_paths=roots,
        environ=_activate(env, roots, environ),
        source=complete.source,
        lock_hash=complete.lock_hash,
        key=plan.key,
        installer=plan.installer,
        is_cached=is_cached,
        packages=complete.packages,
        hashes=complete.hashes,
        image=complete.image,
    )


def _activate(env: Path, roots: tuple[Path, ...], environ: Mapping[str, str]) -> dict[str, str]:
    path = os.pathsep.join([str(env / "bin"), environ.get("PATH", os.defpath)])
    added = {"VIRTUAL_ENV": str(env), "PATH": path}
    if roots:
        own = [environ["PYTHONPATH"]] if environ.get("PYTHONPATH") else []
        added["PYTHONPATH"] = os.pathsep.join([*map(str, roots), *own])
    return added


def _take_interpreter(interpreter: Interpreter, source: Source) -> Prepared:
    return Prepared(
        python=Path(interpreter.path),
        python_version=interpreter.version,
        import_paths=(),
        environ={},
        source=source.reason,
        lock_hash=None,
        key=None,
        installer=None,
        is_cached=False,
        packages={},
    )
