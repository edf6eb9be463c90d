"""What a pickle would have built, as inert values: nothing here imports or calls anything."""

from __future__ import annotations


class Global:
    """A name that the pickle asks for; it is never looked up."""

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    @property
    def full_name(self) -> str:
        return f"{self.module}.{self.name}"


class Inert:
    """A call that was not made: what would be called, with what, and what was done to it.

    ``meaning`` is what the whole stands for (a Tensor, say), once that is known.
    """

    __slots__ = ("args", "elements", "items", "meaning", "state", "target")

    def __init__(self, target: object, args: tuple[object, ...]) -> None:
        self.target = target
        self.args = args
        self.state: object = None
        self.items: dict[object, object] = {}
        self.elements: list[object] = []
        self.meaning: object = None


class Bulk:
    """Bytes or text too long to keep; only the length is known."""

    __slots__ = ("size_bytes",)

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes


class Dtype:
    """An element type: name and size, order of its bytes, whether it holds references."""

    __slots__ = ("has_objects", "is_big_endian", "item_bytes", "name")

    def __init__(self, name: str, item_bytes: int | None) -> None:
        self.name = name
        self.item_bytes = item_bytes
        self.is_big_endian = False
        self.has_objects = name == "object"


class Storage:
    """Memory that tensors are views of, kept outside of the pickle under ``key``."""

    __slots__ = ("count", "dtype", "key")

    def __init__(self, key: str, dtype: Dtype, count: int) -> None:
        self.key = key
        self.dtype = dtype
        self.count = count

    @property
    def size_bytes(self) -> int:
        return self.count * (self.dtype.item_bytes or 1)


class Tensor:
    """An array; ``value`` is its one element where that is known.

    ``storage`` and ``offset`` (in elements) say where a torch tensor's bytes are.
    """

    __slots__ = ("dtype", "offset", "shape", "storage", "value")

    def __init__(self, dtype: Dtype, shape: tuple[int, ...]) -> None:
        self.dtype = dtype
        self.shape = shape
        self.storage: Storage | None = None
        self.offset = 0
        self.value: int | float | None = None


def real(value: object) -> object:
    """What a value stands for, if it is a call whose meaning is known."""
    if isinstance(value, Inert) and value.meaning is not None:
        return value.meaning
    return value
