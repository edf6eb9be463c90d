"""Unit tests open no socket."""

from __future__ import annotations

import pytest
import pytest_socket


@pytest.fixture(autouse=True)
def _no_sockets(socket_disabled: None) -> None:
    """Make any socket, Unix ones too, raise ``SocketBlockedError``."""
