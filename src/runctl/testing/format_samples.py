"""Writers of small genuine checkpoints, by hand: no torch, numpy or safetensors needed.

Each writer stores the same training state, in the layout that the real library writes.
"""

from __future__ import annotations

import io
import json
import math
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

STEP, EPOCH, LOSS = 1200, 3, 0.125
WEIGHTS = {"weight": ("float32", (64, 8)), "bias": ("float32", (8,))}
PARAMETERS = sum(math.prod(shape) for _, shape in WEIGHTS.values())
TORCH_MAGIC = 0x1950A86A20F9469CFC6C
_ITEM_BYTES = 4

Shaped = tuple[str, tuple[int, ...]]


class Ref:
    """A name that a pickle asks for."""

    def __init__(self, module: str, name: str) -> None:
        self.line = f"c{module}\n{name}\n".encode()


class Call:
    """A call that a pickle makes; with ``state``, that state is set on the result."""

    def __init__(self, target: Ref, *args: object, state: object = None) -> None:
        self.target = target
        self.args = args
        self.state = state


class Persistent:
    """An object that lies outside of the pickle, by its identity."""

    def __init__(self, *identity: object) -> None:
        self.identity = identity


def pickled(value: object) -> bytes:
    """A protocol-2 pickle of plain values, Ref, Call and Persistent."""
    return b"\x80\x02" + _encode(value) + b"."


def _encode(value: object) -> bytes:
    match value:
        case None | bool():
            return {None: b"N", True: b"\x88", False: b"\x89"}[value]
        case int():
            return _encode_int(value)
        case float():
            return b"G" + struct.pack(">d", value)
        case str():
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        case bytes():
            return b"B" + struct.pack("<I", len(value)) + value
        case _:
            return _encode_compound(value)


def _encode_int(value: int) -> bytes:
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    long = (
        b"\x8a" + bytes([len(data)]) if len(data) < 256 else b"\x8b" + struct.pack("<i", len(data))
    )
    return long + data


def _encode_compound(value: object) -> bytes:
    match value:
        case dict():
            pairs = (_encode(key) + _encode(each) for key, each in value.items())
            return b"}(" + b"".join(pairs) + b"u"
        case list():
            return b"](" + b"".join(map(_encode, value)) + b"e"
        case tuple():
            return b"(" + b"".join(map(_encode, value)) + b"t"
        case Ref():
            return value.line
        case Persistent():
            return _encode(value.identity) + b"Q"
        case Call():
            state = b"" if value.state is None else _encode(value.state) + b"b"
            return value.target.line + _encode(value.args) + b"R" + state
    raise TypeError(f"cannot pickle {value!r}")


def hostile(command: str) -> Call:
    """A value that runs a shell command when it is unpickled."""
    return Call(Ref("posix", "system"), command)


def raw_bytes(shape: tuple[int, ...]) -> bytes:
    """Deterministic float32 content of an array."""
    count = math.prod(shape)
    return struct.pack(f"<{count}f", *(index / 8 for index in range(count)))


def torch_tensor(
    key: str, shape: tuple[int, ...], *, count: int | None = None, is_legacy: bool = False
) -> Call:
    """A float32 tensor as torch pickles it, its bytes in storage ``key``.

    Legacy files name a storage with one field more: what it is a view of, which is nothing.
    """
    count = math.prod(shape) if count is None else count
    view = (None,) if is_legacy else ()
    storage = Persistent("storage", Ref("torch", "FloatStorage"), key, "cpu", count, *view)
    stride = tuple(math.prod(shape[index + 1 :]) for index in range(len(shape)))
    hooks = Call(Ref("collections", "OrderedDict"))
    rebuild, needs_gradient = Ref("torch._utils", "_rebuild_tensor_v2"), False
    return Call(rebuild, storage, 0, shape, stride, needs_gradient, hooks)


def torch_state(*, is_legacy: bool = False) -> dict[str, object]:
    """A training state with a model and an optimizer, on storages "0" to "2"."""
    shapes = {name: shape for name, (_, shape) in WEIGHTS.items()}
    model = {
        name: torch_tensor(str(key), shape, is_legacy=is_legacy)
        for key, (name, shape) in enumerate(shapes.items())
    }
    moment = torch_tensor("2", shapes["bias"], is_legacy=is_legacy)
    optimizer = {"state": {0: {"exp_avg": moment}}, "param_groups": [{"lr": 0.1}]}
    progress = {"global_step": STEP, "epoch": EPOCH, "loss": LOSS}
    return {**progress, "model": model, "optimizer": optimizer}


