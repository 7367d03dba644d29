"""Writes gguf/NAME.gguf: tiny random GGUF files and their golden results (see README.md).

Metadata keys are those that llama.cpp's converter writes. The goldens come from the float64 reference on the weights read
back from the written file with the gguf package.    Usage: python make_gguf.py [NAME...]
"""

import json
import math
import pathlib
import sys

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Q
from safetensors.torch import save_file

import gguf_names
import make_models
import shapes
from reference import rope_frequencies

HERE = pathlib.Path(__file__).resolve().parent
ARCH = {"llama": "llama", "qwen2": "qwen2", "qwen3_moe": "qwen3moe", "deepseek_v2": "deepseek2", "deepseek_v3": "deepseek2"}
PRE = {"llama": "smollm", "qwen2": "qwen2", "qwen3_moe": "qwen2", "deepseek_v2": "deepseek-llm", "deepseek_v3": "deepseek-v3"}
# One tensor of every type that is read; rows of 256 for the K types, of 32 and 64 for the others.
MIXED = {
    "token_embd": Q.Q4_K, "output": Q.Q6_K,
    "blk.0.attn_q": Q.Q4_K, "blk.0.attn_k": Q.Q5_K, "blk.0.attn_v": Q.Q6_K, "blk.0.attn_output": Q.Q5_0,
    "blk.0.ffn_gate": Q.Q2_K, "blk.0.ffn_up": Q.Q3_K, "blk.0.ffn_down": Q.Q4_0,
    "blk.1.attn_q": Q.IQ4_XS, "blk.1.attn_k": Q.Q8_0, "blk.1.attn_v": Q.BF16, "blk.1.attn_output": Q.Q5_1,
    "blk.1.ffn_gate": Q.IQ4_NL, "blk.1.ffn_up": Q.Q4_1, "blk.1.ffn_down": Q.F16,
}  # fmt: skip
# Byte offset of the f16 scale, and of the f16 minimum with the ratio that centres the weights.
SCALE = {Q.Q2_K: (80, 82, 1.5), Q.Q3_K: (108,), Q.Q4_K: (0, 2, 7.5), Q.Q5_K: (0, 2, 15.5), Q.Q6_K: (208,),
         Q.IQ4_XS: (0,), Q.IQ4_NL: (0,)}  # fmt: skip


def random_blocks(qtype, x, rng):
    """Random codes and scales of a type that the gguf package cannot quantise to, with the spread of x."""
    block, size = gguf.GGML_QUANT_SIZES[qtype]
    rows, count = x.shape[0], x.shape[1] // block
    codes = rng.integers(0, 256, (rows * count, size), dtype=np.uint8)
    d = rng.uniform(0.5, 1.5, rows * count)

    def with_scale(unit):
        at, *low = SCALE[qtype]
        codes[:, at : at + 2] = (unit * d).astype("<f2").view(np.uint8).reshape(-1, 2)
        if low:
            codes[:, low[0] : low[0] + 2] = (unit * low[1] * d).astype("<f2").view(np.uint8).reshape(-1, 2)
        return codes.reshape(rows, count * size)

    return with_scale(float(x.std() / gguf.quants.dequantize(with_scale(1.0), qtype).std()))


