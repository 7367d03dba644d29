"""Trains a checkpoint step by step with PyTorch, by the definitions of docs/train.md, to compare `jevons train` with.

The model is written out here from the reports' equations (no transformers, no code shared with jevons): Llama, Qwen2 and
DeepSeek-V2/V3 with multi-token prediction, sequence-wise balance loss, loss-free balance, packed documents, AdamW, Muon.

  python train_oracle.py --init HFDIR --tokens FILE.u32 --batch 2 --seq 16 --steps 20 [flags of jevons train] --log LOG.jsonl
  python train_oracle.py --fixtures        writes tests/golden/train (float64 losses, norms and samples of gradients)
needs torch, numpy, safetensors
"""

import argparse
import json
import math
import pathlib

import numpy as np
import torch
from safetensors.torch import load_file

F = torch.nn.functional


def load(folder, dtype):
    folder = pathlib.Path(folder)
    c = json.loads((folder / "config.json").read_text())
    w = {}
    for file in sorted(folder.glob("model*.safetensors")):
        w.update(load_file(file))
    return c, {name: t.to(dtype) for name, t in w.items()}


def norm(x, weight, eps):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps) * weight


def yarn_scale(factor, m):
    return 1.0 if factor <= 1 else 0.1 * m * math.log(factor) + 1.0


