"""The published tensor names of each architecture with their shapes, from its config.json."""


def attention(c, p):
    d, heads = c["hidden_size"], c["num_attention_heads"]
    if c["model_type"].startswith("deepseek"):
        qk = c["qk_nope_head_dim"] + c["qk_rope_head_dim"]
        if c.get("q_lora_rank"):
            yield p + "q_a_proj.weight", (c["q_lora_rank"], d)
            yield p + "q_a_layernorm.weight", (c["q_lora_rank"],)
            yield p + "q_b_proj.weight", (heads * qk, c["q_lora_rank"])
        else:
            yield p + "q_proj.weight", (heads * qk, d)
        yield p + "kv_a_proj_with_mqa.weight", (c["kv_lora_rank"] + c["qk_rope_head_dim"], d)
        yield p + "kv_a_layernorm.weight", (c["kv_lora_rank"],)
        yield p + "kv_b_proj.weight", (heads * (c["qk_nope_head_dim"] + c["v_head_dim"]), c["kv_lora_rank"])
        yield p + "o_proj.weight", (d, heads * c["v_head_dim"])
        return
    dim = c.get("head_dim") or d // heads
    for part, count in (("q", heads), ("k", c["num_key_value_heads"]), ("v", c["num_key_value_heads"])):
        yield f"{p}{part}_proj.weight", (count * dim, d)
        if c["model_type"] == "qwen2":
            yield f"{p}{part}_proj.bias", (count * dim,)
        if c["model_type"].startswith("qwen3") and part != "v":
            yield f"{p}{part}_norm.weight", (dim,)
    yield p + "o_proj.weight", (d, heads * dim)


def ffn(d, width, p):
    yield p + "gate_proj.weight", (width, d)
    yield p + "up_proj.weight", (width, d)
    yield p + "down_proj.weight", (d, width)


def moe(c, p):
    d, width = c["hidden_size"], c["moe_intermediate_size"]
    experts = c.get("n_routed_experts") or c["num_experts"]
    yield p + "gate.weight", (experts, d)
    if c.get("topk_method") == "noaux_tc":
        yield p + "gate.e_score_correction_bias", (experts,)
    for e in range(experts):
        yield from ffn(d, width, f"{p}experts.{e}.")
    if c.get("n_shared_experts"):
        yield from ffn(d, width * c["n_shared_experts"], p + "shared_experts.")


def is_moe(c, layer):
    if "first_k_dense_replace" in c:
        return layer >= c["first_k_dense_replace"] and layer % c["moe_layer_freq"] == 0
    return c["model_type"] == "qwen3_moe" and (layer + 1) % c["decoder_sparse_step"] == 0


def block(c, layer):
    p, d = f"model.layers.{layer}.", c["hidden_size"]
    yield p + "input_layernorm.weight", (d,)
    yield from attention(c, p + "self_attn.")
    yield p + "post_attention_layernorm.weight", (d,)
    yield from moe(c, p + "mlp.") if is_moe(c, layer) else ffn(d, c["intermediate_size"], p + "mlp.")


def tensors(c):
    d, vocab, layers = c["hidden_size"], c["vocab_size"], c["num_hidden_layers"]
    yield "model.embed_tokens.weight", (vocab, d)
    for layer in range(layers):
        yield from block(c, layer)
    yield "model.norm.weight", (d,)
    if not c["tie_word_embeddings"]:
        yield "lm_head.weight", (vocab, d)
    for layer in range(layers, layers + c.get("num_nextn_predict_layers", 0)):
        p = f"model.layers.{layer}."
        yield p + "embed_tokens.weight", (vocab, d)
        yield p + "enorm.weight", (d,)
        yield p + "hnorm.weight", (d,)
        yield p + "eh_proj.weight", (d, 2 * d)
        yield from block(c, layer)
        yield p + "shared_head.norm.weight", (d,)
        yield p + "shared_head.head.weight", (vocab, d)