def tokenizer(vocab):
    """Two control tokens, the 256 byte symbols, then a few merges: byte-level BPE over any text."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbol = {b: chr(b) for b in visible} | {b: chr(256 + i) for i, b in enumerate(b for b in range(256) if b not in visible)}
    merges = ["t h", "th e", "\u0120 the", "i n", "\u0120 a", "e r"]
    tokens = ["<|begin|>", "<|end|>", *(symbol[b] for b in range(256)), *(m.replace(" ", "") for m in merges)]
    assert len(tokens) == vocab
    return tokens, [gguf.TokenType.CONTROL] * 2 + [gguf.TokenType.NORMAL] * (vocab - 2), merges


def add_metadata(w, c, mla):
    w.add_block_count(c["num_hidden_layers"])
    w.add_context_length(c["max_position_embeddings"])
    w.add_embedding_length(c["hidden_size"])
    w.add_feed_forward_length(c["intermediate_size"])
    w.add_head_count(c["num_attention_heads"])
    w.add_head_count_kv(1 if mla == "split" else c["num_key_value_heads"])
    w.add_rope_freq_base(float(c["rope_theta"]))
    w.add_layer_norm_rms_eps(c["rms_norm_eps"])
    w.add_vocab_size(c["vocab_size"])
    if "num_experts_per_tok" in c:
        w.add_expert_used_count(c["num_experts_per_tok"])
        w.add_expert_count(gguf_names.experts(c))
        w.add_expert_feed_forward_length(c["moe_intermediate_size"])
    if c.get("head_dim"):
        w.add_key_length(c["head_dim"])
        w.add_value_length(c["head_dim"])
    if c["model_type"] == "llama":
        w.add_rope_dimension_count(c.get("head_dim") or c["hidden_size"] // c["num_attention_heads"])
    if c["model_type"].startswith("deepseek"):
        add_deepseek(w, c, mla)


def add_deepseek(w, c, mla):
    qk = c["qk_nope_head_dim"] + c["qk_rope_head_dim"]
    w.add_leading_dense_block_count(c["first_k_dense_replace"])
    if c["q_lora_rank"]:
        w.add_q_lora_rank(c["q_lora_rank"])
    w.add_kv_lora_rank(c["kv_lora_rank"])
    if mla == "split":
        w.add_key_length(c["kv_lora_rank"] + c["qk_rope_head_dim"])
        w.add_value_length(c["kv_lora_rank"])
        w.add_key_length_mla(qk)
        w.add_value_length_mla(c["v_head_dim"])
    else:
        w.add_key_length(qk)
        w.add_value_length(c["v_head_dim"])
    w.add_expert_shared_count(c["n_shared_experts"])
    w.add_expert_weights_scale(c["routed_scaling_factor"])
    w.add_expert_weights_norm(c["norm_topk_prob"])
    if c["n_group"] > 1:
        w.add_expert_group_count(c["n_group"])
        w.add_expert_group_used_count(c["topk_group"])
    sigmoid = c["scoring_func"] == "sigmoid"
    w.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID if sigmoid else gguf.ExpertGatingFuncType.SOFTMAX)
    w.add_rope_dimension_count(c["qk_rope_head_dim"])
    s = c["rope_scaling"]
    w.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    w.add_rope_scaling_factor(float(s["factor"]))
    w.add_rope_scaling_orig_ctx_len(s["original_max_position_embeddings"])
    w.add_rope_scaling_yarn_log_mul(0.1 * s["mscale_all_dim"])


def add_tokenizer(w, c):
    tokens, types, merges = tokenizer(c["vocab_size"])
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("llama-bpe" if c["model_type"] == "llama" and c["rope_scaling"] else PRE[c["model_type"]])
    w.add_token_list(tokens)
    w.add_token_types(types)
    w.add_token_merges(merges)
    w.add_bos_token_id(c["bos_token_id"])
    w.add_eos_token_id(c["eos_token_id"])
    w.add_add_bos_token(False)


def write_gguf(path, c, weights, store, mla, seed, split=0):
    w = gguf.GGUFWriter(path, ARCH[c["model_type"]], split_max_tensors=split)
    w.add_name(path.stem)
    add_metadata(w, c, mla)
    file_type = {"F32": gguf.LlamaFileType.ALL_F32, "F16": gguf.LlamaFileType.MOSTLY_F16}
    w.add_file_type(file_type.get(store, gguf.LlamaFileType.MOSTLY_Q4_K_M))
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    add_tokenizer(w, c)
    if c["model_type"] == "llama" and c["rope_scaling"]:
        dim = c["hidden_size"] // c["num_attention_heads"]
        plain = float(c["rope_theta"]) ** (-np.arange(0, dim, 2) / dim)
        w.add_tensor("rope_freqs.weight", (plain / rope_frequencies(c, dim)[0]).astype(np.float32))
    for name, x in gguf_names.to_gguf(c, weights, mla).items():
        x = np.ascontiguousarray(x, dtype=np.float32)
        base = name.removesuffix(".weight")
        if x.ndim == 1 or store == "F32" or "ffn_gate_inp" in name:
            w.add_tensor(name, x)
        elif store == "F16":
            w.add_tensor(name, x.astype(np.float16))
        elif MIXED[base] in SCALE:
            rng = np.random.default_rng([seed, *base.encode()])
            w.add_tensor(name, random_blocks(MIXED[base], x, rng), raw_dtype=MIXED[base])
        else:
            w.add_tensor(name, gguf.quants.quantize(x, MIXED[base]), raw_dtype=MIXED[base])
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main():
    specs = json.loads((HERE / "gguf_configs.json").read_text())
    (HERE / "gguf").mkdir(exist_ok=True)
    for name in sys.argv[1:] or specs:
        c, store, mla = specs[name]["config"], specs[name]["store"], specs[name].get("mla", "kv_b")
        split = specs[name].get("split", 0)  # tensors a file
        path = HERE / "gguf" / f"{name}.gguf"
        for seed in range(1, 500):
            drawn = {n: make_models.draw(c, n, shape, seed) for n, shape in shapes.tensors(c)}
            write_gguf(path, c, drawn, store, mla, seed, split)
            files = sorted(path.parent.glob(f"{name}-*.gguf")) if split else [path]
            found = make_models.golden(c, gguf_names.from_gguf(c, files), seed)
            if found:
                break
        else:
            raise SystemExit(f"{name}: no seed keeps every choice clear of a tie")
        arrays, facts = found
        kept = {"logits.short": torch.from_numpy(arrays["logits.short"]).float().contiguous()}
        save_file(kept, path.with_suffix(".golden.safetensors"))
        facts["config"] = c
        path.with_suffix(".golden.json").write_text(json.dumps(facts) + "\n")
        print(name, sum(f.stat().st_size for f in files), {k: v for k, v in facts.items() if k not in ("short", "long", "config")}, flush=True)


if __name__ == "__main__":
    main()
