"""A pickle machine that builds a picture of the value and runs nothing.

Every opcode that would import, call or look up is turned into an inert record. Opcodes,
kept bytes and memory are bounded; what is too long to keep is skipped in the file.
"""

from __future__ import annotations

import codecs
import math
import pickletools
from collections.abc import Callable
from io import BytesIO

from runctl.errors import FormatNotJudged, IntegrityError
from runctl.store.formats.inert import Bulk, Global, Inert, Storage, Tensor, real
from runctl.store.formats.rebuild import (
    apply_state,
    array_of,
    element_of,
    is_joblib_array,
    meaning_of_call,
    storage_of,
)
from runctl.store.formats.source import Source

OPCODES_LIMIT = 2_000_000
ALL_OPCODES_LIMIT = 20_000_000
KEPT_BYTES = 64 << 10
ALL_KEPT_BYTES = 8 << 20
GLOBALS_LIMIT = 1_000
NESTED_LIMIT = 8
_LENGTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_TWO_LINES = ("GLOBAL", "INST")
_OPCODES = {ord(each.code): each for each in pickletools.opcodes}
_SCALARS = (str, bytes, int, float, bool, type(None))
_MALFORMED = (ValueError, TypeError, IndexError, KeyError, OverflowError, DeprecationWarning)

Args = tuple[object, ...]


