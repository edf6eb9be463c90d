"""Where a client works: its settings, its project, and the session that use cases get."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from runctl.errors import ConfigError, NotFoundError, RefusedError

# Imported where they are used: a command pays only for what it does.
if TYPE_CHECKING:
    from runctl.agent.plan import BucketPlan
    from runctl.aws.account import Account
    from runctl.config import Config
    from runctl.engine.session import Session
    from runctl.store.s3 import BucketAccess


class Workplace:
    """The composition root: everything that is put together is put together here, once."""

    def __init__(
        self,
        settings: Mapping[str, object] | None,
        environ: Mapping[str, str] | None,
        cwd: Path | None,
    ) -> None:
        self._flags = dict(settings or {})
        self._environ = dict(os.environ if environ is None else environ)
        self._cwd = cwd or _find_cwd()
        self._accounts: dict[tuple[str | None, str | None], Account] = {}

    @cached_property
    def config(self) -> Config:
        """The settings in force in the current folder, each with its origin."""
        return self._load_config(self._find_project())

    @cached_property
    def _session(self) -> Session:
        return self._make_session(self.config)

    def _session_for(self, project_root: Path) -> Session:
        return self._make_session(self._load_config(project_root))

    def _make_session(self, config: Config) -> Session:
        from runctl.config import ledger_root  # noqa: PLC0415
        from runctl.engine.session import Session  # noqa: PLC0415
        from runctl.store.ledger import Ledger  # noqa: PLC0415
        from runctl.store.place import is_bucket, open_objects  # noqa: PLC0415

        root = ledger_root(config, self._environ)
        account = partial(self._account, config.values.aws.region, config.values.aws.profile)
        access, bucket = _reach_bucket(account()) if is_bucket(root) else (None, None)
        return Session(
            config=config,
            ledger=Ledger(open_objects(root, access)),
            account=account,
            environ=self._environ,
            user_dir=self._user_dir,
            cache_dir=self._cache_dir,
            bucket=bucket,
        )

    def _account(self, region: str | None, profile: str | None) -> Account:
        """Return the account of a region and a profile, the same each time."""
        from runctl.aws.account import Account  # noqa: PLC0415 - boto3 takes its time

        key = (region, profile)
        if key not in self._accounts:
            self._accounts[key] = Account(region, profile)
        return self._accounts[key]

    def _load_config(self, project_root: Path | None) -> Config:
        from runctl.config import load  # noqa: PLC0415

        return load(project_root, self._flags, self._environ, self._user_dir)

    def _find_project(self) -> Path | None:
        from runctl.project import find_root  # noqa: PLC0415

        try:
            return find_root(self._cwd / "any-script").path
        except RefusedError:  # the home folder itself is no project
            return None

    def _config_path(self, *, is_user: bool) -> Path:
        if is_user:
            return self._user_dir / "config.toml"
        root = self._find_project()
        if root is None:
            raise ConfigError(
                f"{self._cwd} is in no project", hint="runctl config set --user KEY VALUE"
            )
        return root / ".runctl.toml"

    @property
    def _user_dir(self) -> Path:
        from runctl.config import user_dir  # noqa: PLC0415

        return user_dir(self._environ)

    @property
    def _cache_dir(self) -> Path:
        given = self._environ.get("XDG_CACHE_HOME", "")
        home = Path(self._environ.get("HOME") or Path.home())
        return (Path(given) if given.startswith("/") else home / ".cache") / "runctl"


def _reach_bucket(account: Account) -> tuple[BucketAccess, BucketPlan]:
    """Return how the ledger's bucket is reached from here, and how this machine's agents do."""
    from runctl.aws.bucket_access import bucket_access  # noqa: PLC0415
    from runctl.engine.session import users_bucket  # noqa: PLC0415

    return bucket_access(account), users_bucket(account)


def _find_cwd() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise NotFoundError("the current folder is no longer there", hint="cd") from error