class Model:
    def __init__(self, c, w):
        self.c, self.w = c, w
        self.v3 = c["model_type"].startswith("deepseek")
        self.eps = c["rms_norm_eps"]
        self.tied = c.get("tie_word_embeddings", False)
        self.layers = c["num_hidden_layers"]
        s = c.get("rope_scaling")
        assert s is None or (self.v3 and s.get("type", s.get("rope_type")) == "yarn"), "rope scaling not written out here"
        dim = c["qk_rope_head_dim"] if self.v3 else (c.get("head_dim") or c["hidden_size"] // c["num_attention_heads"])
        inv = c["rope_theta"] ** -(torch.arange(0, dim, 2, dtype=torch.float64) / dim)
        self.table, self.score = 1.0, 1.0
        if s:  # YaRN as DeepSeek publishes it
            length, theta = s["original_max_position_embeddings"], c["rope_theta"]
            find = lambda turns: dim * math.log(length / (turns * 2 * math.pi)) / (2 * math.log(theta))
            low, high = max(math.floor(find(s["beta_fast"])), 0), min(math.ceil(find(s["beta_slow"])), dim - 1)
            ramp = ((torch.arange(dim // 2, dtype=torch.float64) - low) / max(high - low, 1e-3)).clamp(0, 1)
            inv = inv / s["factor"] * ramp + inv * (1 - ramp)
            self.table = yarn_scale(s["factor"], s["mscale"]) / yarn_scale(s["factor"], s["mscale_all_dim"])
            self.score = yarn_scale(s["factor"], s["mscale_all_dim"]) ** 2
        self.inv = inv

    def rope(self, x, pos):  # x [B, S, heads, dim]
        angle = pos[:, :, None, None].double() * self.inv
        cos, sin = (angle.cos() * self.table).to(x.dtype), (angle.sin() * self.table).to(x.dtype)
        if self.v3:
            a, b = x[..., 0::2], x[..., 1::2]
            return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)
        a, b = x.chunk(2, -1)
        return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)

    def attend(self, q, k, v, scale, mask):
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))
        k, v = (t.repeat_interleave(q.shape[1] // t.shape[1], 1) for t in (k, v))
        p = (q @ k.transpose(-1, -2) * scale).masked_fill(~mask[:, None], -torch.inf).softmax(-1)
        return (p @ v).transpose(1, 2).flatten(2)

    def attention(self, p, x, pos, mask):
        c, w, (B, S) = self.c, self.w, pos.shape
        H = c["num_attention_heads"]
        if not self.v3:
            K = c["num_key_value_heads"]
            lin = lambda n: F.linear(x, w[f"{p}{n}_proj.weight"], w.get(f"{p}{n}_proj.bias"))
            q, k, v = lin("q").view(B, S, H, -1), lin("k").view(B, S, K, -1), lin("v").view(B, S, K, -1)
            out = self.attend(self.rope(q, pos), self.rope(k, pos), v, q.shape[-1] ** -0.5, mask)
            return out @ w[p + "o_proj.weight"].T
        n, r, v_dim, rank = c["qk_nope_head_dim"], c["qk_rope_head_dim"], c["v_head_dim"], c["kv_lora_rank"]
        if c.get("q_lora_rank"):
            q = norm(x @ w[p + "q_a_proj.weight"].T, w[p + "q_a_layernorm.weight"], self.eps) @ w[p + "q_b_proj.weight"].T
        else:
            q = x @ w[p + "q_proj.weight"].T
        q = q.view(B, S, H, n + r)
        latent, k_rope = (x @ w[p + "kv_a_proj_with_mqa.weight"].T).split([rank, r], -1)
        kv = norm(latent, w[p + "kv_a_layernorm.weight"], self.eps) @ w[p + "kv_b_proj.weight"].T
        k, v = kv.view(B, S, H, n + v_dim).split([n, v_dim], -1)
        q = torch.cat((q[..., :n], self.rope(q[..., n:], pos)), -1)
        k = torch.cat((k, self.rope(k_rope[:, :, None], pos).expand(-1, -1, H, -1)), -1)
        return self.attend(q, k, v, self.score * (n + r) ** -0.5, mask) @ w[p + "o_proj.weight"].T

    def glu(self, p, x):
        w = self.w
        return (F.silu(x @ w[p + "gate_proj.weight"].T) * (x @ w[p + "up_proj.weight"].T)) @ w[p + "down_proj.weight"].T

    def moe(self, p, x, alpha):
        c, w, (B, S, D) = self.c, self.w, x.shape
        E, A = c["n_routed_experts"], c["num_experts_per_tok"]
        z = x.reshape(-1, D) @ w[p + "gate.weight"].T
        s = z.sigmoid() if c.get("scoring_func", "sigmoid") == "sigmoid" else z.softmax(-1)
        bias = w.get(p + "gate.e_score_correction_bias")
        with torch.no_grad():
            pick = s if bias is None else s + bias
            G = c.get("n_group") or 1
            if G > 1 and c.get("topk_method") != "greedy":
                groups = pick.view(-1, G, E // G)
                rank = groups.topk(2, -1).values.sum(-1) if bias is not None else groups.max(-1).values
                keep = torch.zeros_like(rank).scatter_(1, rank.topk(c["topk_group"], -1).indices, 1)
                pick = groups.masked_fill(keep[..., None] == 0, -torch.inf).view(-1, E)
            ids = pick.topk(A, -1).indices
        weight = s.gather(1, ids)
        if c.get("norm_topk_prob"):
            weight = weight / (weight.sum(-1, keepdim=True) + 1e-20)
        weight = weight * c["routed_scaling_factor"]
        self.counts[p] = torch.bincount(ids.flatten(), minlength=E)
        unbiased = torch.zeros_like(s).scatter_(1, s.detach().topk(A, -1).indices, 1).view(B, S, E)
        f = unbiased.sum(1) * (E / (A * S))
        P = (s / s.sum(-1, keepdim=True)).view(B, S, E).mean(1)
        self.aux = self.aux + alpha * (f * P).sum(-1).mean()
        flat, out = x.reshape(-1, D), torch.zeros_like(x).view(-1, D)
        for e in range(E):
            token, slot = (ids == e).nonzero(as_tuple=True)
            if len(token):
                y = self.glu(f"{p}experts.{e}.", flat[token]) * weight[token, slot, None]
                out = out.index_add(0, token, y)
        return out.view_as(x) + (self.glu(p + "shared_experts.", x) if c.get("n_shared_experts") else 0)

    def block(self, layer, h, pos, mask, alpha):
        p, w = f"model.layers.{layer}.", self.w
        h = h + self.attention(p + "self_attn.", norm(h, w[p + "input_layernorm.weight"], self.eps), pos, mask)
        x = norm(h, w[p + "post_attention_layernorm.weight"], self.eps)
        return h + (self.moe(p + "mlp.", x, alpha) if p + "mlp.gate.weight" in w else self.glu(p + "mlp.", x))

    def loss(self, tokens, counted, start, alpha, mtp_weight):
        """tokens [B, S+1 or S+2]; counted the same; returns objective, loss, aux, mtp"""
        w, S = self.w, counted.shape[1] - 2
        ids = tokens[:, :S]
        begin = torch.zeros_like(ids, dtype=torch.bool)
        begin[:, 0] = True
        if start >= 0:
            begin |= ids == start
        doc = begin.cumsum(1)
        at = torch.arange(S).expand_as(ids)
        pos = at - torch.where(begin, at, 0).cummax(1).values
        mask = (doc[:, :, None] == doc[:, None, :]) & (at[:, :, None] >= at[:, None, :])
        self.aux, self.counts = torch.zeros((), dtype=w["model.norm.weight"].dtype), {}
        h = w["model.embed_tokens.weight"][ids]
        for layer in range(self.layers):
            h = self.block(layer, h, pos, mask, alpha)
        h = norm(h, w["model.norm.weight"], self.eps)
        head = w["model.embed_tokens.weight"] if self.tied else w["lm_head.weight"]
        total = counted[:, 1 : S + 1].sum()
        nll = F.cross_entropy((h @ head.T).flatten(0, 1), tokens[:, 1 : S + 1].flatten(), reduction="none")
        loss = (nll * counted[:, 1 : S + 1].flatten()).sum() / total
        mtp = torch.zeros_like(loss)
        if mtp_weight > 0:
            p = f"model.layers.{self.layers}."
            token = norm(w["model.embed_tokens.weight"][tokens[:, 1:S]], w[p + "enorm.weight"], self.eps)
            x = torch.cat((token, norm(h[:, :-1], w[p + "hnorm.weight"], self.eps)), -1) @ w[p + "eh_proj.weight"].T
            y = norm(self.block(self.layers, x, pos[:, :-1], mask[:, :-1, :-1], alpha), w[p + "shared_head.norm.weight"], self.eps)
            nll = F.cross_entropy((y @ head.T).flatten(0, 1), tokens[:, 2 : S + 1].flatten(), reduction="none")
            mtp = (nll * counted[:, 2 : S + 1].flatten()).sum() / total
        return loss + self.aux + mtp_weight * mtp, loss, self.aux, mtp


def muon(M, g, w, lr, wd):
    M.mul_(0.95).add_(g)
    u = g + 0.95 * M
    x = u / (u.norm() + 1e-7)
    turn = x.shape[0] > x.shape[1]
    x = x.T if turn else x
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    w.mul_(1 - lr * wd).sub_(lr * 0.2 * math.sqrt(max(w.shape)) * (x.T if turn else x))


def train(o, dtype):
    c, w = load(o.init, dtype)
    model = Model(c, w)
    L = c["num_hidden_layers"]
    shared = lambda n: n.endswith(("embed_tokens.weight", "shared_head.head.weight")) and n.startswith("model.layers.")
    trained = [n for n in w if not n.endswith("correction_bias") and not shared(n)]
    if o.mtp_weight == 0:
        trained = [n for n in trained if not n.startswith(f"model.layers.{L}.")]
    if model.tied:
        trained = [n for n in trained if n != "lm_head.weight"]
    for n in trained:
        w[n].requires_grad_()
    stream = torch.from_numpy(np.fromfile(o.tokens, dtype="<u4").astype(np.int64))
    marks = torch.from_numpy(np.fromfile(o.mask, dtype="u1")) if o.mask else torch.ones_like(stream)
    stream, marks = (torch.cat((t, torch.zeros(1, dtype=t.dtype))) for t in (stream, marks))
    b1, b2 = (float(x) for x in o.betas.split(","))
    m, v = ({n: torch.zeros_like(w[n]) for n in trained} for _ in range(2))
    log = []
    for k in range(o.steps):
        rows = [range((k * o.batch + b) * o.seq, (k * o.batch + b + 1) * o.seq + 2) for b in range(o.batch)]
        tokens, counted = (torch.stack([t[list(r)] for r in rows]) for t in (stream, marks))
        objective, loss, aux, mtp = model.loss(tokens, counted.to(dtype), o.document_start, o.aux_loss, o.mtp_weight)
        for n in trained:
            w[n].grad = None
        objective.backward()
        grads = {n: w[n].grad if w[n].grad is not None else torch.zeros_like(w[n]) for n in trained}
        size = math.sqrt(sum(float(g.double().square().sum()) for g in grads.values()))
        lr = o.lr
        line = {"step": k, "loss": loss.item(), "aux": aux.item()}
        if o.mtp_weight > 0:
            line["mtp_loss"] = mtp.item()
        line |= {"grad_norm": size, "lr": lr}
        if o.log_tensor_norms:
            line["tensor_grad_norm"] = {n: float(g.double().norm()) for n, g in grads.items()}
        log.append(line)
        if k == 0:
            first = {n: g.clone() for n, g in grads.items()}
        factor = min(1.0, o.clip / (size + 1e-6)) if o.clip > 0 else 1.0
        with torch.no_grad():
            for n in trained:
                g = grads[n] * factor
                matrix = w[n].ndim == 2 and n != "model.embed_tokens.weight"
                if o.optimizer == "muon" and matrix and n != "lm_head.weight" and not n.endswith("mlp.gate.weight"):
                    muon(m[n], g, w[n], lr, o.weight_decay)
                    continue
                if matrix:
                    w[n].mul_(1 - lr * o.weight_decay)
                m[n].mul_(b1).add_(g, alpha=1 - b1)
                v[n].mul_(b2).addcmul_(g, g, value=1 - b2)
                w[n].sub_(lr * (m[n] / (1 - b1 ** (k + 1))) / ((v[n] / (1 - b2 ** (k + 1))).sqrt() + o.eps))
            for p, count in model.counts.items():
                if p + "gate.e_score_correction_bias" in w:
                    mean = count.double().mean()
                    w[p + "gate.e_score_correction_bias"] += (o.balance_rate * torch.sign(mean - count)).to(dtype)
    return log, first, w


def arguments():
    a = argparse.ArgumentParser()
    for name, default in (("init", ""), ("tokens", ""), ("mask", ""), ("log", ""), ("betas", "0.9,0.95"), ("optimizer", "adamw"), ("dtype", "f32")):
        a.add_argument("--" + name, default=default)
    for name, default in (("batch", 8), ("seq", 256), ("steps", 100), ("document-start", -1)):
        a.add_argument("--" + name, type=int, default=default)
    for name, default in (("lr", 1e-3), ("eps", 1e-8), ("weight-decay", 0.1), ("clip", 1.0), ("balance-rate", 1e-3), ("aux-loss", 1e-4), ("mtp-weight", 0.0)):
        a.add_argument("--" + name, type=float, default=default)
    a.add_argument("--log-tensor-norms", action="store_true")
    a.add_argument("--fixtures", action="store_true")
    return a


CASES = {
    "llama": ["--document-start", "5"],
    "qwen2": [],
    "deepseek_v2_lite": ["--aux-loss", "0.01"],
    "deepseek_v3_flat": ["--aux-loss", "0.01"],
    "deepseek_v3": ["--aux-loss", "0.01", "--mtp-weight", "0.3", "--document-start", "5"],
    "deepseek_v3_muon": ["--optimizer", "muon", "--mtp-weight", "0.3", "--lr", "0.01"],
}


def fixtures():
    golden = pathlib.Path(__file__).resolve().parent.parent / "tests/golden"
    rng = np.random.default_rng(1)
    stream = rng.integers(2, 90, 24 * 2 * 20 + 1).astype("<u4")
    stream.tofile(golden / "train/stream.u32")
    for name, flags in CASES.items():
        init = golden / "models" / name.removesuffix("_muon")
        flags = ["--batch", "2", "--seq", "20", "--steps", "24", "--log-tensor-norms"] + flags
        o = arguments().parse_args(flags + ["--init", str(init), "--tokens", str(golden / "train/stream.u32")])
        log, first, w = train(o, torch.float64)
        norms = log[0].pop("tensor_grad_norm")
        samples = {}
        for n, g in first.items():
            step = max(1, g.numel() // 5)
            samples[n] = [float(f"{x:.12g}") for x in g.flatten()[::step][:6].tolist()]
        for line in log:
            line.pop("tensor_grad_norm", None)
        out = {"model": init.name, "flags": flags, "log": log, "norms": norms, "samples": samples,
               "final_norms": {n: float(t.detach().double().norm()) for n, t in w.items()}}
        (golden / "train" / (name + ".json")).write_text(json.dumps(out, indent=0) + "\n")
        print(name, log[0]["loss"], log[-1]["loss"])


if __name__ == "__main__":
    options = arguments().parse_args()
    torch.set_num_threads(1)
    if options.fixtures:
        fixtures()
    else:
        lines, _, _ = train(options, torch.float64 if options.dtype == "f64" else torch.float32)
        text = "".join(json.dumps(line) + "\n" for line in lines)
        pathlib.Path(options.log).write_text(text) if options.log else print(text, end="")
