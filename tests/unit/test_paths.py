"""Keys: spelled as the design says, sorted as numbers are, never leading out."""

from __future__ import annotations

import pytest

from runctl.errors import UnsafePath
from runctl.model.paths import RunPaths, blob_key, check_prefix, check_relative, number_in

SHA256 = "0123456789abcdef" * 4


def test_the_keys_of_a_run() -> None:
    paths = RunPaths("r")
    assert paths.spec == "runs/r/spec.json"
    assert paths.claim(1) == "runs/r/attempts/0001.json"
    assert paths.event(1, "agent", 2) == "runs/r/events/0001/agent/00000002.json"
    assert paths.request("q") == "runs/r/requests/q.json"
    assert paths.manifest(1, 2) == "runs/r/checkpoints/0001/00000002/manifest.json"
    assert paths.log_chunk(1, 5, 7) == "runs/r/logs/0001/0/0000000000000005-0000000007.zst"
    assert paths.heartbeat(1, 3) == "runs/r/heartbeat/0001/3.json"
    assert paths.outputs(1) == "runs/r/outputs/0001/manifest.json"
    assert blob_key(SHA256) == f"blobs/{SHA256}"


def test_keys_sort_as_their_numbers_do() -> None:
    paths, numbers = RunPaths("r"), [1, 2, 9, 10, 11, 99, 100, 999, 1000, 9999]
    for spell in (paths.claim, paths.events, lambda n: paths.event(1, "agent", n),
                  lambda n: paths.manifest(1, n), lambda n: paths.log_chunk(1, n, 1)):  # fmt: skip
        found = [spell(number) for number in numbers]
        assert found == sorted(found)


def test_the_number_of_a_key_can_be_read_back() -> None:
    paths = RunPaths("r")
    assert number_in(paths.claim(12)) == 12
    assert number_in(paths.event(1, "agent", 34)) == 34
    assert number_in(paths.log_chunk(1, 56, 7)) == 56


def test_every_key_lies_below_its_run() -> None:
    paths = RunPaths("r")
    keys = [paths.spec, paths.claims, paths.events(1), paths.requests, paths.checkpoints,
            paths.logs(1), paths.heartbeat(1), paths.outputs(1)]  # fmt: skip
    assert all(key.startswith(paths.root) for key in keys)


@pytest.mark.parametrize(
    "digest",
    ["", SHA256[:-1], SHA256 + "0", SHA256.upper(), "../" + SHA256[3:], SHA256[:-1] + "\n"],
)
def test_a_blob_is_named_by_a_digest_and_nothing_else(digest: str) -> None:
    with pytest.raises(UnsafePath):
        blob_key(digest)


@pytest.mark.parametrize("path", ["a", "a/b", "..a", "a..", "...", "a b", "-", "ö/🚂", "a\\..\\b"])
def test_paths_that_stay_inside_are_returned(path: str) -> None:
    assert check_relative(path) == path


@pytest.mark.parametrize(
    "path", ["", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/../b", "./a", "a/.", "\0"]
)
def test_paths_that_lead_out_or_have_two_names_are_refused(path: str) -> None:
    with pytest.raises(UnsafePath) as caught:
        check_relative(path)
    assert caught.value.details["path"] == path


@pytest.mark.parametrize(
    ("prefix", "folder"),
    [("", ""), ("a", ""), ("..", ""), ("a/", "a"), ("a/b", "a"), ("a/b/", "a/b")],
)
def test_a_prefix_names_the_folder_it_lies_in(prefix: str, folder: str) -> None:
    assert check_prefix(prefix) == folder


@pytest.mark.parametrize("prefix", ["/", "../", "../a", "a/../b", "a//", "/a/b", "a/\0/b"])
def test_prefixes_that_lead_out_are_refused(prefix: str) -> None:
    with pytest.raises(UnsafePath):
        check_prefix(prefix)
