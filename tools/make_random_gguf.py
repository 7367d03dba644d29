#!/usr/bin/env python3
"""Writes a random-weight GGUF of a published shape, to measure speed where the real weights are not at hand.

The blocks hold random codes under scales that give every matrix a standard deviation of about 0.02, so that activations
stay in range; the types follow the Q4_K_M mix (or one type for every matrix). The vocabulary is made up, of the
right size. Needs the `gguf` and `numpy` packages.

    python tools/make_random_gguf.py qwen2-1.5b q4_k_m OUT.gguf
"""

import sys

import gguf
import numpy as np

SHAPES = {  # arch, layers, width, heads, kv heads, head width, ffn, vocabulary, rope base, biases
    "qwen2-1.5b": ("qwen2", 28, 1536, 12, 2, 128, 8960, 151936, 1e6, True),
    "llama-8b": ("llama", 32, 4096, 32, 8, 128, 14336, 128256, 5e5, False),
}
T = gguf.GGMLQuantizationType
rng = np.random.default_rng(1)


def half(x, n):
    return np.full((n, 1), x, np.float16).view(np.uint8).reshape(n, 2)


def blocks(kind, n):
    """n random blocks of a type, [n, bytes]."""
    r = lambda k: rng.integers(0, 256, (n, k), np.uint8)  # noqa: E731
    if kind == T.Q4_K:
        return np.concatenate([half(1.4e-4, n), half(1.05e-3, n), r(140)], 1)
    if kind == T.Q6_K:
        return np.concatenate([r(192), r(16), half(1.5e-5, n)], 1)
    if kind == T.Q8_0:
        return np.concatenate([half(2.7e-4, n), r(32)], 1)
    if kind == T.Q4_0:
        return np.concatenate([half(4.3e-3, n), r(16)], 1)
    raise SystemExit(f"type {kind} is not made here")


def matrix(writer, name, rows, cols, kind):
    block, size = gguf.GGML_QUANT_SIZES[kind]
    pool = blocks(kind, 1 << 14)
    data = pool[rng.integers(0, len(pool), rows * cols // block)].reshape(rows, cols // block * size)
    writer.add_tensor(name, data, raw_dtype=kind)


def main():
    shape, mix, path = sys.argv[1:4]
    arch, layers, width, heads, kv, head_dim, ffn, vocab, base, biases = SHAPES[shape]
    w = gguf.GGUFWriter(path, arch, use_temp_file=True)
    w.add_name(f"random {shape}")
    w.add_block_count(layers), w.add_context_length(32768), w.add_embedding_length(width), w.add_feed_forward_length(ffn)
    w.add_head_count(heads), w.add_head_count_kv(kv), w.add_rope_freq_base(base), w.add_layer_norm_rms_eps(1e-6)
    w.add_rope_dimension_count(head_dim), w.add_vocab_size(vocab)
    letters = [chr(c) for c in [*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324)]]
    w.add_tokenizer_model("gpt2"), w.add_tokenizer_pre("qwen2" if arch == "qwen2" else "llama-bpe")
    w.add_token_list([*letters, "he", *(f"<t{i}>" for i in range(257, vocab))])
    w.add_token_types([1] * 257 + [3] * (vocab - 257)), w.add_token_merges(["h e"])
    w.add_bos_token_id(vocab - 2), w.add_eos_token_id(vocab - 1), w.add_add_bos_token(False)
    low = {"q4_k_m": T.Q4_K, "q8_0": T.Q8_0, "q4_0": T.Q4_0}[mix]
    high = T.Q6_K if mix == "q4_k_m" else low
    more = lambda i: i < layers // 8 or i >= 7 * layers // 8 or (i - layers // 8) % 3 == 2  # noqa: E731
    ones = np.ones(width, np.float32)
    matrix(w, "token_embd.weight", vocab, width, low)
    for i in range(layers):
        p, special = f"blk.{i}.", high if more(i) else low
        w.add_tensor(p + "attn_norm.weight", ones), w.add_tensor(p + "ffn_norm.weight", ones)
        matrix(w, p + "attn_q.weight", heads * head_dim, width, low)
        matrix(w, p + "attn_k.weight", kv * head_dim, width, low)
        matrix(w, p + "attn_v.weight", kv * head_dim, width, special)
        matrix(w, p + "attn_output.weight", width, heads * head_dim, low)
        matrix(w, p + "ffn_gate.weight", ffn, width, low)
        matrix(w, p + "ffn_up.weight", ffn, width, low)
        matrix(w, p + "ffn_down.weight", width, ffn, special)
        if biases:
            for name, n in (("q", heads), ("k", kv), ("v", kv)):
                w.add_tensor(f"{p}attn_{name}.bias", rng.normal(0, 0.02, n * head_dim).astype(np.float32))
    w.add_tensor("output_norm.weight", ones)
    matrix(w, "output.weight", vocab, width, high)
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()


main()
