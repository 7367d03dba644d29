"""Writes smollm2.json: logits and greedy text of SmolLM2-135M-Instruct (the default model's GGUF) by an independent engine.

The tensors are dequantised with the gguf package, q and k rows are put back into half-split rotary order, and transformers
runs a LlamaForCausalLM on them in float64.    Usage: python make_smollm2.py SmolLM2-135M-Instruct.Q4_1.gguf
"""

import hashlib
import json
import pathlib
import sys

import gguf
import jinja2
import numpy as np
import tokenizers
import torch

import gguf_names
import make_models
from reference import Reference

HERE = pathlib.Path(__file__).resolve().parent
TOP, CONTINUATION = 20, 32
PROMPT = "The capital of France is"
CHAT = [{"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Why is the sky blue? Answer in one sentence."}]  # fmt: skip


def read_config(field):
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": field("llama.embedding_length"), "num_hidden_layers": field("llama.block_count"),
        "num_attention_heads": field("llama.attention.head_count"),
        "num_key_value_heads": field("llama.attention.head_count_kv"),
        "intermediate_size": field("llama.feed_forward_length"), "vocab_size": len(field("tokenizer.ggml.tokens")),
        "max_position_embeddings": field("llama.context_length"), "rope_theta": field("llama.rope.freq_base"),
        "rms_norm_eps": field("llama.attention.layer_norm_rms_epsilon"), "tie_word_embeddings": True,
        "bos_token_id": field("tokenizer.ggml.bos_token_id"), "eos_token_id": field("tokenizer.ggml.eos_token_id"),
    }  # fmt: skip


def read_tokenizer(field):
    """The published SmolLM2 pipeline: digits one by one, GPT-2 pattern, byte-level BPE."""
    tokens, types = field("tokenizer.ggml.tokens"), field("tokenizer.ggml.token_type")
    merges = [tuple(m.split(" ")) for m in field("tokenizer.ggml.merges")]
    t = tokenizers.Tokenizer(tokenizers.models.BPE({s: i for i, s in enumerate(tokens)}, merges))
    pre = tokenizers.pre_tokenizers
    t.pre_tokenizer = pre.Sequence([pre.Digits(individual_digits=True), pre.ByteLevel(add_prefix_space=False)])
    t.decoder = tokenizers.decoders.ByteLevel()
    t.add_special_tokens([s for s, kind in zip(tokens, types) if kind == gguf.TokenType.CONTROL])
    return t


def one_prompt(model, tokenizer, text):
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0]
        out = model.generate(torch.tensor([ids]), max_new_tokens=CONTINUATION, do_sample=False, output_logits=True,
                             return_dict_in_generate=True, attention_mask=torch.ones(1, len(ids)), pad_token_id=0)
    best = torch.topk(logits, TOP)
    pairs = [torch.topk(step[0], 2).values for step in out.logits]
    greedy = out.sequences[0, len(ids):].tolist()
    facts = {
        "text": text, "tokens": ids,
        "positions": [{"mean": float(row.mean()), "std": float(row.std()), "ids": i.tolist(),
                       "logits": [round(v, 6) for v in values.tolist()]}
                      for row, i, values in zip(logits, best.indices, best.values)],
        "greedy": greedy, "greedy_text": tokenizer.decode(greedy, skip_special_tokens=False),
        "greedy_gaps": [round(float(a - b), 6) for a, b in pairs],
    }  # fmt: skip
    return facts, logits.numpy()


def main():
    path = pathlib.Path(sys.argv[1])
    reader = gguf.GGUFReader(path)
    field = lambda key: reader.fields[key].contents()  # noqa: E731
    config, tokenizer = read_config(field), read_tokenizer(field)
    weights = gguf_names.from_gguf(config, [path])
    model = make_models.load_transformers(config, weights)
    template = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(field("tokenizer.chat_template"))
    specials = {f"{k}_token": field("tokenizer.ggml.tokens")[config[f"{k}_token_id"]] for k in ("bos", "eos")}
    chat = template.render(messages=CHAT, add_generation_prompt=True, **specials)
    out = {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "messages": CHAT}
    for label, text in (("plain", PROMPT), ("chat", chat)):
        out[label], logits = one_prompt(model, tokenizer, text)
        other = Reference(config, weights).forward(np.array(out[label]["tokens"]))["logits"]
        out[label]["reference_max_difference"] = float(np.abs(logits - other).max())
        print(label, out[label]["tokens"], out[label]["greedy_text"], min(out[label]["greedy_gaps"]),
              out[label]["reference_max_difference"])  # fmt: skip
    (HERE / "smollm2.json").write_text(json.dumps(out) + "\n")


if __name__ == "__main__":
    main()
