#!/usr/bin/env python3
"""Random blocks of every quantised type and the numbers the `gguf` Python package reads from them.

Usage: make.py (needs gguf and numpy; made with gguf's own dequantiser, independent of this project).
Writes TYPE.bin beside this file: three blocks of k-quants or six of the others, then their values as float32.
"""
import pathlib

import gguf
import numpy as np

TYPES = "Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS".split()
# Byte offsets of the f16 fields of a block: random bytes there could be infinite or NaN.
HALVES = {"Q4_1": (0, 2), "Q5_1": (0, 2), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q2_K": (80, 82), "Q3_K": (108,), "Q6_K": (208,)}

here = pathlib.Path(__file__).parent
random = np.random.default_rng(7)
for name in TYPES:
    kind = gguf.GGMLQuantizationType[name]
    values, size = gguf.GGML_QUANT_SIZES[kind]
    count = 3 if values == 256 else 6
    blocks = random.integers(0, 256, (count, size), dtype=np.uint8)
    for offset in HALVES.get(name, (0,)):
        half = (random.standard_normal(count) * 10.0 ** random.uniform(-6, 2, count)).astype(np.float16)
        blocks[:, offset:offset + 2] = half.view(np.uint8).reshape(count, 2)
    expected = gguf.quants.dequantize(blocks.reshape(-1), kind)
    assert np.isfinite(expected).all()
    (here / f"{name.lower()}.bin").write_bytes(blocks.tobytes() + expected.astype("<f4").tobytes())
