from __future__ import annotations

from pathlib import Path

from runctl.agent.environment.contents import (
    digest_packages,
    find_replaced,
    list_image,
    read_cuda,
)

DRIVER = """\
NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build
GCC version:  gcc version 11.4.1 20230605
"""
TOOLKIT = '{"cuda": {"name": "CUDA SDK", "version": "12.4.1"}, "nvcc": {"version": "12.4.131"}}'


def install(env: Path, record: str) -> str:
    info = env / "lib" / "python3.11" / "site-packages" / "signpost-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "RECORD").write_text(record)
    return digest_packages(env)["signpost"]


def test_digest_is_of_the_files_and_not_of_the_place(tmp_path: Path) -> None:
    one = install(tmp_path / "a", "b.py,sha256=2,1\na.py,sha256=1,1\n../../../bin/a,sha256=3,1\n")
    same = "signpost-1.0.dist-info/INSTALLER,sha256=7,2\na.py,sha256=1,1\nb.py,sha256=2,1\n"
    assert install(tmp_path / "b", same + "__pycache__/a.cpython-311.pyc,,\n") == one
    assert install(tmp_path / "c", same.replace("sha256=2", "sha256=9")) != one


def test_image_is_read_from_both_kinds_of_folders(tmp_path: Path) -> None:
    names = ("torch-2.3.1+cu121.dist-info", "PyYAML-5.4.1.egg-info", "six-1.0-py3.9.egg-info")
    for name in (*names, "pip-23.0.dist-info", "torch"):
        (tmp_path / name).mkdir()
    found = list_image([str(tmp_path), str(tmp_path / "none")])
    assert found == {"torch": "2.3.1+cu121", "pyyaml": "5.4.1", "six": "1.0"}
    packages = {"torch": "2.4.0", "six": "1.0", "signpost": "1"}
    assert find_replaced(found, packages) == {"torch": "2.3.1+cu121"}


def test_versions_of_cuda(tmp_path: Path) -> None:
    (tmp_path / "driver").write_text(DRIVER)
    (tmp_path / "toolkit").write_text(TOOLKIT)
    found = read_cuda(tmp_path / "driver", tmp_path / "toolkit")
    assert found == {"driver": "550.54.15", "toolkit": "12.4.1"}
    older = DRIVER.replace("Open Kernel Module for x86_64", "x86_64 Kernel Module")
    (tmp_path / "driver").write_text(older)
    assert read_cuda(tmp_path / "driver", tmp_path / "none") == {"driver": "550.54.15"}