def torch_storages() -> dict[str, bytes]:
    """The bytes of the storages that ``torch_state`` names."""
    shapes = [shape for _, shape in WEIGHTS.values()]
    return {str(key): raw_bytes(shape) for key, shape in enumerate([*shapes, shapes[-1]])}


def write_torch_zip(path: Path, state: object, storages: Mapping[str, bytes]) -> None:
    """A file as torch.save writes it since 1.6."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{path.stem}/data.pkl", pickled(state))
        archive.writestr(f"{path.stem}/byteorder", b"little")
        for key, data in storages.items():
            archive.writestr(f"{path.stem}/data/{key}", data)
        archive.writestr(f"{path.stem}/version", b"3\n")


def write_torch_legacy(path: Path, state: object, storages: Mapping[str, bytes]) -> None:
    """A file as torch.save wrote it before 1.6; storages are float32."""
    sizes = {"short": 2, "int": 4, "long": 4}
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": sizes}
    with path.open("wb") as file:
        for value in (TORCH_MAGIC, 1001, system, state, list(storages)):
            file.write(pickled(value))
        for data in storages.values():
            file.write(struct.pack("<q", len(data) // _ITEM_BYTES) + data)


def write_torch_tar(path: Path, state: object) -> None:
    """A file as torch.save wrote it before 0.2: a tar of pickles."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, value in (("storages", 0), ("tensors", 0), ("pickle", state)):
            data = pickled(value)
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def safetensors_header(tensors: Mapping[str, Shaped], metadata: Mapping[str, str]) -> bytes:
    """The length and the header of a safetensors file of float32 tensors."""
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    offset = 0
    for name, (_, shape) in tensors.items():
        end = offset + math.prod(shape) * _ITEM_BYTES
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def write_safetensors(path: Path, tensors: Mapping[str, Shaped], **metadata: object) -> None:
    """A safetensors file of float32 tensors."""
    texts = {key: str(value) for key, value in metadata.items()}
    data = b"".join(raw_bytes(shape) for _, shape in tensors.values())
    path.write_bytes(safetensors_header(tensors, texts) + data)


def npy_header(descr: str, shape: tuple[int, ...]) -> bytes:
    """The magic and the header of a .npy file."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape!r}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def npy_bytes(shape: tuple[int, ...]) -> bytes:
    """A .npy file of float32."""
    return npy_header("<f4", shape) + raw_bytes(shape)


def write_npz(path: Path, *, is_compressed: bool = False) -> None:
    """A file as np.savez writes it, of the known weights and progress."""
    method = zipfile.ZIP_DEFLATED if is_compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, (_, shape) in WEIGHTS.items():
            archive.writestr(f"{name}.npy", npy_bytes(shape))
        archive.writestr("step.npy", npy_header("<i8", ()) + struct.pack("<q", STEP))
        archive.writestr("epoch.npy", npy_header("<i8", ()) + struct.pack("<q", EPOCH))
        archive.writestr("loss.npy", npy_header("<f8", ()) + struct.pack("<d", LOSS))


def numpy_array(shape: tuple[int, ...]) -> Call:
    """A float32 array as pickle stores it."""
    dtype = Call(Ref("numpy", "dtype"), "f4", state=(3, "<", None, None, None, -1, -1, 0))
    empty = (Ref("numpy", "ndarray"), (0,), b"b")
    state = (1, shape, dtype, False, raw_bytes(shape))
    return Call(Ref("numpy._core.multiarray", "_reconstruct"), *empty, state=state)


def pickle_state() -> dict[str, object]:
    """A training state with numpy arrays."""
    arrays = {name: numpy_array(shape) for name, (_, shape) in WEIGHTS.items()}
    return {"step": STEP, "epoch": EPOCH, "loss": LOSS, **arrays}


def write_folder(folder: Path, *, shards: int = 2) -> Path:
    """A folder as Hugging Face's Trainer writes it, weights in shards with an index."""
    path = folder / f"checkpoint-{STEP}"
    path.mkdir()
    names = [f"model-{index + 1:05}-of-{shards:05}.safetensors" for index in range(shards)]
    for name, (key, shaped) in zip(names, WEIGHTS.items(), strict=True):
        write_safetensors(path / name, {key: shaped}, format="pt")
    weight_map = dict(zip(WEIGHTS, names, strict=True))
    history = [{"step": STEP - 1, "loss": 9.0}, {"step": STEP, "loss": LOSS, "eval_f1": 0.5}]
    state = {"global_step": STEP, "epoch": float(EPOCH), "log_history": history}
    index = {"metadata": {"total_size": PARAMETERS * _ITEM_BYTES}, "weight_map": weight_map}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    (path / "config.json").write_text(json.dumps({"model_type": "sample"}))
    (path / "trainer_state.json").write_text(json.dumps(state))
    write_torch_zip(path / "optimizer.pt", torch_state(), torch_storages())
    return path


