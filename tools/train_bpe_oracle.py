#!/usr/bin/env python3
"""Trains a tokenizer with the Hugging Face `tokenizers` library as `jevons tokenizer train` is defined (docs/tokens.md)
and holds the result against what jevons made.

usage: tools/train_bpe_oracle.py compare DIR TEXT...   merges and vocabulary of DIR, bytes per token, seconds; exit code 1
                                                       if they differ
       tools/train_bpe_oracle.py ids JEVONS DIR        the ids of many strings: JEVONS tokenize DIR against the library
       tools/train_bpe_oracle.py fixture OUT.json      the fixture of src/text/tokenizer_train_test.cc

TEXT: UTF-8 or .zst (needs the zstd program). Python packages: tokenizers; for `ids` also transformers.
"""
import json
import pathlib
import random
import subprocess
import sys
import time

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

USUAL = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>", "<｜User｜>", "<｜Assistant｜>", "<think>",
         "</think>"]
DOCUMENT_END = "<|endoftext|>"
PATTERNS = [r"\p{N}", "[一-龥\u3040-ゟ゠-ヿ]+",
            r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
            r"""| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""]


def pieces(text, cuts):
    """The text between the places of the given strings."""
    parts = [text]
    for cut in cuts:
        parts = [piece for part in parts for piece in part.split(cut)]
    return [part for part in parts if part]


def train(texts, vocab, special=(), min_count=2):
    """(merges, vocab by id, processor seconds, tokenizer) of the library's trainer; digits are split one by one."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(p), "isolated") for p in PATTERNS]
        + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    trainer = trainers.BpeTrainer(vocab_size=vocab, min_frequency=min_count, show_progress=False,
                                  special_tokens=[*USUAL, *special],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    parts = [piece for text in texts for piece in pieces(text, [*USUAL, *special, DOCUMENT_END])]
    start = time.process_time()
    tokenizer.train_from_iterator(parts, trainer)
    seconds = time.process_time() - start
    model = json.loads(tokenizer.to_str())["model"]
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    return merges, sorted(model["vocab"], key=model["vocab"].get), seconds, tokenizer


def read(path):
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout.decode()
    return pathlib.Path(path).read_text()


def compare(folder, paths):
    ours = json.loads((pathlib.Path(folder) / "tokenizer.json").read_text())
    ours_vocab = sorted(ours["model"]["vocab"], key=ours["model"]["vocab"].get)
    special = [t["content"] for t in ours["added_tokens"]][len(USUAL):]
    texts = [read(p) for p in paths]
    merges, vocab, seconds, library = train(texts, len(ours_vocab), special)
    same = sum(a == b for a, b in zip(merges, ours["model"]["merges"]))
    print(f"library: {len(merges)} merges in {seconds:.1f} s of processor time; the same at the same place: {same}")
    equal = merges == ours["model"]["merges"] and vocab == ours_vocab
    mine = Tokenizer.from_str(json.dumps(ours))
    sample = [piece for text in texts for piece in pieces(text, [DOCUMENT_END])][:40]
    size = sum(len(s.encode()) for s in sample)
    for name, tokenizer in (("jevons", mine), ("library", library)):
        count = sum(len(tokenizer.encode(s, add_special_tokens=False).ids) for s in sample)
        print(f"{name}: {size / count:.4f} bytes per token on {size} bytes")
    print("equal" if equal else "NOT EQUAL")
    return 0 if equal else 1


def strings():
    rng = random.Random(7)
    out = ["", " ", "Hello world", "1234567890 3.14 007", "x²½٣ 12½", "don't DON'T", "a\n\n b\r\n", "<think>so</think> it is",
           "<｜User｜>hi<｜Assistant｜>", "你好，世界。日本語", "naïve café", "👍🏽 ok", "\t\tif (x) {\n\t\t\treturn;\n}", "\u0000\u0001",
           "<|endoftext|>", "e\u0301", "'s 're", "-----", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]
    alphabet = "abcdefgh ABC.,'\"-!?\n\t 0123é中。½ "
    out += ["".join(rng.choice(alphabet) for _ in range(rng.randrange(1, 60))) for _ in range(2000)]
    words = "the and of little princess railway said not could whispering O'Brien's 1906 twenty-three Mr. Toad".split()
    out += [" ".join(rng.choice(words) for _ in range(rng.randrange(1, 30))) for _ in range(1000)]
    out += ["".join(chr(rng.choice([rng.randrange(32, 0x3000), rng.randrange(0xa000, 0xd7ff), rng.randrange(0x1f300, 0x1faff)]))
                    for _ in range(20)) for _ in range(1000)]
    return out


def ids(jevons, folder):
    from transformers import AutoTokenizer
    texts = strings()
    run = subprocess.run([jevons, "tokenize", folder, "--jsonl"], input="\n".join(map(json.dumps, texts)) + "\n",
                         stdout=subprocess.PIPE, text=True, check=True)
    ours = [json.loads(line) for line in run.stdout.splitlines()]
    tokenizer = Tokenizer.from_file(str(pathlib.Path(folder) / "tokenizer.json"))
    theirs = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
    auto = AutoTokenizer.from_pretrained(folder)
    wrong = sum(a != b for a, b in zip(ours, theirs)) + abs(len(ours) - len(theirs))
    wrong_auto = sum(a != auto.encode(t, add_special_tokens=False) for a, t in zip(ours, texts))
    chat = auto.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True)
    back = sum(auto.decode(a) != t for a, t in zip(ours, texts))
    print(f"{len(texts)} strings: {wrong} differ from tokenizers, {wrong_auto} from transformers, {back} do not come back; "
          f"bos in front: {auto.encode('a')[0] == auto.bos_token_id}; chat: {chat}")
    return 1 if wrong or wrong_auto or len(ours) != len(texts) else 0


def fixture(path):
    """Small texts in which every tie rule and counting rule matters, with the library's merges."""
    rng = random.Random(3)
    syllables = ["ba", "na", "an", "aa", "the", " the", "ing", ". ", "é", "中", "\n", " ", "1", "22", "½", "aaa", "--", "'s", "ab"]
    cases = []
    for text, vocab, special in [
            ("banana bandana, an anagram of banana\n" * 3 + "aaaa aaa aa a aaaaa\n" + "<|endoftext|>\nab ba abba<think>abab</think>", 330, []),
            ("".join(rng.choice(syllables) for _ in range(4000)), 420, []),
            ("".join(rng.choice("ab \n") for _ in range(3000)), 400, ["<x>"]),
            ("1234 1234 1234 99 99 12 12", 300, []),
            ("tool <|tool|> tool <|tool|>tool", 300, ["<|tool|>"])]:
        merges, tokens, _, _ = train([text], vocab, special)
        cases.append({"text": text, "vocab": vocab, "special": special, "merges": merges, "size": len(tokens)})
    pathlib.Path(path).write_text(json.dumps({"cases": cases}, ensure_ascii=False, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    commands = {"compare": lambda a: compare(a[0], a[1:]), "ids": lambda a: ids(*a), "fixture": lambda a: fixture(*a)}
    if len(sys.argv) < 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    sys.exit(commands[sys.argv[1]](sys.argv[2:]))
