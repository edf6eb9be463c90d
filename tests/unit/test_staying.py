"""Certificates and keyrings of the user stay, and a launch says so where that may matter."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from runctl.config import Settings
from runctl.engine.staying import launch_notes

OWN = {"UV_DEFAULT_INDEX": "https://index.example/simple"}


def settings_on(target: str, *, is_staged: bool = False) -> Settings:
    usual = Settings()
    return replace(
        usual,
        run=replace(usual.run, on=target),
        environment=replace(usual.environment, stage_wheels=is_staged),
    )


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}


def test_what_stays_is_named(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("[global]\ncert = /etc/own.pem\n")
    environ |= {"SSL_CERT_FILE": "/etc/own.pem", "PIP_CONFIG_FILE": f"{tmp_path}/pip.conf", **OWN}
    [note] = launch_notes(settings_on("aws:m5.large"), environ)
    assert note.startswith("only this machine has SSL_CERT_FILE, ")
    assert f"cert of {tmp_path}/pip.conf; an index" in note
    assert note.endswith("--stage-wheels")


def test_nothing_is_said_where_nothing_is_missed(environ: dict[str, str]) -> None:
    held = {"SSL_CERT_FILE": "/etc/own.pem"}
    assert launch_notes(settings_on("aws:m5.large"), environ | held) == ()
    assert launch_notes(settings_on("aws:m5.large"), environ | OWN) == ()
    assert launch_notes(settings_on("local"), environ | OWN | held) == ()
    assert launch_notes(settings_on("aws:m5.large", is_staged=True), environ | OWN | held) == ()
