"""Float64 NumPy reference of every supported decoder: the authors' equations, written plainly and independently of any
framework. Weights are a dict {published tensor name: float64 array}, the config is the published config.json as a dict.

Where engines disagree the DeepSeek authors' code is followed: excluded expert groups are -inf, `norm_topk_prob` is honoured
by V2 as well, and YaRN's cos/sin tables carry get_mscale(factor, mscale) / get_mscale(factor, mscale_all_dim).
"""

import math

import numpy as np


def silu(x):
    return x / (1.0 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def rms_norm(x, weight, eps):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * weight


def get_mscale(factor, mscale):
    return 1.0 if factor <= 1 else 0.1 * mscale * math.log(factor) + 1.0


def rope_kind(config):
    scaling = config.get("rope_scaling") or {}
    return scaling.get("rope_type", scaling.get("type", "default"))


def rope_frequencies(config, dim):
    """Angle per position of each of the dim/2 pairs, and the factor on cos and sin."""
    theta = config.get("rope_theta", 10000.0)
    freq = theta ** (-np.arange(0, dim, 2) / dim)
    kind, s = rope_kind(config), config.get("rope_scaling") or {}
    if kind == "default":
        return freq, 1.0
    if kind == "llama3":
        length = s["original_max_position_embeddings"]
        low, high = s["low_freq_factor"], s["high_freq_factor"]
        smooth = np.clip((length * freq / (2 * math.pi) - low) / (high - low), 0.0, 1.0)
        return (1 - smooth) * freq / s["factor"] + smooth * freq, 1.0
    assert kind == "yarn", kind
    length = s["original_max_position_embeddings"]

    def pair_of(rotations):
        return dim * math.log(length / (rotations * 2 * math.pi)) / (2 * math.log(theta))

    low = max(math.floor(pair_of(s["beta_fast"])), 0)
    high = min(math.ceil(pair_of(s["beta_slow"])), dim - 1)
    ramp = np.clip((np.arange(dim // 2) - low) / ((high - low) or 0.001), 0.0, 1.0)
    factor = s["factor"]
    table = get_mscale(factor, s.get("mscale", 1.0)) / get_mscale(factor, s.get("mscale_all_dim", 0.0))
    return freq / factor * ramp + freq * (1 - ramp), table


def rotate(x, freq, factor, interleaved):
    """x [N, H, dim] at positions 0..N-1. Interleaved: pairs (0,1), (2,3), ...; else (i, i + dim/2)."""
    angle = np.arange(x.shape[0])[:, None, None] * freq
    c, s = np.cos(angle) * factor, np.sin(angle) * factor
    half = x.shape[-1] // 2
    a, b = (x[..., 0::2], x[..., 1::2]) if interleaved else (x[..., :half], x[..., half:])
    out = np.empty_like(x)
    lo, hi = (slice(0, None, 2), slice(1, None, 2)) if interleaved else (slice(0, half), slice(half, None))
    out[..., lo], out[..., hi] = a * c - b * s, b * c + a * s
    return out


def attend(q, k, v, scale):
    """Causal attention, q [N, H, d], k [N, H, d], v [N, H, dv] -> [N, H * dv]."""
    n = q.shape[0]
    score = np.einsum("ihd,jhd->hij", q, k) * scale
    score = np.where(np.tril(np.ones((n, n), bool)), score, -np.inf)
    return np.einsum("hij,jhd->ihd", softmax(score), v).reshape(n, -1)


class Reference:
    def __init__(self, config, weights):
        self.c, self.w = config, weights
        self.kind = config["model_type"]
        self.deepseek = self.kind.startswith("deepseek")
        self.eps = config["rms_norm_eps"]
        self.margins = []  # smallest gap between a kept and a dropped expert or group, per routed token

    def linear(self, name, x):
        y = x @ self.w[name + ".weight"].T
        bias = self.w.get(name + ".bias")
        return y if bias is None else y + bias

    def norm(self, name, x, eps=None):
        return rms_norm(x, self.w[name + ".weight"], eps or self.eps)

    def gqa(self, p, x):
        c, n = self.c, x.shape[0]
        heads, kv = c["num_attention_heads"], c["num_key_value_heads"]
        dim = c.get("head_dim") or c["hidden_size"] // heads
        q = self.linear(p + "q_proj", x).reshape(n, heads, dim)
        k = self.linear(p + "k_proj", x).reshape(n, kv, dim)
        v = self.linear(p + "v_proj", x).reshape(n, kv, dim)
        if self.kind in ("qwen3", "qwen3_moe"):
            q, k = self.norm(p + "q_norm", q), self.norm(p + "k_norm", k)
        freq, factor = rope_frequencies(c, dim)
        q, k = rotate(q, freq, factor, False), rotate(k, freq, factor, False)
        k, v = (np.repeat(t, heads // kv, axis=1) for t in (k, v))
        return self.linear(p + "o_proj", attend(q, k, v, dim**-0.5))

    def mla(self, p, x):
        c, n, heads = self.c, x.shape[0], self.c["num_attention_heads"]
        nope, rope, dv = c["qk_nope_head_dim"], c["qk_rope_head_dim"], c["v_head_dim"]
        latent = c["kv_lora_rank"]
        if c.get("q_lora_rank"):
            q = self.linear(p + "q_b_proj", self.norm(p + "q_a_layernorm", self.linear(p + "q_a_proj", x)))
        else:
            q = self.linear(p + "q_proj", x)
        q = q.reshape(n, heads, nope + rope)
        down = self.linear(p + "kv_a_proj_with_mqa", x)
        c_kv, k_rope = self.norm(p + "kv_a_layernorm", down[:, :latent]), down[:, None, latent:]
        kv = self.linear(p + "kv_b_proj", c_kv).reshape(n, heads, nope + dv)
        freq, factor = rope_frequencies(c, rope)
        q_rope, k_rope = rotate(q[..., nope:], freq, factor, True), rotate(k_rope, freq, factor, True)
        q = np.concatenate([q[..., :nope], q_rope], -1)
        k = np.concatenate([kv[..., :nope], np.repeat(k_rope, heads, 1)], -1)
        scale = (nope + rope) ** -0.5
        s = c.get("rope_scaling") or {}
        if s.get("mscale_all_dim"):
            scale *= get_mscale(s["factor"], s["mscale_all_dim"]) ** 2
        return self.linear(p + "o_proj", attend(q, k, kv[..., nope:], scale))

    def ffn(self, p, x):
        return self.linear(p + "down_proj", silu(self.linear(p + "gate_proj", x)) * self.linear(p + "up_proj", x))

    def note_margin(self, ranked, kept):
        """ranked [N, M] in the order of selection; -inf entries never compete."""
        top = -np.sort(-ranked, axis=-1)
        gap = top[:, kept - 1] - top[:, kept] if kept < ranked.shape[-1] else np.full(len(top), np.inf)
        self.margins.extend(gap[np.isfinite(gap)])

    def route(self, p, x):
        """-> indices [N, A] and weights [N, A]."""
        c = self.c
        logits = x @ self.w[p + "gate.weight"].T
        sigmoid = c.get("scoring_func", "softmax") == "sigmoid"
        score = 1.0 / (1.0 + np.exp(-logits)) if sigmoid else softmax(logits)
        choice = score + self.w.get(p + "gate.e_score_correction_bias", 0.0)
        ranked = choice if sigmoid else logits  # the same order; gaps of softmax scores are judged as logits
        n, experts = score.shape
        groups, kept = c.get("n_group") or 1, c.get("topk_group") or 1
        if c.get("topk_method", "greedy") != "greedy" and groups > 1:
            by_group = choice.reshape(n, groups, -1)
            rank_by_group = ranked.reshape(n, groups, -1)
            if c["topk_method"] == "noaux_tc":
                group_score = np.sort(by_group, -1)[..., -2:].sum(-1)
                self.note_margin(group_score, kept)
            else:
                group_score = by_group.max(-1)
                self.note_margin(rank_by_group.max(-1), kept)
            best = np.argsort(-group_score, -1, kind="stable")[:, :kept]
            mask = np.zeros((n, groups), bool)
            np.put_along_axis(mask, best, True, -1)
            mask = np.repeat(mask, experts // groups, -1)
            choice, ranked = np.where(mask, choice, -np.inf), np.where(mask, ranked, -np.inf)
        active = c["num_experts_per_tok"]
        self.note_margin(ranked, active)
        index = np.argsort(-choice, -1, kind="stable")[:, :active]
        weight = np.take_along_axis(score, index, -1)
        if c.get("norm_topk_prob") and active > 1:
            weight = weight / (weight.sum(-1, keepdims=True) + 1e-20)
        return index, weight * c.get("routed_scaling_factor", 1.0)

    def moe(self, p, x):
        index, weight = self.route(p, x)
        y = np.zeros_like(x)
        for t in range(x.shape[0]):
            for e, g in zip(index[t], weight[t]):
                y[t] += g * self.ffn(f"{p}experts.{e}.", x[t])
        return y + self.ffn(p + "shared_experts.", x) if self.c.get("n_shared_experts") else y

    def is_moe(self, layer):
        c = self.c
        if self.deepseek:
            return layer >= c["first_k_dense_replace"] and layer % c.get("moe_layer_freq", 1) == 0
        if self.kind == "qwen3_moe":
            return layer not in c["mlp_only_layers"] and (layer + 1) % c["decoder_sparse_step"] == 0
        return False

    def block(self, layer, x):
        p = f"model.layers.{layer}."
        attention = self.mla if self.deepseek else self.gqa
        x = x + attention(p + "self_attn.", self.norm(p + "input_layernorm", x))
        h = self.norm(p + "post_attention_layernorm", x)
        return x + (self.moe if self.is_moe(layer) else self.ffn)(p + "mlp.", h)

    def forward(self, tokens):
        """-> {"hidden": [L + 1, N, D], "final": [N, D] after the last norm, "logits": [N, V]}."""
        x = self.w["model.embed_tokens.weight"][tokens]
        hidden = [x]
        for layer in range(self.c["num_hidden_layers"]):
            x = self.block(layer, x)
            hidden.append(x)
        final = self.norm("model.norm", x)
        head = "model.embed_tokens" if self.c.get("tie_word_embeddings") else "lm_head"
        return {"hidden": np.stack(hidden), "final": final, "logits": final @ self.w[head + ".weight"].T}

    def mtp(self, tokens, final):
        """Row i (i = 0..N-2) predicts token i + 2 from the main model's final state i and the embedding of token i + 1."""
        p = f"model.layers.{self.c['num_hidden_layers']}."
        emb = self.norm(p + "enorm", self.w[p + "embed_tokens.weight"][tokens[1:]])
        x = self.linear(p + "eh_proj", np.concatenate([emb, self.norm(p + "hnorm", final[:-1])], -1))
        x = self.norm(p + "shared_head.norm", self.block(self.c["num_hidden_layers"], x))
        return x @ self.w[p + "shared_head.head.weight"].T

    def greedy(self, tokens, count):
        """-> ids and the gap between the best two logits of each."""
        tokens, gaps = list(tokens), []
        for _ in range(count):
            row = self.forward(np.array(tokens))["logits"][-1]
            second, first = np.sort(row)[-2:]
            gaps.append(first - second)
            tokens.append(int(row.argmax()))
        return tokens[-count:], gaps
