from __future__ import annotations

import errno

import pytest

from runctl.agent.environment.failures import (
    CAUSES,
    LAST_LINES,
    find_cause,
    installer_failed,
    redact,
    system_failed,
)
from runctl.agent.environment.processes import Redactor, clean_environ

# What the installers print, abridged to the lines around the one that tells.
WORDS = [
    ("no-version", "ERROR: No matching distribution found for signpost==9.9"),
    (
        "no-version",
        (
            "No solution found when resolving dependencies:\n"
            "  ╰─▶ Because there is no version of numpy==99 and you require numpy==99, we can\n"
            "      conclude that your requirements are unsatisfiable."
        ),
    ),
    (
        "no-version",
        (
            "  ╰─▶ Because nowhere-else was not found in the package registry and you require\n"
            "      nowhere-else, we can conclude that your requirements are unsatisfiable."
        ),
    ),
    (
        "no-wheel",
        "ERROR: alien-1.0-cp27-none-any.whl is not a supported wheel on this platform.",
    ),
    (
        "no-wheel",
        (
            "ERROR: Ignored the following versions that require a different python version: 1.0"
            " Requires-Python >=4\nERROR: No matching distribution found for alien"
        ),
    ),
    (
        "no-wheel",
        (
            "  ╰─▶ Because alien==1.0 has no wheels with a matching Python ABI tag (`cp311`)\n"
            "      and you require alien==1.0, your requirements are unsatisfiable."
        ),
    ),
    (
        "no-egress",
        (
            "error: Failed to fetch: `https://index.example/simple/numpy/`\n"
            "  Caused by: client error (Connect)\n  Caused by: dns error: failed to lookup address"
        ),
    ),
    (
        "no-egress",
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError("
            "'<pip._vendor.urllib3.HTTPSConnection object at 0x7f>: Failed to establish a new"
            " connection: [Errno -3] Temporary failure in name resolution')': /simple/numpy/\n"
            "ERROR: Could not find a version that satisfies the requirement numpy (from none)"
        ),
    ),
    ("disk-full", "ERROR: Could not install packages due to an OSError: [Errno 28] No space left"),
    (
        "disk-full",
        "error: Failed to extract archive\n  Caused by: No space left on device (os error 28)",
    ),
    (
        "hash-mismatch",
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have"
            " updated the package versions, please update the hashes."
        ),
    ),
    ("hash-mismatch", "  ╰─▶ Hash mismatch for `signpost==1.2.3`"),
    ("no-compiler", "      error: command 'gcc' failed: No such file or directory"),
    (
        "index-auth",
        "ERROR: HTTP error 401\nrequests.HTTPError: 401 Client Error: Unauthorized for url",
    ),
    (
        "no-venv-module",
        "The virtual environment was not created successfully because ensurepip is not\navailable.",
    ),
    (
        "index-auth",
        (
            "  cause: Because signpost was not found in the package registry and you require it\n"
            "hint: An index URL (http://127.0.0.1/a) could not be queried due to a lack of valid"
            " authentication credentials (401 Unauthorized)"
        ),
    ),
    (
        "index-auth",
        (
            "WARNING: 401 Error, Credentials not correct for http://127.0.0.1/a/signpost/\n"
            "ERROR: No matching distribution found for signpost"
        ),
    ),
    (
        "disk-full",
        (
            "error: Failed to install: six-1.17.0-py2.py3-none-any.whl (six==1.17.0)\n"
            "  cause: failed to copy file from /a to /b: No space left on device (os error 28)"
        ),
    ),
    ("other", "error: the moon is in the wrong phase"),
]


@pytest.mark.parametrize(("cause", "words"), WORDS)
def test_cause_is_found_in_the_words_of_the_installer(cause: str, words: str) -> None:
    assert find_cause(words)[0] == cause


def test_every_cause_has_a_fixture() -> None:
    assert {name for name, _, _ in CAUSES} | {"other"} == {cause for cause, _ in WORDS}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://me:secret@host/simple", "https://***@host/simple"),
        ("https://token@host/simple and http://a:b@c", "https://***@host/simple and http://***@c"),
        ("https://me:p@ss@host/simple", "https://***@host/simple"),
        ("https://host/pkg@1.0", "https://host/pkg@1.0"),
        ("https://host/x?X-Amz-Signature=abc&y=1", "https://host/x?X-Amz-Signature=***&y=1"),
    ],
)
def test_redaction(text: str, expected: str) -> None:
    assert redact(text) == expected


def test_failure_keeps_the_last_words_without_colour_or_credentials() -> None:
    lines = [f"line {number}" for number in range(40)] + ["\x1b[31mhttps://me:it@host\x1b[0m", ""]
    error = installer_failed("uv", 2, "\n".join(lines))
    assert error.exit_code == 22
    assert error.details["phase"] == "environment"
    last = error.details["last_lines"]
    assert isinstance(last, list)
    assert (len(last), last[-1]) == (LAST_LINES, "https://***@host")
    assert "line 39" in error.message
    assert "status 2" in error.message


def test_signal_is_named() -> None:
    assert "signal 9" in installer_failed("pip", -9, "").message


def test_full_disk_explains_what_the_words_do_not() -> None:
    silent = "Error: Command '-m ensurepip' returned non-zero exit status 1."
    assert installer_failed("python", 1, silent, is_disk_full=True).details["cause"] == "disk-full"
    told = installer_failed("uv", 1, "dns error", is_disk_full=True)
    assert told.details["cause"] == "no-egress"


def test_full_disk_of_our_own_is_told_as_such() -> None:
    error = system_failed(OSError(errno.ENOSPC, "No space left on device"), "the folder /envs")
    assert error.details["cause"] == "disk-full"
    assert "/envs" in error.message


def test_credentials_cut_between_two_reads_are_redacted() -> None:
    seen: list[bytes] = []
    redactor = Redactor(seen.append)
    for part in (b"Looking in https://me:se", b"cret@host\nnext", b" line"):
        redactor.feed(part)
    assert seen == [b"Looking in https://***@host\n"]
    assert redactor.finish() == "Looking in https://***@host\nnext line"
    assert seen[1:] == [b"next line"]


def test_output_that_is_not_text_passes_unchanged() -> None:
    seen: list[bytes] = []
    redactor = Redactor(seen.append)
    redactor.feed(b"\xff\xfe\n")
    assert seen == [b"\xff\xfe\n"]


def test_what_redirects_an_installer_is_taken_away() -> None:
    environ = {"PYTHONPATH": "/x", "PIP_TARGET": "/y", "UV_PROJECT_ENVIRONMENT": "/z", "HOME": "/h"}
    cleaned = clean_environ(environ)
    assert cleaned["HOME"] == "/h"
    assert not environ.keys() & cleaned.keys() - {"HOME"}
    assert cleaned["UV_PYTHON_DOWNLOADS"] == "never"
    assert clean_environ({"UV_PYTHON_DOWNLOADS": "automatic"})["UV_PYTHON_DOWNLOADS"] == "automatic"