class Machine:
    """Reads one pickle from a source, up to and with its STOP.

    ``opcodes`` counts on from those that were read before on behalf of the same file, so
    that a small file that expands to a huge one cannot keep runctl busy for hours.
    """

    def __init__(self, source: Source, *, depth: int = 0, opcodes: int = 0) -> None:
        self.opcodes = opcodes
        self.globals: dict[str, Global] = {}
        self.storages: dict[str, Storage] = {}
        self.is_cut_short = False
        self._source = source
        self._stack: list[object] = []
        self._marks: list[int] = []
        self._memo: dict[int, object] = {}
        self._kept = 0
        self._wraps_arrays = False
        self._depth = depth

    def run(self) -> object:
        """The value as a tree of plain and inert values.

        IntegrityError where the pickle ends early or is malformed; FormatNotJudged where it
        is too long to be followed although that is needed to find its end.
        """
        for _ in range(OPCODES_LIMIT):
            name, argument = self._next()
            if name == "STOP":
                return self._result()
            self._perform(name, argument)
        return self._run_on()

    def _perform(self, name: str, argument: object) -> None:
        try:
            _ACTIONS[name](self, argument)
        except _MALFORMED as error:
            at = self._source.tell()
            raise IntegrityError(f"opcode {name} before byte {at} makes no sense") from error

    def _run_on(self) -> object:
        """Go on to the end without building anything."""
        if self._wraps_arrays:
            raise FormatNotJudged("is too long a pickle to be followed to its end")
        self.is_cut_short = True
        while self._next()[0] != "STOP":
            if self.opcodes > ALL_OPCODES_LIMIT:
                raise FormatNotJudged("is too long a pickle to be read to its end")
        return list(self._stack)

    def _result(self) -> object:
        if not self._stack:
            raise IntegrityError("is a pickle of nothing")
        return self._stack[-1]

    def _next(self) -> tuple[str, object]:
        self.opcodes += 1
        code = self._source.read(1)[0]
        opcode = _OPCODES.get(code)
        if opcode is None:
            raise IntegrityError(f"byte {self._source.tell() - 1} is no pickle opcode")
        if opcode.arg is None:
            return opcode.name, None
        raw = self._raw(opcode.name, opcode.arg.n)
        if isinstance(raw, Bulk):
            return opcode.name, raw
        try:
            return opcode.name, _decode(opcode.name, opcode.arg, raw)
        except _MALFORMED as error:
            at = self._source.tell()
            raise IntegrityError(f"opcode {opcode.name} before byte {at} is damaged") from error

    def _raw(self, name: str, size: int) -> bytes | Bulk:
        """The bytes of an argument as they stand in the file, or their length when too long."""
        if size >= 0:
            return self._source.read(size)
        if size == pickletools.UP_TO_NEWLINE:
            lines = 2 if name in _TWO_LINES else 1
            return b"".join(self._source.line(KEPT_BYTES) for _ in range(lines))
        prefix = self._source.read(_LENGTHS[size])
        length = int.from_bytes(prefix, "little")
        if length > KEPT_BYTES or self._kept > ALL_KEPT_BYTES:
            self._source.skip(length)
            return Bulk(length)
        self._kept += length
        return prefix + self._source.read(length)

    # What follows are the opcodes, by the names that pickletools gives them.

    def push(self, value: object) -> None:
        self._stack.append(value)

    def pop(self, _: object = None) -> object:
        if self._marks and len(self._stack) <= self._marks[-1]:
            raise IndexError("stack is empty above the mark")
        return self._stack.pop()

    def top(self) -> object:
        return self._stack[-1]

    def mark(self, _: object) -> None:
        self._marks.append(len(self._stack))

    def pop_mark(self, _: object = None) -> list[object]:
        at = self._marks.pop()
        values = self._stack[at:]
        del self._stack[at:]
        return values

    def discard(self, _: object) -> None:
        if self._marks and len(self._stack) == self._marks[-1]:
            self._marks.pop()
        else:
            self.pop()

    def memoize(self, _: object) -> None:
        self._memo[len(self._memo)] = self.top()

    def put(self, index: object) -> None:
        self._memo[_integer(index)] = self.top()

    def get(self, index: object) -> None:
        self.push(self._memo[_integer(index)])

    def add_elements(self, values: list[object]) -> None:
        subject = real(self.top())
        if isinstance(subject, Inert):
            subject.elements.extend(values)
        elif isinstance(subject, list):
            subject.extend(values)

    def add_items(self, values: list[object]) -> None:
        subject = real(self.top())
        items = subject.items if isinstance(subject, Inert) else subject
        if isinstance(items, dict):
            items |= _pairs(values)

    def make_dict(self, _: object) -> None:
        self.push(_pairs(self.pop_mark()))

    def append(self, _: object) -> None:
        value = self.pop()
        self.add_elements([value])

    def set_item(self, _: object) -> None:
        value, key = self.pop(), self.pop()
        self.add_items([key, value])

    def find(self, name: object) -> None:
        module, _, attribute = str(name).partition(" ")
        self.push(self._global(module, attribute))

    def find_on_stack(self, _: object) -> None:
        name, module = self.pop(), self.pop()
        self.push(self._global(module, name))

    def find_extension(self, code: object) -> None:
        self.push(self._global("copyreg", f"extension {code}"))

    def call(self, _: object) -> None:
        args, target = self.pop(), self.pop()
        self._record(target, args if isinstance(args, tuple) else (args,))

    def call_with_keywords(self, _: object) -> None:
        keywords, args, target = self.pop(), self.pop(), self.pop()
        self._record(target, (*(args if isinstance(args, tuple) else (args,)), keywords))

    def instance(self, name: object) -> None:
        self.find(name)
        target = self.pop()
        self._record(target, tuple(self.pop_mark()))

    def construct(self, _: object) -> None:
        target, *args = self.pop_mark()
        self._record(target, tuple(args))

    def build(self, _: object) -> None:
        state = self.pop()
        subject = self.top()
        apply_state(subject, state)
        if is_joblib_array(subject) and isinstance(subject, Inert):
            self._skip_array(subject)

    def persistent(self, identity: object) -> None:
        storage = storage_of(identity)
        if storage is None:
            self.push(Inert(Global("persistent", "id"), (identity,)))
            return
        known = self.storages.setdefault(storage.key, storage)
        self.push(known)

    def _record(self, target: object, args: Args) -> None:
        target = real(target)
        meaning = meaning_of_call(target, args)
        self.push(Inert(target, args) if meaning is None else meaning)

    def _global(self, module: object, name: object) -> Global:
        if not isinstance(module, str) or not isinstance(name, str):
            module, name = "a computed", "name"
        found = Global(module, name)
        if len(self.globals) < GLOBALS_LIMIT:
            found = self.globals.setdefault(found.full_name, found)
        if module.startswith("joblib."):
            self._wraps_arrays = True
        return found

    def _skip_array(self, wrapper: Inert) -> None:
        """Step over the array that joblib writes, raw, right after its description."""
        state = wrapper.state if isinstance(wrapper.state, dict) else {}
        tensor = array_of(state.get("dtype"), state.get("shape"))
        if tensor is None or tensor.dtype.item_bytes is None:
            raise FormatNotJudged("holds an array that runctl cannot measure")
        wrapper.meaning = tensor
        if tensor.dtype.has_objects:
            self._nested()
            return
        if isinstance(state.get("numpy_array_alignment_bytes"), int):
            self._source.skip(self._source.read(1)[0])
        self._take_elements(tensor, math.prod(tensor.shape) * tensor.dtype.item_bytes)

    def _take_elements(self, tensor: Tensor, size_bytes: int) -> None:
        if math.prod(tensor.shape) == 1 and size_bytes <= KEPT_BYTES:
            tensor.value = element_of(tensor, self._source.read(size_bytes))
        else:
            self._source.skip(size_bytes)

    def _nested(self) -> None:
        """Step over the pickle that joblib writes for an array of objects."""
        if self._depth >= NESTED_LIMIT or self.opcodes > ALL_OPCODES_LIMIT:
            raise FormatNotJudged("nests more pickles than runctl follows")
        inner = Machine(self._source, depth=self._depth + 1, opcodes=self.opcodes)
        inner.run()
        self.globals |= inner.globals
        self.opcodes = inner.opcodes
        self.is_cut_short |= inner.is_cut_short


