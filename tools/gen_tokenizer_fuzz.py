#!/usr/bin/env python3
"""Writes seeds for the fuzz target tokenizer_json: small tokenizers with every setting, each with a text behind a zero byte.

usage: tools/gen_tokenizer_fuzz.py [OUTDIR]
"""
import json
import pathlib
import sys

from gen_tokenizer_golden import LLAMA3, DIGITS, added, byte_level, sequence, shell, split

VOCAB = {t: i for i, t in enumerate([*"abcdes'1 ".replace(" ", "Ġ"), "ab", "abc", "bc", "Ġa", "Ċ", "Ã", "©", "Ã©"])}
MERGES = ["a b", "ab c", "b c", "Ġ a", "Ã ©"]
TEXT = "ab abc's  é\n<x> a1\xa0bc".encode() + b"\xff\xe2\x82<x>"


def main():
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/fuzz/tokenizer_json")
    out.mkdir(parents=True, exist_ok=True)
    v3 = [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
          r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^" "\r\n" r"\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[" "\r\n]*" r"|\s*[" "\r\n" r"]+|\s+(?!\S)|\s+"]
    pres = [byte_level(regex=True), byte_level(True, True), sequence(DIGITS, byte_level(regex=True)), sequence(split(LLAMA3), byte_level()),
            sequence(*map(split, v3), byte_level()), sequence(split(r"\s?\p{L}+|(?=1)", "MergedWithNext", True), byte_level()),
            sequence(split("a", "Removed", kind="String"), {"type": "Punctuation", "behavior": "Contiguous"}, byte_level()),
            sequence({"type": "Whitespace"}, byte_level()), sequence({"type": "WhitespaceSplit"}, byte_level(True))]
    template = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<x>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "special_tokens": {"<x>": {"id": "<x>", "ids": [20], "tokens": ["<x>"]}}}
    for i, pre in enumerate(pres):
        full = shell(pre, {"type": ["NFC", "NFD"][i % 2]} if i % 3 else None, template if i % 2 else byte_level(), ignore_merges=i == 3)
        full["model"].update(vocab=VOCAB, merges=[m.split() for m in MERGES] if i % 2 else MERGES)
        full["added_tokens"] = added(["<x>"], 20, lstrip=i % 2 == 1, rstrip=i % 3 == 1, normalized=i % 4 == 1) + added(["bc", "  "], 21, single_word=True, special=False)
        (out / f"seed{i}").write_bytes(json.dumps(full, ensure_ascii=False, separators=(",", ":")).encode() + b"\0" + TEXT)


if __name__ == "__main__":
    main()
