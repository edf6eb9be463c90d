"""Every provider, held to the contract of ``runctl.testing.providers``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runctl.errors import UsageError
from runctl.providers import names, open_provider
from runctl.providers.api import Provider, Surroundings
from runctl.providers.local import LocalProvider
from runctl.testing.providers import ProviderContract


def _unwanted() -> Any:
    pytest.fail("a provider asked for something before it was used")


SURROUNDINGS = Surroundings(account=_unwanted, owner=_unwanted, ways=_unwanted)


class TestLocalProvider(ProviderContract):
    def make_provider(self) -> Provider:
        return LocalProvider(SURROUNDINGS)

    def foreign_instance(self, provider: Provider) -> str:
        return "local"

    def test_what_is_here_costs_nothing(self, provider: Provider) -> None:
        assert [offer.usd_per_hour for offer in provider.offers(self.wish())] == [0]

    @pytest.mark.parametrize("given", ["", "relative/state"])
    def test_a_state_folder_that_is_not_absolute_is_ignored(
        self, provider: Provider, tmp_path: Path, given: str
    ) -> None:
        environ = {"HOME": str(tmp_path), "XDG_STATE_HOME": given}
        root = provider.instance_root("local", environ)
        assert root == tmp_path / ".local" / "state" / "runctl" / "instance"

    def test_the_state_folder_is_where_it_is_wanted(
        self, provider: Provider, tmp_path: Path
    ) -> None:
        environ = {"HOME": "/nowhere", "XDG_STATE_HOME": str(tmp_path)}
        assert provider.instance_root("local", environ) == tmp_path / "runctl" / "instance"


def test_every_name_in_the_table_opens_the_provider_of_that_name() -> None:
    assert names()
    assert [open_provider(name, SURROUNDINGS).name for name in names()] == names()


def test_an_unknown_provider_is_refused_and_the_known_are_named() -> None:
    with pytest.raises(UsageError, match="local") as caught:
        open_provider("lokal", SURROUNDINGS)
    assert caught.value.hint
