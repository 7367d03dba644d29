#!/usr/bin/env python3
"""Writes a random-weight GGUF of a published shape, to measure speed where the real weights are not at hand.

The blocks hold random codes under scales that give every matrix a standard deviation of about 0.02, so that activations
stay in range; the types follow the Q4_K_M mix (or one type for every matrix). The vocabulary is made up, of the
right size. Needs the `gguf` and `numpy` packages.

    python tools/make_random_gguf.py qwen2-1.5b q4_k_m OUT.gguf
    python tools/make_random_gguf.py deepseek-v2-lite q4_k_m OUT.gguf 4    (only the first 4 layers)
"""

import sys

import gguf
import numpy as np

SHAPES = {  # arch, layers, width, heads, kv heads, head width, ffn, vocabulary, rope base, biases
    "qwen2-1.5b": ("qwen2", 28, 1536, 12, 2, 128, 8960, 151936, 1e6, True),
    "llama-8b": ("llama", 32, 4096, 32, 8, 128, 14336, 128256, 5e5, False),
    "deepseek-v2-lite": ("deepseek2", 27, 2048, 16, 16, 192, 10944, 102400, 1e4, False),
}
# The rest of DeepSeek-V2-Lite: one dense layer, then 64 experts of which 6 act, 2 shared ones, latent attention.
# A cut has V2's low-rank queries: ik_llama.cpp takes the plain projection for Lite's, and Lite is what has 27 layers.
RANK, ROPE, VALUE, EXPERTS, ACTIVE, SHARED, EXPERT_FFN = 512, 64, 128, 64, 6, 2, 1408
Q_RANK = 1536
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


def matrix(writer, name, rows, cols, kind, stack=1):
    block, size = gguf.GGML_QUANT_SIZES[kind]
    pool = blocks(kind, 1 << 14)
    data = pool[rng.integers(0, len(pool), rows * cols // block)].reshape(rows, cols // block * size)
    data = data.reshape(stack, rows // stack, -1) if stack > 1 else data
    writer.add_tensor(name, data, raw_dtype=kind)


def latent_attention(w, p, width, heads, head_dim, kind, cut):
    if cut:
        matrix(w, p + "attn_q_a.weight", Q_RANK, width, kind)
        w.add_tensor(p + "attn_q_a_norm.weight", np.ones(Q_RANK, np.float32))
        matrix(w, p + "attn_q_b.weight", heads * head_dim, Q_RANK, kind)
    else:
        matrix(w, p + "attn_q.weight", heads * head_dim, width, kind)
    matrix(w, p + "attn_kv_a_mqa.weight", RANK + ROPE, width, kind)
    w.add_tensor(p + "attn_kv_a_norm.weight", np.ones(RANK, np.float32))
    matrix(w, p + "attn_kv_b.weight", heads * (head_dim - ROPE + VALUE), RANK, kind)
    matrix(w, p + "attn_output.weight", width, heads * VALUE, kind)


def experts(w, p, width, kind, down):
    w.add_tensor(p + "ffn_gate_inp.weight", rng.normal(0, 0.02, (EXPERTS, width)).astype(np.float32))
    for name, rows, cols, k in (("gate", EXPERT_FFN, width, kind), ("up", EXPERT_FFN, width, kind), ("down", width, EXPERT_FFN, down)):
        matrix(w, f"{p}ffn_{name}_exps.weight", EXPERTS * rows, cols, k, EXPERTS)
        shared = (SHARED * rows, cols) if name != "down" else (rows, SHARED * cols)
        matrix(w, f"{p}ffn_{name}_shexp.weight", *shared, k)


def main():
    shape, mix, path = sys.argv[1:4]
    arch, layers, width, heads, kv, head_dim, ffn, vocab, base, biases = SHAPES[shape]
    latent = arch == "deepseek2"
    cut = len(sys.argv) > 4
    layers = int(sys.argv[4]) if cut else layers
    w = gguf.GGUFWriter(path, arch, use_temp_file=True)
    w.add_name(f"random {shape}")
    w.add_block_count(layers), w.add_context_length(32768), w.add_embedding_length(width), w.add_feed_forward_length(ffn)
    w.add_head_count(heads), w.add_head_count_kv(kv), w.add_rope_freq_base(base), w.add_layer_norm_rms_eps(1e-6)
    w.add_rope_dimension_count(ROPE if latent else head_dim), w.add_vocab_size(vocab)
    if latent:
        w.add_kv_lora_rank(RANK), w.add_key_length(head_dim), w.add_value_length(VALUE), w.add_expert_count(EXPERTS)
        w.add_expert_used_count(ACTIVE), w.add_expert_shared_count(SHARED), w.add_expert_feed_forward_length(EXPERT_FFN)
        if cut:
            w.add_q_lora_rank(Q_RANK)
        w.add_leading_dense_block_count(1), w.add_expert_weights_scale(1.0), w.add_expert_weights_norm(False)
        w.add_expert_gating_func(gguf.ExpertGatingFuncType.SOFTMAX)
    letters = [chr(c) for c in [*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324)]]
    w.add_tokenizer_model("gpt2"), w.add_tokenizer_pre({"qwen2": "qwen2", "deepseek2": "deepseek-llm"}.get(arch, "llama-bpe"))
    w.add_token_list([*letters, "he", *(f"<t{i}>" for i in range(257, vocab))])
    w.add_token_types([1] * 257 + [3] * (vocab - 257)), w.add_token_merges(["h e"])
    w.add_bos_token_id(vocab - 2), w.add_eos_token_id(vocab - 1), w.add_add_bos_token(False)
    low = {"q4_k_m": T.Q4_K, "q8_0": T.Q8_0, "q4_0": T.Q4_0}[mix]
    high = T.Q6_K if mix == "q4_k_m" else low
    odd = T.Q8_0 if mix == "q4_k_m" else low  # rows that the K types do not divide
    more = lambda i: i < layers // 8 or i >= 7 * layers // 8 or (i - layers // 8) % 3 == 2  # noqa: E731
    ones = np.ones(width, np.float32)
    matrix(w, "token_embd.weight", vocab, width, low)
    for i in range(layers):
        p, special = f"blk.{i}.", high if more(i) else low
        w.add_tensor(p + "attn_norm.weight", ones), w.add_tensor(p + "ffn_norm.weight", ones)
        if latent:
            latent_attention(w, p, width, heads, head_dim, low, cut)
            if i > 0:
                experts(w, p, width, low, odd)
                continue
            special = odd
        else:
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
