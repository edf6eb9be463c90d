"""Walk what a checkpoint holds: its arrays, and the numbers that tell how far training was."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import islice

from runctl.store.formats.description import TENSORS_LISTED, Description, TensorInfo
from runctl.store.formats.inert import Inert, Tensor, real
from runctl.store.formats.progress import Progress, is_bookkeeping

NODES_LIMIT = 1_000_000
DEPTH_LIMIT = 32
CHILDREN_LIMIT = 100_000
NAME_LIMIT = 200

Path = tuple[str, ...]
Peek = Callable[[Tensor], int | float | None]


class Findings:
    """What was seen so far; arrays beyond TENSORS_LISTED are counted and not listed."""

    def __init__(self, peek: Peek | None = None) -> None:
        self.progress = Progress()
        self.notes: list[str] = []
        self._peek = peek
        self._tensors: list[TensorInfo] = []
        self._count = 0
        self._parameters = 0
        self._dtypes: dict[str, int] = {}
        self._views: set[object] = set()

    def explore(self, root: object) -> None:
        """Take in a tree, which may be shared, cyclic or larger than anyone wants to read."""
        pending: list[tuple[Path, object]] = [((), root)]
        seen: dict[int, object] = {}
        for _ in range(NODES_LIMIT):
            if not pending:
                return
            path, value = pending.pop()
            value = real(value)
            if self._is_leaf(path, value) or id(value) in seen or len(path) >= DEPTH_LIMIT:
                continue
            seen[id(value)] = value
            children = [
                ((*path, key), each) for key, each in islice(_children(value), CHILDREN_LIMIT)
            ]
            pending.extend(reversed(children))
        self.notes.append("holds more values than runctl looks at: not all are listed")

    def add_tensor(self, path: Path, tensor: Tensor) -> None:
        """Count one array; a single number with a telling name is progress, not parameters."""
        count = math.prod(tensor.shape)
        value = tensor.value
        if count == 1 and value is None and self._peek and self.progress.would_take(path):
            value = self._peek(tensor)
        is_number = value is not None and self.progress.take(path, value)
        self._list_tensor(path, tensor, count)
        if not is_number and not is_bookkeeping(path):
            self._count_parameters(tensor, count)

    def description(self, format_name: str, size_bytes: int) -> Description:
        progress = self.progress
        return Description(
            format=format_name,
            step=progress.step,
            epoch=progress.epoch,
            loss=progress.loss,
            metrics=progress.metrics,
            tensors=tuple(self._tensors),
            tensor_count=self._count,
            parameter_count=self._parameters,
            dtypes=self._dtypes,
            size_bytes=size_bytes,
            notes=tuple(self.notes),
        )

    def _is_leaf(self, path: Path, value: object) -> bool:
        if isinstance(value, Tensor):
            self.add_tensor(path, value)
        elif isinstance(value, bool | str | bytes | None):
            pass
        elif isinstance(value, int | float):
            self.progress.take(path, value)
        else:
            return False
        return True

    def _list_tensor(self, path: Path, tensor: Tensor, count: int) -> None:
        self._count += 1
        dtype, size = printable(tensor.dtype.name), tensor.dtype.item_bytes
        self._dtypes[dtype] = self._dtypes.get(dtype, 0) + 1
        if len(self._tensors) < TENSORS_LISTED:
            size_bytes = None if size is None else size * count
            name = printable(".".join(path))
            self._tensors.append(TensorInfo(name, dtype, tensor.shape, size_bytes))

    def _count_parameters(self, tensor: Tensor, count: int) -> None:
        if tensor.storage is not None:
            view = (tensor.storage.key, tensor.offset, tensor.shape)
            if view in self._views:
                return
            self._views.add(view)
        self._parameters += count


def _children(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield (key if isinstance(key, str) else str(key)[:NAME_LIMIT]), each
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield str(index), each
    elif isinstance(value, Inert):
        yield from _children_of_call(value)


def _children_of_call(call: Inert) -> Iterator[tuple[str, object]]:
    yield from _children(call.items)
    yield from _children(call.elements)
    state = real(call.state)
    # A class with slots has its state as (attributes, slots).
    parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
    for part in parts:
        yield from _children(part)
    yield from _children(call.args)


def printable(text: str) -> str:
    """Text from a file, made safe for a terminal and short enough for a line."""
    kept = "".join(
        each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text[:NAME_LIMIT]
    )
    return kept if len(text) <= NAME_LIMIT else kept + "…"
