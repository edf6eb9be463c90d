"""The rules that hold for unit tests are seen to hold."""

from __future__ import annotations

import socket
import time
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_socket import SocketBlockedError


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_no_socket_opens(family: socket.AddressFamily) -> None:
    with pytest.raises(SocketBlockedError):
        socket.socket(family)


def test_no_sleep() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"slept for 0\.1 s"):
        time.sleep(0.1)


def test_a_warning_is_an_error() -> None:
    with pytest.raises(UserWarning, match="heard"):
        warnings.warn("heard", stacklevel=1)


@given(st.just(socket.AF_INET))
def test_the_rules_hold_under_hypothesis_too(family: socket.AddressFamily) -> None:
    with pytest.raises(SocketBlockedError):
        socket.socket(family)