def _decode(name: str, kind: pickletools.ArgumentDescriptor, raw: bytes) -> object:
    """An argument's value; names may be any UTF-8, and Python 2's strings any bytes."""
    if name in _TWO_LINES:
        return " ".join(raw.decode("utf-8").split("\n")[:2])
    if name == "STRING":
        quoted = pickletools.read_stringnl(BytesIO(raw), decode=False)
        return codecs.escape_decode(quoted)[0].decode("latin-1")
    return kind.reader(BytesIO(raw))


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError("not a number")
    return value


def _pairs(values: list[object]) -> dict[object, object]:
    keys = (_key(each) for each in values[::2])
    return dict(zip(keys, values[1::2], strict=True))


def _key(value: object) -> object:
    """A key that is safe to hash: nested tuples could exhaust the C stack."""
    value = real(value)
    return value if isinstance(value, _SCALARS) else Inert(None, (value,))


def _push_tuple(count: int) -> Callable[[Machine, object], None]:
    def push(machine: Machine, _: object) -> None:
        values = [machine.pop() for _ in range(count)]
        machine.push(tuple(reversed(values)))

    return push


def _push_new(make: Callable[[], object]) -> Callable[[Machine, object], None]:
    return lambda machine, _: machine.push(make())


def _ignore(machine: Machine, argument: object) -> None:
    """Version marks, frames and buffer flags change nothing in the value."""


_ACTIONS: dict[str, Callable[[Machine, object], object]] = {
    each.name: Machine.push for each in pickletools.opcodes if each.arg is not None
}
_ACTIONS |= {
    "PROTO": _ignore,
    "FRAME": _ignore,
    "READONLY_BUFFER": _ignore,
    "NEXT_BUFFER": _push_new(lambda: Bulk(0)),
    "NONE": _push_new(lambda: None),
    "NEWTRUE": _push_new(lambda: True),
    "NEWFALSE": _push_new(lambda: False),
    "EMPTY_LIST": _push_new(list),
    "EMPTY_TUPLE": _push_new(tuple),
    "EMPTY_DICT": _push_new(dict),
    "EMPTY_SET": _push_new(list),
    "MARK": Machine.mark,
    "POP": Machine.discard,
    "POP_MARK": Machine.pop_mark,
    "DUP": lambda machine, _: machine.push(machine.top()),
    "APPEND": Machine.append,
    "APPENDS": lambda machine, _: machine.add_elements(machine.pop_mark()),
    "ADDITEMS": lambda machine, _: machine.add_elements(machine.pop_mark()),
    "SETITEM": Machine.set_item,
    "SETITEMS": lambda machine, _: machine.add_items(machine.pop_mark()),
    "LIST": lambda machine, _: machine.push(machine.pop_mark()),
    "FROZENSET": lambda machine, _: machine.push(machine.pop_mark()),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_mark())),
    "TUPLE1": _push_tuple(1),
    "TUPLE2": _push_tuple(2),
    "TUPLE3": _push_tuple(3),
    "DICT": Machine.make_dict,
    "PUT": Machine.put,
    "BINPUT": Machine.put,
    "LONG_BINPUT": Machine.put,
    "MEMOIZE": Machine.memoize,
    "GET": Machine.get,
    "BINGET": Machine.get,
    "LONG_BINGET": Machine.get,
    "GLOBAL": Machine.find,
    "STACK_GLOBAL": Machine.find_on_stack,
    "EXT1": Machine.find_extension,
    "EXT2": Machine.find_extension,
    "EXT4": Machine.find_extension,
    "REDUCE": Machine.call,
    "NEWOBJ": Machine.call,
    "NEWOBJ_EX": Machine.call_with_keywords,
    "INST": Machine.instance,
    "OBJ": Machine.construct,
    "BUILD": Machine.build,
    "PERSID": Machine.persistent,
    "BINPERSID": lambda machine, _: machine.persistent(machine.pop()),
}
