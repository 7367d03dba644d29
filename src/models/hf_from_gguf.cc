#include "models/hf_from_gguf.h"

#include <algorithm>
#include <cmath>

#include "base/strings.h"
#include "formats/gguf_names.h"
#include "kernels/codec/codec.h"
#include "nn/rope.h"

namespace jevons {
namespace {

constexpr std::string_view kStack = ".mlp.experts.";

// Matrix e of a stack [E, rows, cols].
TensorSource expert(const TensorSource& stack, const std::string& hf, int64_t e) {
  TensorSource out = stack;
  const size_t at = hf.find(kStack) + kStack.size();
  out.name = cat(hf.substr(0, at), e, ".", hf.substr(at));
  out.shape.erase(out.shape.begin());
  out.pieces[0].first_row = e * out.shape[0];
  return out;
}

// kv_b_proj of a layer that holds it as attn_k_b [H, R, nope] and attn_v_b [H, width, R].
Result<TensorSource> joined(const TensorEntry& keys, const TensorEntry* values, const std::string& k_name) {
  if (!values || !keys.pack || !values->pack || keys.shape.size() != 3 || values->shape.size() != 3 ||
      keys.shape[0] != values->shape[0] || keys.shape[1] != values->shape[2])
    return Error(Code::invalid, cat("the tensors ", quote(keys.name), " and attn_v_b do not fit together"));
  TensorSource out;
  out.name = k_name.substr(0, k_name.rfind("k_b_proj")) + "kv_b_proj.weight";
  out.heads = keys.shape[0];
  out.shape = {out.heads * (keys.shape[2] + values->shape[1]), keys.shape[1]};
  out.halves = {&keys, values, keys.shape[2]};
  return out;
}

// The parameters of llama3 scaling that give these divisors of the frequencies.
Result<Json> llama3_scaling(const TensorEntry& divisors, double theta) {
  const int64_t n = divisors.numel();
  std::vector<float> given(static_cast<size_t>(n));
  if (!divisors.pack) return Error(Code::invalid, "rope_freqs.weight holds no numbers");
  dequantize_row(*divisors.pack, divisors.bytes.data(), n, given.data());
  RopeConfig plain, scaled;
  plain.theta = scaled.theta = theta;
  scaled.type = "llama3";
  scaled.factor = *std::max_element(given.begin(), given.end());
  const auto base = make_rope(plain, 2 * n, false).inv_freq;
  for (int64_t length = 16; length <= (int64_t{1} << 24); length *= 2) {
    scaled.original_max_position_embeddings = length;
    const auto found = make_rope(scaled, 2 * n, false).inv_freq;
    bool same = true;
    for (size_t i = 0; i < given.size(); ++i) same &= std::abs(base[i] / found[i] - given[i]) <= 1e-5 * given[i];
    if (same)
      return Json(Json::Object{{"rope_type", "llama3"},
                               {"factor", scaled.factor},
                               {"low_freq_factor", scaled.low_freq_factor},
                               {"high_freq_factor", scaled.high_freq_factor},
                               {"original_max_position_embeddings", length}});
  }
  return Error(
      Code::unsupported,
      "rope_freqs.weight holds divisors that config.json cannot say: they are not those of llama3 scaling with "
      "low_freq_factor 1 and high_freq_factor 4");
}

std::string class_name(std::string_view model_type) {
  constexpr std::pair<std::string_view, std::string_view> names[] = {{"llama", "Llama"},
                                                                     {"qwen2", "Qwen2"},
                                                                     {"qwen3", "Qwen3"},
                                                                     {"qwen3_moe", "Qwen3Moe"},
                                                                     {"deepseek_v2", "DeepseekV2"},
                                                                     {"deepseek_v3", "DeepseekV3"}};
  for (const auto& [type, name] : names)
    if (type == model_type) return cat(name, "ForCausalLM");
  throw Error(Code::unsupported, cat("model_type ", quote(model_type), " has no published class"));
}

}  // namespace

Result<std::vector<TensorSource>> hf_tensors(const Checkpoint& checkpoint) {
  JEVONS_TRY(std::string arch, checkpoint.gguf()->architecture());
  const Json& config = checkpoint.config();
  std::vector<TensorSource> out;
  for (const TensorEntry& entry : checkpoint.tensors()) {
    if (entry.name == "rope_freqs.weight") continue;
    const auto name = hf_name(entry.name);
    if (!name) return Error(Code::unsupported, cat("the tensor ", quote(entry.name), " has no published name"));
    const bool k_half = name->ends_with(".k_b_proj.weight"), v_half = name->ends_with(".v_b_proj.weight");
    if (k_half || v_half) {
      const std::string layer = name->substr(0, name->rfind(k_half ? "k_b_proj" : "v_b_proj"));
      if (v_half || checkpoint.find(layer + "kv_b_proj.weight")) continue;
      JEVONS_TRY(TensorSource source, joined(entry, checkpoint.find(layer + "v_b_proj.weight"), *name));
      out.push_back(std::move(source));
      continue;
    }
    JEVONS_TRY(TensorSource source, whole_tensor(*name, entry));
    if (name->find(kStack) != std::string::npos) {
      if (entry.shape.size() != 3) return Error(Code::invalid, cat("the tensor ", quote(entry.name), " is no stack"));
      for (int64_t e = 0; e < entry.shape[0]; ++e) out.push_back(expert(source, *name, e));
      continue;
    }
    const bool q = name->find("self_attn.q_proj.") != std::string::npos;
    if (gguf_interleaves_rope(arch) && (q || name->find("self_attn.k_proj.") != std::string::npos)) {
      source.order = TensorSource::Order::split;
      source.heads = config.at(q ? "num_attention_heads" : "num_key_value_heads").as_int();
      if (source.rows() % (2 * source.heads) != 0 && entry.shape.size() > 1)
        return Error(Code::invalid, cat("the tensor ", quote(entry.name), " has ", source.rows(), " rows, which ",
                                        source.heads, " heads of even width cannot share"));
    }
    out.push_back(std::move(source));
  }
  return out;
}

Result<Json> hf_config(const Checkpoint& checkpoint, std::string_view torch_dtype) {
  try {
    Json config = Json::object();
    config["architectures"] = Json::Array{class_name(checkpoint.config().at("model_type").as_string())};
    for (const auto& [name, value] : checkpoint.config().as_object())
      if (name != "jevons_rope_interleaved") config[name] = value;
    config["torch_dtype"] = torch_dtype;
    if (const TensorEntry* divisors = checkpoint.find_stored("rope_freqs.weight"))
      config["rope_scaling"] = llama3_scaling(*divisors, config.at("rope_theta").as_double()).value();
    if (const auto bos = checkpoint.gguf()->integer("tokenizer.ggml.bos_token_id")) config["bos_token_id"] = *bos;
    return config;
  } catch (const Error& e) {
    return e;
  }
}

}  // namespace jevons
