#include "engine/model.h"

#include <algorithm>
#include <fstream>

#include "base/file.h"
#include "base/progress.h"
#include "base/strings.h"
#include "engine/fingerprint.h"

namespace jevons {
namespace {

constexpr int64_t kBaseBytes = int64_t{17} << 20;  // program, libraries, thread stacks, tables: measured

// Widest row of activations times what lives at once in a step, as Decoder::hidden allocates it.
int64_t step_bytes(const Config& c, int64_t tokens, int64_t unit) {
  const int64_t attention =
      c.latent() ? c.num_attention_heads * (c.head_dim + 2 * c.kv_lora_rank + c.qk_rope_head_dim + c.v_head_dim) +
                       2 * c.q_lora_rank + 3 * c.key_numbers()
                 : (2 * c.num_attention_heads + 2 * c.num_key_value_heads) * c.head_dim;
  const int64_t experts =
      c.n_routed_experts > 0 ? (c.num_experts_per_tok + 1) * (2 * c.moe_intermediate_size + c.hidden_size) : 0;
  return unit * tokens * (6 * c.hidden_size + attention + std::max(2 * c.intermediate_size, experts)) +
         unit * c.vocab_size * (1 + kMostDrafts);
}

// A draft model guesses with its main layers only.
Result<Config> read_draft_config(const Checkpoint& draft) {
  JEVONS_TRY(Config config, read_config(draft));
  config.num_nextn_predict_layers = 0;
  return config;
}

}  // namespace

int64_t available_memory() {
  int64_t available = int64_t{1} << 40;
  std::ifstream meminfo("/proc/meminfo");
  for (std::string key; meminfo >> key;) {
    int64_t kilobytes = 0;
    if (key == "MemAvailable:" && meminfo >> kilobytes) available = kilobytes * 1024;
    meminfo.ignore(1 << 20, '\n');
  }
  int64_t limit = 0, used = 0;
  if (std::ifstream("/sys/fs/cgroup/memory.max") >> limit && std::ifstream("/sys/fs/cgroup/memory.current") >> used)
    available = std::min(available, std::max<int64_t>(limit - used, 0));
  return available;
}

Result<MemoryPlan> plan_memory(const Checkpoint& checkpoint, const Config& config, const ModelOptions& options,
                               int64_t context) {
  const LoadOptions load{options.ref ? DeviceKind::ref : DeviceKind::cpu, options.exact, options.expanded};
  MemoryPlan plan;
  JEVONS_TRY(plan.weights, plan_weights(checkpoint, config, load));
  const DType cache = options.ref ? DType::f64 : options.cache_type;
  plan.cache = options.cache_contexts * context *
               KvStore::bytes_per_token(config, config.num_hidden_layers + config.num_nextn_predict_layers, cache);
  plan.step = step_bytes(config, std::min<int64_t>(context, EngineOptions{}.step_tokens), options.ref ? 8 : 4);
  plan.base = kBaseBytes + (options.text != Text::none ? config.vocab_size * 200 : 0);
  if (options.draft.empty()) return plan;
  ModelOptions own = options;
  own.draft.clear(), own.text = Text::none;
  JEVONS_TRY(const Checkpoint draft, Checkpoint::open(options.draft));
  JEVONS_TRY(const Config draft_config, read_draft_config(draft));
  JEVONS_TRY(const MemoryPlan more, plan_memory(draft, draft_config, own, context));
  plan.weights.owned += more.weights.owned, plan.weights.mapped += more.weights.mapped;
  plan.cache += more.cache;
  plan.step = std::max(plan.step, more.step);
  return plan;
}

Result<std::unique_ptr<Model>> Model::load(const std::filesystem::path& path, const ModelOptions& options) {
  JEVONS_TRY(Checkpoint checkpoint, Checkpoint::open(path));
  JEVONS_TRY(const Config config, read_config(checkpoint));
  if (options.context > config.max_position_embeddings)
    return Error(Code::too_large, cat("--ctx ", options.context, " exceeds the ", config.max_position_embeddings,
                                      " positions that ", path.string(), " was made for"));
  if (!options.guess_by_lookup && options.guess_by_prediction && options.draft.empty() &&
      config.num_nextn_predict_layers == 0)
    return Error(Code::unsupported, cat(path.string(), " has no multi-token prediction layer to guess with; ",
                                        "use --speculate auto, lookup or off"));
  // The largest context up to the model's own for which the whole fits.
  int64_t context = options.context ? options.context : config.max_position_embeddings;
  ModelOptions planned = options;
  JEVONS_TRY(MemoryPlan plan, plan_memory(checkpoint, config, planned, context));
  const int64_t available = available_memory();
  while (planned.cache_contexts > 1 && plan.total() > available) {
    --planned.cache_contexts;
    JEVONS_TRY(plan, plan_memory(checkpoint, config, planned, context));
  }
  while (!options.context && context > 512 && plan.total() > available) {
    context = std::max<int64_t>(context / 2, 512);
    JEVONS_TRY(plan, plan_memory(checkpoint, config, planned, context));
  }
  if (plan.total() > available)
    return Error(
        Code::too_large,
        cat(path.string(), " needs ", human_bytes(static_cast<double>(plan.total())), " of memory at a context of ",
            context, " tokens, but ", human_bytes(static_cast<double>(available)),
            " are available; use a smaller model, a stronger quantisation or a smaller --ctx"));
  if (!options.context && context < config.max_position_embeddings)
    note(cat("the context is cut from ", config.max_position_embeddings, " to ", context, " tokens to fit into ",
             human_bytes(static_cast<double>(available)), " of memory"));

  std::unique_ptr<Model> model(new Model(std::move(checkpoint), options.threads));
  const LoadOptions load{options.ref ? DeviceKind::ref : DeviceKind::cpu, options.exact, options.expanded};
  JEVONS_TRY(model->decoder_, load_decoder(model->checkpoint_, config, load, model->exec_));
  if (options.text != Text::none) JEVONS_TRY_STATUS(model->load_text(options.text));
  if (!options.draft.empty()) JEVONS_TRY_STATUS(model->load_draft(options));
  EngineOptions engine;
  engine.context = context;
  engine.cache_tokens = context * planned.cache_contexts;
  engine.cache_type = options.cache_type;
  engine.exact = options.exact;
  engine.speculation = options.speculation;
  engine.guess_by_lookup = options.guess_by_lookup;
  engine.guess_by_prediction = options.guess_by_prediction;
  engine.draft = model->draft_ ? &*model->draft_ : nullptr;
  engine.device = load.device;
  if (options.prefix_files) {
    engine.prefix_files = options.prefix_files;
    JEVONS_TRY(engine.fingerprint, cache_fingerprint(model->checkpoint_, load, options.cache_type));
  }
  model->engine_ = std::make_unique<Engine>(*model->decoder_, model->exec_, engine);
  return model;
}

Status check_same_tokens(const Tokenizer& model, const std::string& model_name, const Tokenizer& draft,
                         const std::string& draft_name) {
  const auto refuse = [&](const std::string& why) {
    return Error(Code::unsupported, cat("the draft model ", draft_name, " cannot guess for ", model_name, ": ", why,
                                        "; a draft model needs the same tokenizer"));
  };
  const int32_t a = model.vocab_size(), b = draft.vocab_size();
  for (int32_t id = 0; id < std::max(a, b); ++id) {
    if (id < std::min(a, b)) {
      if (model.token_bytes(id) != draft.token_bytes(id))
        return refuse(cat("token ", id, " is ", quote(draft.token_bytes(id)), " in its vocabulary of ", b,
                          " tokens, and ", quote(model.token_bytes(id)), " in that of ", a));
      continue;
    }
    const std::string_view more = (a > b ? model : draft).token_bytes(id);
    if (!more.empty() && !more.starts_with("[PAD"))
      return refuse(cat("its vocabulary has ", b, " tokens, that of the model ", a));
  }
  return {};
}

Status Model::load_draft(const ModelOptions& options) {
  JEVONS_TRY(draft_checkpoint_, Checkpoint::open(options.draft));
  JEVONS_TRY(const Config draft, read_draft_config(*draft_checkpoint_));
  const std::string name = options.draft.string(), own = checkpoint_.path().string();
  if (has_text_ && draft_checkpoint_->has_tokenizer()) {
    JEVONS_TRY(const Tokenizer tokenizer, draft_checkpoint_->tokenizer());
    JEVONS_TRY_STATUS(check_same_tokens(*tokenizer_, own, tokenizer, name));
  } else if (draft.vocab_size != config().vocab_size) {
    return Error(Code::unsupported,
                 cat("the draft model ", name, " cannot guess for ", own, ": its vocabulary has ", draft.vocab_size,
                     " tokens, that of the model ", config().vocab_size, "; a draft model needs the same tokenizer"));
  }
  const LoadOptions load{options.ref ? DeviceKind::ref : DeviceKind::cpu, options.exact, options.expanded};
  JEVONS_TRY(draft_, load_decoder(*draft_checkpoint_, draft, load, exec_));
  return {};
}

Result<ChatTemplate> load_chat_template(const Checkpoint& checkpoint, const Tokenizer& tokenizer) {
  JEVONS_TRY(auto source, checkpoint.chat_template());
  Json specials = Json::object();
  if (const auto bos = tokenizer.bos()) specials["bos_token"] = tokenizer.token_bytes(*bos);
  if (!tokenizer.eos().empty()) specials["eos_token"] = tokenizer.token_bytes(tokenizer.eos().front());
  const bool chat_ml = tokenizer.find("<|im_start|>") && tokenizer.find("<|im_end|>");
  return ChatTemplate::of_model(std::move(source), std::move(specials), chat_ml);
}

Status Model::load_text(Text text) {
  has_text_ = text == Text::needed || checkpoint_.has_tokenizer();
  if (has_text_) {
    JEVONS_TRY(tokenizer_, checkpoint_.tokenizer());
  } else {
    tokenizer_ = Tokenizer::without_text(static_cast<int32_t>(config().vocab_size));
    note(cat(checkpoint_.path().string(), " has no tokenizer: ids only, no text"));
  }
  for (int32_t id : tokenizer_->eos()) stop_ids_.push_back(id);
  for (int64_t id : config().eos_token_ids) stop_ids_.push_back(static_cast<int32_t>(id));
  auto chat = load_chat_template(checkpoint_, *tokenizer_);
  if (chat.ok())
    template_ = std::move(chat).value();
  else
    no_template_ = chat.error().within(checkpoint_.path().string());
  JEVONS_TRY(const Json generation, checkpoint_.generation_config());
  read_generation_config(generation);
  std::sort(stop_ids_.begin(), stop_ids_.end());
  stop_ids_.erase(std::unique(stop_ids_.begin(), stop_ids_.end()), stop_ids_.end());
  return {};
}

void Model::read_generation_config(const Json& config) {
  if (config.size() == 0) {
    // A GGUF says nothing: DeepSeek's advice for R1 and its distilled models, because greedy text repeats itself.
    sampling_.temperature = 0.6;
    sampling_.top_p = 0.95;
    return;
  }
  const auto number = [&](const char* name, double otherwise) {
    const Json* found = config.find(name);
    return found && found->is_number() ? found->as_double() : otherwise;
  };
  if (const Json* eos = config.find("eos_token_id")) {
    if (eos->is_int()) stop_ids_.push_back(static_cast<int32_t>(eos->as_int()));
    if (eos->is_array())
      for (const Json& id : eos->as_array()) stop_ids_.push_back(static_cast<int32_t>(id.as_int()));
  }
  const Json* draws = config.find("do_sample");
  if (draws && draws->is_bool() && !draws->as_bool()) return;
  sampling_.temperature = number("temperature", draws ? 1 : 0);
  sampling_.top_p = number("top_p", 1);
  sampling_.top_k = static_cast<int64_t>(number("top_k", 0));
  sampling_.min_p = number("min_p", 0);
  sampling_.repetition_penalty = number("repetition_penalty", 1);
}

Result<std::string> Model::prompt(const Json& messages, const Json& tools, bool think) const {
  if (!template_) return *no_template_;
  Json extra = Json::object();
  if (!think) extra["enable_thinking"] = false;                    // Qwen3: on unless told otherwise
  if (template_->mentions("thinking")) extra["thinking"] = think;  // DeepSeek V3.1: off unless told otherwise
  JEVONS_TRY(std::string text, template_->render(messages, tools, true, extra));
  if (!think && prompt_opens_thought(text)) text += "\n</think>\n\n";
  return text;
}

}  // namespace jevons
