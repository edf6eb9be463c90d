"""The calls by which torch, numpy and joblib rebuild their arrays, read instead of made."""

from __future__ import annotations

import math
from collections.abc import Callable

from runctl.store.formats.dtypes import SIZES_BYTES, TORCH_STORAGES, decode_scalar, numpy_dtype
from runctl.store.formats.inert import Dtype, Global, Inert, Storage, Tensor, real

DIMENSIONS_LIMIT = 64
COUNT_LIMIT = 1 << 62
NUMPY_CORES = ("numpy.core", "numpy._core")
JOBLIB_WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")

Args = tuple[object, ...]


def meaning_of_call(target: object, args: Args) -> object:
    """What a call would give (a tensor, a number, a container), or None where that is unknown."""
    if not isinstance(target, Global):
        return None
    rebuild = _CALLS.get((target.module, target.name))
    if rebuild is None:
        return None
    try:
        return rebuild(tuple(real(each) for each in args))
    except (TypeError, ValueError, IndexError):
        return None


def apply_state(subject: object, state: object) -> None:
    """Give an inert value the state that the pickle would set on it."""
    if isinstance(subject, Dtype):
        if isinstance(state, tuple) and len(state) > 1:
            subject.is_big_endian = state[1] == ">"
            subject.has_objects |= _has_reference_flag(state)
    elif isinstance(subject, Inert):
        subject.state = state
        if _is_array(subject.target):
            subject.meaning = _array_of_state(state)


def storage_of(persistent_id: object) -> Storage | None:
    """The storage that torch's persistent id names: ("storage", type, key, place, count)."""
    if not isinstance(persistent_id, tuple) or len(persistent_id) < 5:
        return None
    kind, typed, key, _, count = persistent_id[:5]
    if kind != "storage" or not isinstance(typed, Global) or not isinstance(key, str):
        return None
    if not isinstance(count, int) or not 0 <= count < COUNT_LIMIT:
        return None
    name = TORCH_STORAGES.get(typed.name, typed.name)
    return Storage(key, Dtype(name, SIZES_BYTES.get(name)), count)


def shape_of(value: object) -> tuple[int, ...]:
    """A plausible shape; ValueError for anything else."""
    if isinstance(value, int):
        value = (value,)
    if not isinstance(value, tuple | list) or len(value) > DIMENSIONS_LIMIT:
        raise ValueError("not a shape")
    if not all(isinstance(each, int) and 0 <= each < COUNT_LIMIT for each in value):
        raise ValueError("not a shape")
    return tuple(int(each) for each in value)


def is_joblib_array(value: object) -> bool:
    """Whether this object is followed, in the file, by the bytes of an array."""
    target = value.target if isinstance(value, Inert) else None
    return isinstance(target, Global) and (target.module, target.name) == JOBLIB_WRAPPER


def array_of(dtype: object, shape: object, data: object = None) -> Tensor | None:
    """A numpy array of this type and shape, with its value when it has but one element."""
    dtype = real(dtype)
    if not isinstance(dtype, Dtype):
        return None
    try:
        tensor = Tensor(dtype, shape_of(shape))
    except ValueError:
        return None
    if isinstance(data, bytes) and math.prod(tensor.shape) == 1:
        tensor.value = element_of(tensor, data)
    return tensor


def element_of(tensor: Tensor, data: bytes) -> int | float | None:
    """The first element, from the bytes of the array."""
    return decode_scalar(tensor.dtype.name, data, big_endian=tensor.dtype.is_big_endian)


def _has_reference_flag(state: Args) -> bool:
    """numpy's NPY_ITEM_HASOBJECT, the lowest bit of the flags at the end of a dtype's state."""
    return len(state) > 7 and isinstance(state[7], int) and bool(state[7] & 1)


def _tensor_v2(args: Args) -> object:
    storage, offset, size = args[:3]
    if not isinstance(storage, Storage) or not isinstance(offset, int):
        return None
    tensor = Tensor(storage.dtype, shape_of(size))
    tensor.storage, tensor.offset = storage, offset
    return tensor


def _tensor_v3(args: Args) -> object:
    tensor = _tensor_v2(args)
    if isinstance(tensor, Tensor):
        tensor.dtype = _torch_dtype(args[6])
    return tensor


def _meta_tensor(args: Args) -> object:
    return Tensor(_torch_dtype(args[0]), shape_of(args[1]))


def _torch_dtype(value: object) -> Dtype:
    name = value.name if isinstance(value, Global) else "unknown"
    return Dtype(name, SIZES_BYTES.get(name))


def _first(args: Args) -> object:
    return args[0]


def _wrapped(args: Args) -> object:
    inner = args[2]
    return meaning_of_call(args[0], inner) if isinstance(inner, tuple) else None


def _empty_dict(args: Args) -> object:
    return {} if not args or isinstance(args[0], Global) else None


def _numpy_dtype(args: Args) -> object:
    code = args[0]
    known = numpy_dtype(code) if isinstance(code, str) else None
    return Dtype(*known) if known else Dtype("unknown", None)


def _numpy_scalar(args: Args) -> object:
    dtype, data = args
    if not isinstance(dtype, Dtype) or not isinstance(data, bytes):
        return None
    return decode_scalar(dtype.name, data, big_endian=dtype.is_big_endian)


def _numpy_buffer(args: Args) -> object:
    data, dtype, shape = args[:3]
    return array_of(dtype, shape, data)


def _latin_bytes(args: Args) -> object:
    text, encoding = args
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        return None
    return text.encode("latin-1")


def _array_of_state(state: object) -> Tensor | None:
    if not isinstance(state, tuple) or len(state) != 5:
        return None
    return array_of(state[2], state[1], real(state[4]))


def _is_array(target: object) -> bool:
    if not isinstance(target, Global):
        return False
    return target.name == "_reconstruct" and target.module in _core("multiarray")


def _core(module: str) -> tuple[str, ...]:
    return tuple(f"{core}.{module}" for core in NUMPY_CORES)


_CALLS: dict[tuple[str, str], Callable[[Args], object]] = {
    ("torch._utils", "_rebuild_tensor"): _tensor_v2,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor_v2,
    ("torch._utils", "_rebuild_tensor_v3"): _tensor_v3,
    ("torch._utils", "_rebuild_qtensor"): _tensor_v2,
    ("torch._utils", "_rebuild_parameter"): _first,
    ("torch._utils", "_rebuild_parameter_with_state"): _first,
    ("torch._utils", "_rebuild_meta_tensor_no_storage"): _meta_tensor,
    ("torch._tensor", "_rebuild_from_type_v2"): _wrapped,
    ("torch", "Size"): _first,
    ("collections", "OrderedDict"): _empty_dict,
    ("collections", "defaultdict"): _empty_dict,
    ("builtins", "dict"): _empty_dict,
    ("numpy", "dtype"): _numpy_dtype,
    ("_codecs", "encode"): _latin_bytes,
}
_CALLS |= {(module, "scalar"): _numpy_scalar for module in _core("multiarray")}
_CALLS |= {(module, "_frombuffer"): _numpy_buffer for module in _core("numeric")}
