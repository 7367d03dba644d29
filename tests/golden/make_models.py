"""Writes models/NAME/: a tiny random checkpoint of every architecture and its golden results (see README.md).

Usage: python make_models.py [NAME...]     needs numpy, torch, safetensors; transformers for the cross-check
"""

import json
import pathlib
import shutil
import sys
import tempfile
import zlib

import numpy as np
import torch
from safetensors.torch import save_file

import shapes
from reference import Reference

HERE = pathlib.Path(__file__).resolve().parent
DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
SHORT, LONG, CONTINUATION, MARGIN = 24, 70, 16, 1e-3
BLOCK = 128


def draw(config, name, shape, seed):
    """float32 values of one tensor. Spreads are chosen for lively logits, routers and biases, not for training."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    x = rng.standard_normal(shape)
    if name.endswith("e_score_correction_bias"):
        return (0.35 * x - 0.55).astype(np.float32)  # most are negative: a mask of 0 would beat them
    if "norm.weight" in name:
        x = 1 + 0.2 * x
    elif name.endswith(".bias"):
        x = 0.4 * x
    elif name.endswith("embed_tokens.weight"):
        x = 0.5 * x
    else:
        gain = 2.0 if "lm_head" in name or "shared_head.head" in name or "gate.weight" in name else 1.2
        x = gain * x / np.sqrt(shape[-1])
    x[np.abs(x) < 2.0**-10] = 0  # so that every bfloat16 value is a float16 value as well
    return x.astype(np.float32)


def to_fp8(x):
    """e4m3 in 128x128 blocks, partial at the edges: (values, scale_inv); the weight is values * scale_inv."""
    rows, cols = (-(-n // BLOCK) for n in x.shape)
    scale = torch.empty(rows, cols)
    q = torch.empty(x.shape, dtype=torch.float8_e4m3fn)
    for i in range(rows):
        for j in range(cols):
            part = (slice(i * BLOCK, (i + 1) * BLOCK), slice(j * BLOCK, (j + 1) * BLOCK))
            scale[i, j] = x[part].abs().max() / 448.0
            q[part] = (x[part] / scale[i, j]).to(torch.float8_e4m3fn)
    return q, scale


def from_fp8(q, scale):
    full = scale.repeat_interleave(BLOCK, 0)[: q.shape[0]].repeat_interleave(BLOCK, 1)[:, : q.shape[1]]
    return q.to(torch.float64) * full.to(torch.float64)


def is_fp8(config, name):
    return "quantization_config" in config and "_proj" in name


def build(config, seed):
    """-> (stored tensors, float64 weights that they mean)."""
    stored, exact = {}, {}
    dtype = DTYPES[config["torch_dtype"]]
    for name, shape in shapes.tensors(config):
        x = torch.from_numpy(draw(config, name, shape, seed))
        if name.endswith(("shared_head.head.weight", "embed_tokens.weight")) and "layers" in name:
            x = stored["lm_head.weight" if "head" in name else "model.embed_tokens.weight"].float()  # MTP shares both
        if is_fp8(config, name):
            stored[name], scale = to_fp8(x)
            stored[name + "_scale_inv"] = scale
            exact[name] = from_fp8(stored[name], scale).numpy()
        else:
            stored[name] = x.contiguous() if name.endswith("correction_bias") else x.to(dtype)
            exact[name] = stored[name].double().numpy()
    return stored, exact


def prompt(config, seed, count):
    return np.random.default_rng([seed, count]).integers(0, config["vocab_size"], count)


def golden(config, exact, seed):
    """-> (arrays, facts), or None when a choice is too close to call in float32."""
    ref = Reference(config, exact)
    arrays, facts = {}, {"seed": seed}
    gaps = []
    for label, count in (("short", SHORT), ("long", LONG)):
        tokens = prompt(config, seed, count)
        out = ref.forward(tokens)
        arrays[f"logits.{label}"] = out["logits"][-SHORT:]
        if label == "short":
            arrays["hidden.short"], arrays["final.short"] = out["hidden"], out["final"]
            if config.get("num_nextn_predict_layers"):
                arrays["mtp.short"] = ref.mtp(tokens, out["final"])
        if min(ref.margins, default=1) < MARGIN:
            return None
        greedy, gap = ref.greedy(tokens, CONTINUATION)
        gaps += gap
        if min(gaps) < 10 * MARGIN or min(ref.margins, default=1) < MARGIN or config["eos_token_id"] in greedy:
            return None
        facts[label] = {"tokens": tokens.tolist(), "greedy": greedy}
    facts["logits_std"] = float(arrays["logits.long"].std())
    facts["min_top2_gap"] = float(min(gaps))
    facts["min_router_gap"] = float(min(ref.margins)) if ref.margins else None
    return arrays, facts


def load_transformers(config, exact):
    from transformers import AutoModelForCausalLM

    plain = {k: v for k, v in config.items() if k not in ("quantization_config", "num_nextn_predict_layers")}
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "config.json").write_text(json.dumps(plain))
        save_file({k: torch.from_numpy(v).contiguous() for k, v in exact.items()}, f"{folder}/model.safetensors",
                  metadata={"format": "pt"})
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager",
                                                     experts_implementation="eager").eval()
    model.generation_config.eos_token_id = None
    return model


def mtp_prefix(config):
    return f"model.layers.{config['num_hidden_layers']}."


def mtp_check(config, exact, facts, arrays):
    """The prediction layer's block, norm and head as a one-layer transformers model fed with eh_proj's output."""
    p = mtp_prefix(config)
    w = {k[len(p):]: v for k, v in exact.items() if k.startswith(p)}
    outer = ("embed_tokens.", "enorm.", "hnorm.", "eh_proj.", "shared_head.")
    renamed = {"model.layers.0." + k: v for k, v in w.items() if not k.startswith(outer)}
    renamed |= {"model.embed_tokens.weight": w["embed_tokens.weight"], "model.norm.weight": w["shared_head.norm.weight"],
                "lm_head.weight": w["shared_head.head.weight"]}
    model = load_transformers({**config, "num_hidden_layers": 1, "first_k_dense_replace": 0}, renamed)
    norm = torch.nn.functional.rms_norm
    h, eps = torch.from_numpy(arrays["final.short"]), config["rms_norm_eps"]
    t = {k: torch.from_numpy(w[k + ".weight"]) for k in ("embed_tokens", "enorm", "hnorm", "eh_proj")}
    emb = t["embed_tokens"][facts["short"]["tokens"][1:]]
    x = torch.cat([norm(emb, emb.shape[-1:], t["enorm"], eps), norm(h[:-1], h.shape[-1:], t["hnorm"], eps)], -1)
    with torch.no_grad():
        logits = model(inputs_embeds=(x @ t["eh_proj"].T)[None]).logits[0].double().numpy()
    return {"max_logit_difference": float(np.abs(logits - arrays["mtp.short"]).max())}


def cross_check(config, exact, facts, arrays):
    """The golden logits and greedy tokens beside those of transformers (with its cache) on the same weights."""
    model = load_transformers(config, {k: v for k, v in exact.items() if not k.startswith(mtp_prefix(config))})
    worst, same = 0.0, True
    for label in ("short", "long"):
        ids = torch.tensor([facts[label]["tokens"]])
        with torch.no_grad():
            logits = model(ids).logits[0, -SHORT:].double().numpy()
            text = model.generate(ids, max_new_tokens=CONTINUATION, do_sample=False, pad_token_id=0,
                                  attention_mask=torch.ones_like(ids))
        worst = max(worst, float(np.abs(logits - arrays[f"logits.{label}"]).max()))
        same &= text[0, ids.shape[1]:].tolist() == facts[label]["greedy"]
    return {"max_logit_difference": worst, "same_greedy": same}


def compare(config, exact, facts, arrays):
    """cross_check; where transformers is known to leave the authors' rules, also with its own rule in the reference."""
    found = {"authors_rules": cross_check(config, exact, facts, arrays)}
    if config.get("num_nextn_predict_layers"):
        found["mtp"] = mtp_check(config, exact, facts, arrays)
    if config["model_type"] == "deepseek_v2" and config["norm_topk_prob"]:
        without = {**config, "norm_topk_prob": False}
        ref, other_facts, other = Reference(without, exact), {}, {}
        for label in ("short", "long"):
            tokens = facts[label]["tokens"]
            other[f"logits.{label}"] = ref.forward(np.array(tokens))["logits"][-SHORT:]
            other_facts[label] = {"tokens": tokens, "greedy": ref.greedy(tokens, CONTINUATION)[0]}
        found["without_norm_topk_prob"] = cross_check(config, exact, other_facts, other)
    return found