def large_state(parameters: int, *, is_legacy: bool = False) -> dict[str, object]:
    """A training state whose one tensor is of this many float32."""
    return {
        "step": STEP,
        "model": {"weight": torch_tensor("0", (parameters,), is_legacy=is_legacy)},
    }


def write_sparse_zip(path: Path, small: Mapping[str, bytes], name: str, size_bytes: int) -> None:
    """A zip64 archive whose last member is a hole of ``size_bytes``, its CRC not given."""
    offsets: list[tuple[str, bytes, int, int]] = []
    with path.open("wb") as file:
        for each, data in small.items():
            offsets.append((each, data, len(data), file.tell()))
            file.write(_local_header(each, data, len(data)) + data)
        offsets.append((name, b"", size_bytes, file.tell()))
        file.write(_local_header(name, b"", size_bytes))
        start = file.seek(size_bytes, io.SEEK_CUR)
        for entry in offsets:
            file.write(_central_header(*entry))
        file.write(_end_records(len(offsets), start, file.tell()))


def _local_header(name: str, data: bytes, size_bytes: int) -> bytes:
    wide = struct.pack("<HHQQ", 1, 16, size_bytes, size_bytes)
    lengths = (0xFFFFFFFF, 0xFFFFFFFF, len(name), len(wide))
    fields = (b"PK\3\4", 45, 0, 0, 0, 0, zlib.crc32(data), *lengths)
    return struct.pack("<4s5H3L2H", *fields) + name.encode() + wide


def _central_header(name: str, data: bytes, size_bytes: int, offset: int) -> bytes:
    wide = struct.pack("<HHQQQ", 1, 24, size_bytes, size_bytes, offset)
    lengths = (0xFFFFFFFF, 0xFFFFFFFF, len(name), len(wide))
    fields = (b"PK\1\2", 45, 45, 0, 0, 0, 0, zlib.crc32(data), *lengths, 0, 0, 0, 0, 0xFFFFFFFF)
    return struct.pack("<4s6H3L5H2L", *fields) + name.encode() + wide


def _end_records(count: int, start: int, end: int) -> bytes:
    wide = (b"PK\6\6", 44, 45, 45, 0, 0, count, count, end - start, start)
    record = struct.pack("<4sQ2H2L4Q", *wide)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    return (
        record
        + locator
        + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, -1 % 2**32, -1 % 2**32, 0)
    )


def write_sparse_pickle(path: Path, parameters: int) -> None:
    """A pickle of one float32 array of this many elements, its bytes a hole."""
    mark = b"where the array goes"
    dtype = Call(Ref("numpy", "dtype"), "f4", state=(3, "<", None, None, None, -1, -1, 0))
    array = Call(
        Ref("numpy._core.multiarray", "_reconstruct"),
        *(Ref("numpy", "ndarray"), (0,), b"b"),
        state=(1, (parameters,), dtype, False, mark),
    )
    head, tail = pickled({"step": STEP, "w": array}).split(_encode(mark))
    with path.open("wb") as file:
        file.write(head + b"\x8e" + struct.pack("<Q", parameters * _ITEM_BYTES))
        file.seek(parameters * _ITEM_BYTES, io.SEEK_CUR)
        file.write(tail)


def extend_sparsely(path: Path, head: bytes, size_bytes: int) -> Path:
    """A file that begins with ``head`` and goes on as a hole of ``size_bytes``."""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + size_bytes)
    return path
