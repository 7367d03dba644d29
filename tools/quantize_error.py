#!/usr/bin/env python3
"""Relative root mean square error of quantised GGUFs against their source, by type, and where their types differ.

Usage: quantize_error.py SOURCE.gguf FILE.gguf...   (needs the gguf package)
"""
import sys

import gguf
import numpy as np


def tensors(path):
    return {t.name: t for t in gguf.GGUFReader(path).tensors if len(t.shape) > 1}


def numbers(t):
    return gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float64).ravel()


source = tensors(sys.argv[1])
types = []
for path in sys.argv[2:]:
    try:
        found = tensors(path)
    except ValueError as unknown:  # types that only the peer knows
        print(f"{path}: {unknown}")
        continue
    sums = {}
    for name, t in found.items():
        a, b = numbers(source[name]), numbers(t)
        entry = sums.setdefault(t.tensor_type.name, [0.0, 0.0, 0])
        entry[0] += ((a - b) ** 2).sum()
        entry[1] += (a * a).sum()
        entry[2] += 1
    print(path, {k: f"{100 * (e / s) ** 0.5:.5f} % of {n}" for k, (e, s, n) in sums.items()})
    types.append({n: t.tensor_type.name for n, t in found.items()})
if len(types) == 2:
    print("types differ:", {n: (types[0][n], types[1].get(n)) for n in types[0] if types[0][n] != types[1].get(n)})
