#include "models/config.h"

#include <algorithm>
#include <cmath>

#include "base/strings.h"

namespace jevons {
namespace {

const Family* const kFamilies[] = {&kLlama, &kQwen2, &kQwen3, &kDeepseek};
constexpr int64_t kMaxDim = int64_t{1} << 24;

constexpr double kMaxParameters = 1e16, kMaxCache = 1e8, kMinReal = 1e-20, kMaxReal = 1e20, kMinTheta = 1.001;

double within(FieldReader& fields, const std::string& name, double low, double high, double otherwise) {
  const double value = fields.number(name, otherwise);
  if (value >= low && value <= high) return value;
  throw Error(Code::invalid,
              cat("the field ", quote(name), " has the value ", value, ", expected ", low, " to ", high));
}

int64_t element(const char* name, const Json& value) {
  try {
    return value.as_int();
  } catch (const Error& e) {
    throw e.within(cat("the field ", quote(name)));
  }
}

// rope_theta and rope_scaling, or transformers 5's rope_parameters that holds both.
void read_rope(FieldReader& fields) {
  Config& config = fields.config();
  RopeConfig& rope = config.rope;
  rope.theta = within(fields, "rope_theta", kMinTheta, kMaxReal, 10000);
  rope.interleaved = fields.boolean("jevons_rope_interleaved", rope.interleaved);
  const Json* parameters = fields.find("rope_parameters");
  const Json* scaling = fields.find("rope_scaling");
  const char* name = scaling ? "rope_scaling" : "rope_parameters";
  if (!scaling) scaling = parameters;
  if (!scaling) return;
  if (!scaling->is_object())
    throw Error(Code::invalid, cat("the field ", quote(name), " is ", scaling->type_name(), ", expected an object"));
  FieldReader inner(*scaling, config);
  rope.theta = within(inner, "rope_theta", kMinTheta, kMaxReal, rope.theta);
  rope.type = inner.text("rope_type", inner.text("type", "default"));
  if (rope.type != "default" && rope.type != "linear" && rope.type != "llama3" && rope.type != "yarn")
    throw Error(Code::unsupported, cat("rope_scaling type ", quote(rope.type),
                                       " is not implemented; this program knows default, linear, llama3 and yarn"));
  if (rope.type != "default") rope.factor = within(inner, "factor", 1, kMaxReal, 1);
  rope.original_max_position_embeddings =
      inner.integer("original_max_position_embeddings", 1, int64_t{1} << 40, config.max_position_embeddings);
  rope.low_freq_factor = within(inner, "low_freq_factor", kMinReal, kMaxReal, 1);
  rope.high_freq_factor = within(inner, "high_freq_factor", kMinReal, kMaxReal, 4);
  rope.beta_fast = within(inner, "beta_fast", kMinReal, kMaxReal, 32);
  rope.beta_slow = within(inner, "beta_slow", kMinReal, kMaxReal, 1);
  rope.mscale = within(inner, "mscale", 0, 1000, config.latent() ? 1 : 0);
  rope.mscale_all_dim = within(inner, "mscale_all_dim", 0, 1000, 0);
  rope.attention_factor = within(inner, "attention_factor", 0, 1000, 0);
  // R1-0528-Qwen3 publishes attn_factor, a multiplier of the derived magnitude, and was trained with it; transformers
  // passes over the field (issue 684 of deepseek-ai/DeepSeek-R1).
  if (rope.type == "yarn" && !config.latent() && inner.has("attn_factor"))
    rope.attention_factor = within(inner, "attn_factor", kMinReal, 1000, 1) * (0.1 * std::log(rope.factor) + 1);
  inner.only("truncate", true);
  inner.only("partial_rotary_factor", 1.0);
  if (rope.type == "llama3" && !(rope.high_freq_factor > rope.low_freq_factor))
    throw Error(Code::invalid, "rope_scaling llama3 needs 0 < low_freq_factor < high_freq_factor");
  if (const auto names = inner.unread(); !names.empty())
    throw Error(Code::unsupported, cat("rope_scaling has the field ", quote(names[0]), ", which is not implemented"));
}

void read_common(FieldReader& fields) {
  Config& config = fields.config();
  config.vocab_size = fields.integer("vocab_size", 1, kMaxDim);
  config.hidden_size = fields.integer("hidden_size", 1, kMaxDim);
  config.num_hidden_layers = fields.integer("num_hidden_layers", 1, 100000);
  config.intermediate_size = fields.integer("intermediate_size", 1, kMaxDim, 0);
  config.num_attention_heads = fields.integer("num_attention_heads", 1, 65536);
  config.num_key_value_heads = fields.integer("num_key_value_heads", 1, 65536, config.num_attention_heads);
  config.rms_norm_eps = within(fields, "rms_norm_eps", kMinReal, 1, 1e-6);
  config.tie_word_embeddings = fields.boolean("tie_word_embeddings", false);
  config.max_position_embeddings = fields.integer("max_position_embeddings", 1, INT32_MAX);
  if (const Json* eos = fields.find("eos_token_id")) {
    if (eos->is_array())
      for (const Json& id : eos->as_array()) config.eos_token_ids.push_back(element("eos_token_id", id));
    else
      config.eos_token_ids.push_back(element("eos_token_id", *eos));
  }
  fields.only("hidden_act", "silu");
  fields.only("attention_dropout", 0.0);
  fields.only("partial_rotary_factor", 1.0);
  fields.only("attn_logit_softcapping", Json());  // null: absent
  fields.only("final_logit_softcapping", Json());
  const Json* quantization = fields.find("quantization_config");
  if (quantization && !(quantization->is_object() && quantization->find("quant_method")))
    throw Error(Code::unsupported, "quantization_config does not say its quant_method; only \"fp8\" is implemented");
  fields.only("quantization_config.quant_method", "fp8");
  fields.only("quantization_config.fmt", "e4m3");
  fields.only("quantization_config.weight_block_size", Json(Json::Array{128, 128}));
  fields.ignore({"architectures",
                 "model_type",
                 "torch_dtype",
                 "dtype",
                 "transformers_version",
                 "use_cache",
                 "initializer_range",
                 "bos_token_id",
                 "pad_token_id",
                 "_name_or_path",
                 "auto_map",
                 "unsloth_fixed",
                 "pretraining_tp",
                 "is_llama_config",
                 "rope_interleaved",
                 "transformers.js_config",
                 "chunk_size_feed_forward",
                 "output_hidden_states",
                 "output_attentions",
                 "return_dict",
                 "id2label",
                 "label2id",
                 "problem_type",
                 "is_encoder_decoder",
                 "head_dim",
                 "attn_implementation",
                 "_attn_implementation_autoset",
                 "jevons_source",
                 "jevons_quantization"});
}

// An overestimate in floating point, so that later sums of parameters stay inside 64 bits.
void check_size(const Config& config) {
  const auto real = [](int64_t n) { return static_cast<double>(n); };
  const double width = real(config.hidden_size), heads = real(config.num_attention_heads);
  const double inner = real(config.intermediate_size) +
                       real(config.n_routed_experts + config.n_shared_experts) * real(config.moe_intermediate_size);
  const double attention = width * heads * 4 * real(config.head_dim + config.v_head_dim) +
                           (width + heads * real(config.head_dim + config.v_head_dim)) *
                               real(config.q_lora_rank + config.kv_lora_rank + config.qk_rope_head_dim);
  const double layer = attention + 3 * width * inner + width * real(config.n_routed_experts) + 4 * width * width;
  const double total =
      2 * width * real(config.vocab_size) + layer * real(config.num_hidden_layers + config.num_nextn_predict_layers);
  if (total > kMaxParameters)
    throw Error(Code::too_large,
                cat("the sizes describe about ", total, " parameters; at most ", kMaxParameters,
                    " are accepted; check hidden_size, vocab_size, num_hidden_layers and the experts"));
  if (const double cache = real(config.num_hidden_layers) * real(config.key_numbers() + config.value_numbers());
      cache > kMaxCache)
    throw Error(Code::too_large, cat("a token would leave ", cache, " numbers in the cache; at most ", kMaxCache,
                                     " are accepted; check num_hidden_layers, num_key_value_heads and head_dim"));
}

void check(const Config& config) {
  if (config.rope_dim() < 2)
    throw Error(Code::invalid, cat("the heads have ", config.rope_dim(), " rotary numbers, expected at least 2; check ",
                                   "hidden_size, num_attention_heads and head_dim"));
  for (int64_t l = 0; l < config.num_hidden_layers && config.intermediate_size == 0; ++l)
    if (!config.layer_is_moe(l))
      throw Error(Code::invalid, cat("the field \"intermediate_size\" is missing, and layer ", l, " needs it"));
  check_size(config);
  if (!config.latent()) {
    if (config.num_attention_heads % config.num_key_value_heads != 0)
      throw Error(Code::invalid, cat("num_attention_heads ", config.num_attention_heads,
                                     " must be a multiple of num_key_value_heads ", config.num_key_value_heads));
  }
  if (config.rope_dim() % 2 != 0)
    throw Error(Code::invalid, cat("the rotary width ", config.rope_dim(), " must be even"));
  if (config.n_routed_experts > 0) {
    if (config.num_experts_per_tok > config.n_routed_experts)
      throw Error(Code::invalid, cat("num_experts_per_tok ", config.num_experts_per_tok, " exceeds the ",
                                     config.n_routed_experts, " experts"));
    if (config.n_routed_experts % config.n_group != 0 || config.topk_group > config.n_group)
      throw Error(Code::invalid, cat("n_group ", config.n_group, " must divide ", config.n_routed_experts,
                                     " experts, and topk_group ", config.topk_group, " must not exceed it"));
    if (config.num_experts_per_tok > config.topk_group * (config.n_routed_experts / config.n_group))
      throw Error(Code::invalid, "num_experts_per_tok exceeds the experts of the allowed groups");
  }
}

}  // namespace

bool Config::layer_is_moe(int64_t layer) const {
  return n_routed_experts > 0 && layer >= first_k_dense_replace && layer % moe_layer_freq == 0 &&
         std::find(mlp_only_layers.begin(), mlp_only_layers.end(), layer) == mlp_only_layers.end();
}

Result<Config> parse_config(const Json& json, std::vector<std::string>* unknown) {
  try {
    const std::string& type = json.at("model_type").as_string();
    const Family* family = nullptr;
    std::string known;
    for (const Family* candidate : kFamilies)
      for (const std::string& name : candidate->model_types) {
        known += cat(known.empty() ? "" : ", ", name);
        if (name == type) family = candidate;
      }
    if (!family)
      return Error(Code::unsupported,
                   cat("model_type ", quote(type), " is not implemented; this program knows ", known));
    Config config;
    config.model_type = type;
    FieldReader fields(json, config);
    read_common(fields);
    family->read(fields);
    read_rope(fields);
    check(config);
    if (unknown) *unknown = fields.unread();
    return config;
  } catch (const Error& e) {
    return e;
  }
}

const Json* FieldReader::find(const std::string& name) {
  seen_.push_back(name);
  const Json* found = json_.find(name);
  return found && !found->is_null() ? found : nullptr;
}

int64_t FieldReader::integer(const std::string& name, int64_t low, int64_t high) {
  if (!has(name)) throw Error(Code::invalid, cat("the field ", quote(name), " is missing"));
  return integer(name, low, high, 0);
}

int64_t FieldReader::integer(const std::string& name, int64_t low, int64_t high, int64_t otherwise) {
  const Json* found = find(name);
  if (!found) return otherwise;
  try {
    const int64_t value = found->as_int();
    if (value >= low && value <= high) return value;
    throw Error(Code::invalid, cat("has the value ", value, ", expected ", low, " to ", high));
  } catch (const Error& e) {
    throw e.within(cat("the field ", quote(name)));
  }
}

double FieldReader::number(const std::string& name, double otherwise) {
  const Json* found = find(name);
  if (!found) return otherwise;
  try {
    const double value = found->as_double();
    if (!std::isfinite(value)) throw Error(Code::invalid, "is not a finite number");
    return value;
  } catch (const Error& e) {
    throw e.within(cat("the field ", quote(name)));
  }
}

bool FieldReader::boolean(const std::string& name, bool otherwise) {
  const Json* found = find(name);
  if (!found) return otherwise;
  try {
    return found->as_bool();
  } catch (const Error& e) {
    throw e.within(cat("the field ", quote(name)));
  }
}

std::string FieldReader::text(const std::string& name, const std::string& otherwise) {
  const Json* found = find(name);
  if (!found) return otherwise;
  try {
    return found->as_string();
  } catch (const Error& e) {
    throw e.within(cat("the field ", quote(name)));
  }
}

void FieldReader::only(const std::string& name, const Json& value) {
  const Json* found = nullptr;
  if (const size_t dot = name.find('.'); dot != std::string::npos) {
    const Json* outer = find(name.substr(0, dot));
    found = outer ? outer->find(name.substr(dot + 1)) : nullptr;
  } else {
    found = find(name);
  }
  if (!found || *found == value) return;
  if (found->is_number() && value.is_number() && found->as_double() == value.as_double()) return;
  throw Error(Code::unsupported, cat("the field ", quote(name), " has the value ", found->dump(), "; only ",
                                     value.dump(), " is implemented"));
}

void FieldReader::ignore(std::initializer_list<const char*> names) {
  seen_.insert(seen_.end(), names.begin(), names.end());
}

std::vector<std::string> FieldReader::unread() const {
  std::vector<std::string> out;
  if (!json_.is_object()) return out;
  for (const auto& [name, value] : json_.as_object())
    if (!value.is_null() && std::find(seen_.begin(), seen_.end(), name) == seen_.end()) out.push_back(name);
  return out;
}

}  // namespace jevons