def write(name, config, stored, arrays, facts):
    folder = HERE / "models" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    if name == "llama":  # the sharded one
        names = sorted(stored)
        files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
        where = {n: files[i * 2 // len(names)] for i, n in enumerate(names)}
        for f in files:
            save_file({n: stored[n] for n in names if where[n] == f}, folder / f, metadata={"format": "pt"})
        total = sum(t.numel() * t.element_size() for t in stored.values())
        index = {"metadata": {"total_size": total}, "weight_map": where}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    else:
        save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    save_file({k: torch.from_numpy(v).float().contiguous() for k, v in arrays.items()}, folder / "golden.safetensors")
    (folder / "golden.json").write_text(json.dumps(facts) + "\n")


def main():
    configs = json.loads((HERE / "model_configs.json").read_text())
    for name in sys.argv[1:] or configs:
        config = configs[name]
        for seed in range(1, 2000):
            stored, exact = build(config, seed)
            found = golden(config, exact, seed)
            if found:
                break
        else:
            raise SystemExit(f"{name}: no seed keeps every choice clear of a tie")
        arrays, facts = found
        facts["transformers"] = compare(config, exact, facts, arrays)
        write(name, config, stored, arrays, facts)
        size = sum(f.stat().st_size for f in (HERE / "models" / name).iterdir())
        print(name, size, {k: v for k, v in facts.items() if k not in ("short", "long")}, flush=True)


if __name__ == "__main__":
    main()
