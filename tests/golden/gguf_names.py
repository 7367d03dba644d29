"""Published checkpoint names <-> GGUF names, and the layouts that differ between the two."""

import gguf
import numpy as np

LAYER = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "self_attn.q_a_proj": "attn_q_a",
    "self_attn.q_a_layernorm": "attn_q_a_norm", "self_attn.q_b_proj": "attn_q_b",
    "self_attn.kv_a_proj_with_mqa": "attn_kv_a_mqa", "self_attn.kv_a_layernorm": "attn_kv_a_norm",
    "self_attn.kv_b_proj": "attn_kv_b", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "mlp.gate": "ffn_gate_inp", "mlp.shared_experts.gate_proj": "ffn_gate_shexp",
    "mlp.shared_experts.up_proj": "ffn_up_shexp", "mlp.shared_experts.down_proj": "ffn_down_shexp",
}  # fmt: skip
MODEL = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
PARTS = ("gate", "up", "down")


def permute(x, heads):
    """Rows of each head from half-split rotary order to the interleaved order of GGUF's llama family."""
    return x.reshape(heads, 2, x.shape[0] // heads // 2, *x.shape[1:]).swapaxes(1, 2).reshape(x.shape)


def unpermute(x, heads):
    return x.reshape(heads, x.shape[0] // heads // 2, 2, *x.shape[1:]).swapaxes(1, 2).reshape(x.shape)


def to_gguf(config, weights, mla="kv_b"):
    """-> {GGUF name: array}. mla: "kv_b" joint; "split" per-head attn_k_b (transposed) and attn_v_b; "all" the three, flat."""
    out = {}
    for name, x in weights.items():
        base, kind = name.rsplit(".", 1)
        if base in MODEL:
            out[f"{MODEL[base]}.{kind}"] = x
            continue
        layer, part = base.removeprefix("model.layers.").split(".", 1)
        p = f"blk.{layer}."
        if name.endswith("e_score_correction_bias"):
            out[p + "exp_probs_b.bias"] = x
        elif "mlp.experts." in name:
            _, _, expert, proj = part.split(".")
            if expert == "0":
                stack = [weights[f"model.layers.{layer}.mlp.experts.{e}.{proj}.weight"] for e in range(experts(config))]
                out[f"{p}ffn_{proj.removesuffix('_proj')}_exps.weight"] = np.stack(stack)
        elif part == "self_attn.kv_b_proj" and mla != "kv_b":
            heads, nope, v = config["num_attention_heads"], config["qk_nope_head_dim"], config["v_head_dim"]
            per_head = x.reshape(heads, nope + v, -1)
            k_b, v_b = per_head[:, :nope].swapaxes(1, 2), per_head[:, nope:]
            if mla == "all":
                out[p + "attn_kv_b.weight"] = x
                k_b, v_b = k_b.reshape(-1, nope), v_b.reshape(heads * v, -1)
            out[p + "attn_k_b.weight"], out[p + "attn_v_b.weight"] = k_b, v_b
        else:
            heads = {"self_attn.q_proj": config["num_attention_heads"], "self_attn.k_proj": config["num_key_value_heads"]}
            if config["model_type"] == "llama" and part in heads:
                x = permute(x, heads[part])
            out[p + LAYER[part] + "." + kind] = x
    return out


def experts(config):
    return config.get("n_routed_experts") or config["num_experts"]


def from_gguf(config, paths):
    """float64 weights under their published names, dequantised from the files by the gguf package."""
    back = {v: k for k, v in LAYER.items()} | {v: k for k, v in MODEL.items()}
    tensors, out = {}, {}
    for t in (t for path in paths for t in gguf.GGUFReader(path).tensors):
        shape = tuple(int(n) for n in reversed(t.shape))
        tensors[t.name] = gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float64).reshape(shape)
    for name, x in tensors.items():
        if name == "rope_freqs.weight":
            continue
        base, kind = name.rsplit(".", 1)
        if base in back:
            out[f"{back[base]}.{kind}"] = x
            continue
        _, layer, part = base.split(".", 2)
        p = f"model.layers.{layer}."
        if part == "exp_probs_b":
            out[p + "mlp.gate.e_score_correction_bias"] = x
        elif part.endswith("_exps"):
            for e in range(len(x)):
                out[f"{p}mlp.experts.{e}.{part[4:-5]}_proj.weight"] = x[e]
        elif part == "attn_v_b":
            continue
        elif part == "attn_k_b":
            heads, nope = config["num_attention_heads"], config["qk_nope_head_dim"]
            k_b = x.reshape(heads, -1, nope).swapaxes(1, 2)
            v_b = tensors[f"blk.{layer}.attn_v_b.weight"].reshape(heads, config["v_head_dim"], -1)
            out[p + "self_attn.kv_b_proj.weight"] = np.concatenate([k_b, v_b], 1).reshape(-1, k_b.shape[-1])
        else:
            heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
            if config["model_type"] == "llama" and part in heads:
                x = unpermute(x, heads[part])
            out[p + back[part] + "." + kind] = x
    return out
