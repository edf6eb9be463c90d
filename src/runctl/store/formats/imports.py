"""What a pickle would import: which names are harmless, and which nobody should load."""

from __future__ import annotations

import re
from collections.abc import Iterable

from runctl.store.formats.findings import printable
from runctl.store.formats.inert import Global

NOTES_LIMIT = 20
_CORES = {
    f"numpy{core}.{name}" for core in (".core", "._core") for name in ("multiarray", "numeric")
}
_HARMLESS = _CORES | {
    "collections", "datetime", "decimal", "fractions", "uuid", "_codecs", "torch._utils",
    "torch.storage", "torch._tensor", "torch.torch_version", "numpy.dtypes", "numpy.ma.core",
    "joblib.numpy_pickle", "pathlib", "argparse", "_struct", "array", "enum",
}  # fmt: skip
_HARMLESS_TREES = (
    "__torch__.",  # TorchScript, which torch interprets and Python does not
    "torch.nn.",
    "torch.optim.",
    "sklearn.",
    "numpy.random.",
)
_HARMLESS_NAMES = {
    "torch": re.compile(
        r"\w*Storage|Size|device|Tensor|u?int\d+|float\w*|bfloat16|complex\d+|bool|q\w+|Generator"
    ),
    "numpy": re.compile(r"dtype|ndarray|matrix|u?int\d*|float\d*|bool_?|complex\d*|str_|bytes_"),
    "copyreg": re.compile(r"_reconstructor|__newobj__"),
    "copy_reg": re.compile(r"_reconstructor"),
    "builtins": re.compile(
        r"dict|list|set|frozenset|tuple|int|float|bool|str|bytes|bytearray|complex|slice|range|object"
    ),
    "__builtin__": re.compile(r"dict|list|set|frozenset|tuple|int|float|bool|str|object|long"),
}
_DANGEROUS_ROOTS = {
    "os", "posix", "nt", "sys", "subprocess", "builtins", "__builtin__", "importlib", "runpy",
    "socket", "shutil", "pty", "ctypes", "webbrowser", "commands", "multiprocessing", "pickle",
    "code", "codeop", "timeit", "pdb", "bdb", "marshal", "types", "operator", "functools",
    "asyncio", "http", "urllib", "requests", "pip", "platform", "cProfile", "profile", "trace",
}  # fmt: skip


def import_notes(found: Iterable[Global]) -> list[str]:
    """A sentence for each import that is not known to be harmless, the worst first."""
    odd = [each for each in found if not is_harmless(each)]
    odd.sort(key=lambda each: not is_dangerous(each))
    notes = [_note(each) for each in odd[:NOTES_LIMIT]]
    if len(odd) > NOTES_LIMIT:
        notes.append(
            f"pickle imports {len(odd) - NOTES_LIMIT} more names that runctl does not know"
        )
    return notes


def is_harmless(found: Global) -> bool:
    names = _HARMLESS_NAMES.get(found.module)
    if names is not None:
        return names.fullmatch(found.name) is not None
    # A dotted name reaches through a module to whatever that module imports.
    if "." in found.name:
        return False
    return found.module in _HARMLESS or found.module.startswith(_HARMLESS_TREES)


def is_dangerous(found: Global) -> bool:
    return found.module.split(".")[0] in _DANGEROUS_ROOTS


def _note(found: Global) -> str:
    name = printable(found.full_name)
    if is_dangerous(found):
        return f"pickle imports {name}: do not load it"
    return f"pickle imports {name}, which loading it would run"
