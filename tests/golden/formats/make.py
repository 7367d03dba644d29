"""Tiny files with every element and metadata type, written by the formats' own Python packages, and what they hold.

Python with numpy, torch, safetensors and gguf. Writes beside itself: types.safetensors, types_v3.gguf, types_v2.gguf, expected.json.
"""

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import save

HERE = Path(__file__).parent
TORCH = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2, "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8,
    "U16": torch.uint16, "U32": torch.uint32, "U64": torch.uint64, "BOOL": torch.bool,
}  # fmt: skip


def raw(tensor):
    return tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes().hex() if tensor.numel() else ""


def make_safetensors():
    tensors = {f"t.{name}": torch.arange(6).reshape(2, 3).to(dtype) for name, dtype in TORCH.items()}
    tensors["scalar"] = torch.tensor(2.5)
    tensors["empty"] = torch.zeros(0, 4)
    names = {dtype: name for name, dtype in TORCH.items()}
    (HERE / "types.safetensors").write_bytes(save(tensors, metadata={"format": "pt", "note": "ünïcode"}))
    return {n: {"dtype": names[t.dtype], "shape": list(t.shape), "bytes": raw(t)} for n, t in tensors.items()}


def make_gguf():
    path = HERE / "types_v3.gguf"
    w = gguf.GGUFWriter(path, "test")
    w.add_custom_alignment(64)
    for name, value in {"uint8": 255, "int8": -128, "uint16": 65535, "int16": -32768, "uint32": 2**32 - 1, "int32": -(2**31),
                        "uint64": 2**64 - 1, "int64": -(2**63), "float32": 0.5, "float64": 0.1, "bool": True, "string": "ünïcode"}.items():  # fmt: skip
        getattr(w, f"add_{name}")(f"k.{name}", value)
    w.add_array("k.strings", ["", "a", "ünï"])
    w.add_array("k.ints", [1, -2, 3])
    w.add_array("k.floats", [0.5, -1.5])
    w.add_array("k.bools", [True, False])
    rng = np.random.default_rng(1)
    tensors = {
        "f32": (rng.standard_normal((2, 3)).astype(np.float32), None),
        "f16": (rng.standard_normal((3, 1, 2)).astype(np.float16), None),
        "i32": (np.arange(5, dtype=np.int32), None),
        "q8_0": (gguf.quants.quantize(rng.standard_normal((2, 64)).astype(np.float32), gguf.GGMLQuantizationType.Q8_0), gguf.GGMLQuantizationType.Q8_0),
    }  # fmt: skip
    for name, (x, kind) in tensors.items():
        w.add_tensor(name, x, raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    data = path.read_bytes()
    (HERE / "types_v2.gguf").write_bytes(data[:4] + (2).to_bytes(4, "little") + data[8:])
    shapes = {"q8_0": [2, 64]}
    return {n: {"dtype": n, "shape": shapes.get(n, list(x.shape)), "bytes": x.tobytes().hex()} for n, (x, _) in tensors.items()}


if __name__ == "__main__":
    expected = {"safetensors": make_safetensors(), "gguf": make_gguf()}
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
