"""Element types by the names that torch, numpy and safetensors give them."""

from __future__ import annotations

import struct

SIZES_BYTES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2,
    "int64": 8, "int32": 4, "int16": 2, "int8": 1,
    "uint64": 8, "uint32": 4, "uint16": 2, "uint8": 1, "bool": 1,
    "complex32": 4, "complex64": 8, "complex128": 16,
    "qint32": 4, "qint8": 1, "quint8": 1, "quint4x2": 1, "quint2x4": 1,
    "float8_e4m3fn": 1, "float8_e5m2": 1, "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1,
    "float8_e8m0fnu": 1, "float4_e2m1fn_x2": 1,
}  # fmt: skip

TORCH_STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16", "LongStorage": "int64", "IntStorage": "int32",
    "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8",
    "BoolStorage": "bool", "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128", "QInt32Storage": "qint32", "QInt8Storage": "qint8",
    "QUInt8Storage": "quint8", "QUInt4x2Storage": "quint4x2", "QUInt2x4Storage": "quint2x4",
    "UntypedStorage": "uint8",
}  # fmt: skip

# Bits, since safetensors packs types narrower than a byte.
SAFETENSORS = {
    "F64": ("float64", 64), "F32": ("float32", 32), "F16": ("float16", 16),
    "BF16": ("bfloat16", 16), "I64": ("int64", 64), "I32": ("int32", 32), "I16": ("int16", 16),
    "I8": ("int8", 8), "U64": ("uint64", 64), "U32": ("uint32", 32), "U16": ("uint16", 16),
    "U8": ("uint8", 8), "BOOL": ("bool", 8), "C64": ("complex64", 64),
    "F8_E4M3": ("float8_e4m3fn", 8), "F8_E5M2": ("float8_e5m2", 8),
    "F8_E4M3FNUZ": ("float8_e4m3fnuz", 8), "F8_E5M2FNUZ": ("float8_e5m2fnuz", 8),
    "F8_E8M0": ("float8_e8m0fnu", 8), "F6_E2M3": ("float6_e2m3fn", 6),
    "F6_E3M2": ("float6_e3m2fn", 6), "F4": ("float4_e2m1fn", 4),
}  # fmt: skip

_STRUCT_CODES = {
    "float64": "d", "float32": "f", "float16": "e", "int64": "q", "int32": "i", "int16": "h",
    "int8": "b", "uint64": "Q", "uint32": "I", "uint16": "H", "uint8": "B", "bool": "?",
}  # fmt: skip

_NUMPY_KINDS = {"f": "float", "i": "int", "u": "uint", "c": "complex"}
_NUMPY_OTHERS = {"U": "str", "S": "bytes", "a": "bytes", "V": "void", "O": "object", "M": "datetime64", "m": "timedelta64"}  # fmt: skip  # noqa: E501


def numpy_dtype(code: str) -> tuple[str, int] | None:
    """Name and element size of a numpy type code such as ``f8``, or None for an odd one."""
    kind, digits = code[:1], code[1:].split("[", maxsplit=1)[0]
    if code == "?":
        return "bool", 1
    if not digits.isascii() or not digits.isdigit() or len(digits) > 9:
        return ("object", 8) if code == "O" else None
    size = int(digits)
    if kind == "b" and size == 1:
        return "bool", 1
    if kind in _NUMPY_KINDS:
        return f"{_NUMPY_KINDS[kind]}{8 * size}", size
    if kind in _NUMPY_OTHERS:
        return _NUMPY_OTHERS[kind], 4 * size if kind == "U" else size
    return None


def decode_scalar(dtype: str, data: bytes, *, big_endian: bool = False) -> int | float | None:
    """The first element of ``data`` as a number, or None where it is none."""
    size, order = SIZES_BYTES.get(dtype, 0), ">" if big_endian else "<"
    if not size or len(data) < size:
        return None
    if dtype == "bfloat16":
        value: float = struct.unpack("<f", b"\x00\x00" + data[:2])[0]
        return value
    code = _STRUCT_CODES.get(dtype)
    if code is None:
        return None
    number: int | float = struct.unpack(order + code, data[:size])[0]
    return number
