#!/usr/bin/env python3
"""The peer of `jevons bench tokenizer`: the Hugging Face `tokenizers` library on one thread, same pieces of text.

    jevons bench tokenizer TEXT MODEL_FOLDER --peer 'python3 tools/bench_tokenizers.py'

Called with MODEL_FOLDER TEXT; prints {"encode_bytes_per_second", "decode_bytes_per_second", "ids", "hash"}. The hash is
FNV-1a over the ids; both programs must agree on it. Time is processor time, which other load does not stretch. Needs the `tokenizers` package.
"""
import json
import os
import pathlib
import sys
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer  # noqa: E402

PIECE = 65536


def pieces(text):
    at = 0
    while at < len(text):
        line = text.find(b"\n", at + PIECE)
        end = len(text) if line < 0 else line + 1
        yield text[at:end].decode()
        at = end


def main():
    tokenizer = Tokenizer.from_file(str(pathlib.Path(sys.argv[1]) / "tokenizer.json"))
    text = pathlib.Path(sys.argv[2]).read_bytes()
    parts = list(pieces(text))
    start = time.process_time()
    ids = [tokenizer.encode(part, add_special_tokens=False).ids for part in parts]
    encoded = time.process_time()
    size = [tokenizer.decode(part, skip_special_tokens=False) for part in ids]
    decoded = time.process_time()
    value = 0xCBF29CE484222325
    for part in ids:
        for i in part:
            value = (value ^ i) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    print(json.dumps({"encode_bytes_per_second": len(text) / (encoded - start),
                      "decode_bytes_per_second": sum(len(s.encode()) for s in size) / (decoded - encoded),
                      "ids": sum(map(len, ids)), "hash": str(value)}))


main()
