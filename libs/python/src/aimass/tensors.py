"""Tensors by the binary tensor data extension of the Open Inference Protocol."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from aimass.errors import AimassError

_datatypes = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}
_datatype_of = {np.dtype(dtype): name for name, dtype in _datatypes.items()}


def infer_body(inputs: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a request: JSON, then the bytes of each tensor."""
    described, tails = [], []
    for name, value in inputs.items():
        array = np.asarray(value)
        datatype = _datatype(name, array)
        tail = _bytes_elements(array) if datatype == "BYTES" else np.ascontiguousarray(array).tobytes()
        tails.append(tail)
        described.append(
            {
                "name": name,
                "datatype": datatype,
                "shape": list(array.shape),
                "parameters": {"binary_data_size": len(tail)},
            }
        )
    head = json.dumps({"inputs": described, "parameters": {"binary_data_output": True}}).encode()
    headers = {
        "content-type": "application/octet-stream",
        "inference-header-content-length": str(len(head)),
    }
    return b"".join([head, *tails]), headers


def tensors_of(body: bytes, headers: Mapping[str, str]) -> dict[str, np.ndarray]:
    """The outputs of an answer by name."""
    length = int(headers.get("inference-header-content-length", len(body)))
    at = length
    tensors: dict[str, np.ndarray] = {}
    for output in json.loads(body[:length])["outputs"]:
        shape = [int(axis) for axis in output["shape"]]
        size = output.get("parameters", {}).get("binary_data_size")
        if size is None:
            dtype = _datatypes.get(output["datatype"], object)
            tensors[output["name"]] = np.array(output["data"], dtype).reshape(shape)
            continue
        tensors[output["name"]] = _array(output["datatype"], body[at : at + size]).reshape(shape)
        at += size
    return tensors


def _array(datatype: str, tail: bytes) -> np.ndarray:
    if datatype == "BYTES":
        return np.array(_texts(tail), dtype=object)
    if datatype == "BF16":
        return (np.frombuffer(tail, np.uint16).astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(tail, _datatypes[datatype])


def _datatype(name: str, array: np.ndarray) -> str:
    if array.dtype.kind in "SUO":
        return "BYTES"
    found = _datatype_of.get(array.dtype)
    if found is None:
        raise AimassError(
            "invalid_argument",
            f'Input "{name}" is of {array.dtype}, which no model takes.',
            remedy=f"Convert it to one of {', '.join(str(np.dtype(one)) for one in _datatypes.values())}, or texts.",
        )
    return found


def _bytes_elements(array: np.ndarray) -> bytes:
    """Each element with its length before it, as four bytes, little endian."""
    parts = []
    for element in array.ravel():
        data = element if isinstance(element, bytes) else str(element).encode()
        parts += [struct.pack("<I", len(data)), data]
    return b"".join(parts)


def _texts(tail: bytes) -> list[str | bytes]:
    found: list[str | bytes] = []
    at = 0
    while at < len(tail):
        (length,) = struct.unpack_from("<I", tail, at)
        data = tail[at + 4 : at + 4 + length]
        at += 4 + length
        try:
            found.append(data.decode())
        except UnicodeDecodeError:
            found.append(data)
    return found
