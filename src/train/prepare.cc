#include "train/prepare.h"

#include <algorithm>
#include <cmath>

#include "base/progress.h"
#include "base/strings.h"
#include "text/tokenizer_file.h"
#include "text/tokenizer_train.h"
#include "train/corpus.h"
#include "train/row_plan.h"

namespace jevons {
namespace {

namespace fs = std::filesystem;

struct Text {
  std::optional<Tokenizer> tokenizer;
  fs::path folder;  // that holds its files
  DocumentMarks marks;
};

// What lies under OUT/data, or a stream of ids used where it is.
struct Streams {
  fs::path train, held_out;  // held_out may be empty
  Json facts = Json::object();
};

bool is_ids(const std::string& file) { return file.ends_with(".u32"); }

// A tokenizer of the run's own, from the text that it trains on.
void learn_tokenizer(const RunConfig& c, Exec& exec) {
  TokenizerRecipe recipe;
  recipe.vocab = c.tokenizer.vocab, recipe.document_end = c.data.document_end;
  std::vector<std::string> texts;
  std::copy_if(c.data.train.begin(), c.data.train.end(), std::back_inserter(texts),
               [](const std::string& file) { return !is_ids(file); });
  if (texts.empty())
    throw Error(Code::invalid, "tokenizer.vocab needs text in data.train to learn from; it holds only .u32 streams");
  note("learning a tokenizer from the text");
  recipe.check().value();
  const TrainedTokenizer trained = train_tokenizer(recipe, texts, exec).value();
  fs::create_directories(c.out);
  write_file(fs::path(c.out) / "tokenizer.json", trained.tokenizer_json()).value();
  write_file(fs::path(c.out) / "tokenizer_config.json", trained.tokenizer_config_json()).value();
}

Text open_text(const RunConfig& c, bool resume, Exec& exec) {
  Text text;
  const bool learned = c.tokenizer.vocab > 0;
  if (learned && !resume) learn_tokenizer(c, exec);
  const std::string& wanted = c.tokenizer.path.empty() ? c.model.init : c.tokenizer.path;
  const bool own = learned || (resume && fs::exists(fs::path(c.out) / "tokenizer.json"));
  text.folder = own ? fs::path(c.out) : fs::path(wanted);
  if (text.folder.filename() == "tokenizer.json") text.folder = text.folder.parent_path();
  if (text.folder.empty() || (!own && c.tokenizer.path.empty() && !fs::exists(text.folder / "tokenizer.json"))) {
    text.folder.clear();
    if (!std::all_of(c.data.train.begin(), c.data.train.end(), is_ids))
      throw Error(Code::invalid,
                  "tokenizer.path (a folder with tokenizer.json) or tokenizer.vocab (to learn one) is missing for the "
                  "text in data.train");
    if (!c.samples.prompts.empty())
      throw Error(Code::invalid, "samples.prompts needs a tokenizer; give tokenizer.path or no prompts");
    return text;
  }
  text.tokenizer = load_tokenizer(text.folder).value();
  text.marks = document_marks(*text.tokenizer, c.tokenizer.document_start).value();
  return text;
}

TrainStart open_model(const RunConfig& c, const Text& text) {
  TrainStart start;
  if (!c.model.init.empty()) {
    start = open_start(c.model.init).value();
  } else {
    start.config = described_model(c.model, text.tokenizer ? text.tokenizer->vocab_size() : 0).value();
    if (text.marks.start >= 0) {
      const int32_t end = text.marks.end >= 0 ? text.marks.end : text.marks.start;
      start.config["bos_token_id"] = text.marks.start, start.config["eos_token_id"] = end;
      start.generation = Json::Object{{"bos_token_id", text.marks.start},
                                      {"eos_token_id", end},
                                      {"do_sample", true},
                                      {"temperature", c.samples.temperature},
                                      {"top_p", c.samples.top_p}};
    }
  }
  start.tokenizer = text.folder;
  return start;
}

void check_model(const RunConfig& c, const Text& text, const Json& json) {
  const Config config = parse_config(json).value();
  if (text.tokenizer && text.tokenizer->vocab_size() > config.vocab_size)
    throw Error(Code::invalid, cat("the tokenizer in ", text.folder.string(), " has ", text.tokenizer->vocab_size(),
                                   " tokens, the model only ", config.vocab_size, "; leave model.vocab_size out"));
  if (c.batch.tokens_per_row > config.max_position_embeddings)
    throw Error(Code::invalid, cat("batch.tokens_per_row ", c.batch.tokens_per_row, " is more than the model's ",
                                   config.max_position_embeddings, " positions; set model.max_position_embeddings"));
  if (c.objective.mtp_weight > 0 && config.num_nextn_predict_layers != 1)
    throw Error(Code::invalid, cat("objective.mtp_weight needs a model with one prediction layer; set ",
                                   "model.num_nextn_predict_layers = 1 (it is ", config.num_nextn_predict_layers, ")"));
}

// The last `share` of the tokens of `from` become `held_out`, the others `train`.
void split(const fs::path& from, double share, const fs::path& train, const fs::path& held_out) {
  const auto mapped = MappedFile::open(from).value();
  const int64_t all = static_cast<int64_t>(mapped->bytes().size() / 4);
  const int64_t kept = all - static_cast<int64_t>(std::ceil(share * static_cast<double>(all)));
  for (const auto& [path, first, count] :
       {std::tuple{train, int64_t{0}, kept}, std::tuple{held_out, kept, all - kept}}) {
    AtomicFile file = AtomicFile::create(path).value();
    file.write(mapped->bytes().data() + first * 4, static_cast<size_t>(count * 4)).value();
    file.commit().value();
  }
}

Json describe(const CorpusSize& size) {
  return Json::Object{{"documents", size.documents}, {"tokens", size.tokens}, {"bytes", size.bytes}};
}

Streams encode(const RunConfig& c, const Text& text, Exec& exec) {
  const fs::path folder = fs::path(c.out) / "data";
  Streams out;
  const bool in_place = c.data.train.size() == 1 && is_ids(c.data.train[0]) && c.data.held_out_share == 0;
  const DocumentRules rules{c.data.document_end, c.data.text_field};
  const Tokenizer none = Tokenizer::without_text(1);
  const Tokenizer& tokenizer = text.tokenizer ? *text.tokenizer : none;
  const auto write = [&](const std::vector<std::string>& files, const fs::path& to, const char* name) {
    fs::create_directories(folder);
    out.facts[name] = describe(encode_corpus(tokenizer, text.marks, files, rules, to, exec).value());
  };
  out.train = in_place ? fs::path(c.data.train[0]) : folder / "train.u32";
  if (in_place) {
    out.facts["train"] = Json::Object{{"tokens", TokenData::open(out.train, "").value().size()}};
  } else {
    note("encoding the text");
    write(c.data.train, out.train, "train");
  }
  if (!c.data.held_out.empty()) {
    out.held_out = folder / "held_out.u32";
    write(c.data.held_out, out.held_out, "held_out");
  } else if (c.data.held_out_share > 0) {
    out.held_out = folder / "held_out.u32";
    split(out.train, c.data.held_out_share, out.train, out.held_out);
  }
  if (fs::exists(folder)) write_file(folder / "facts.json", out.facts.dump(2) + "\n").value();
  return out;
}

Streams reuse(const RunConfig& c, const Text& text, Exec& exec) {
  const fs::path folder = fs::path(c.out) / "data";
  if (!fs::exists(folder / "facts.json")) return encode(c, text, exec);
  Streams out;
  out.facts = Json::parse(read_file(folder / "facts.json").value()).value();
  out.train = fs::exists(folder / "train.u32") ? folder / "train.u32" : fs::path(c.data.train[0]);
  if (fs::exists(folder / "held_out.u32")) out.held_out = folder / "held_out.u32";
  return out;
}

int64_t steps_of(double value, int64_t steps) {
  return std::llround(value < 1 ? value * static_cast<double>(steps) : value);
}

TrainSettings settle(const RunConfig& c, const Text& text, const Streams& streams) {
  TrainSettings s;
  s.tokens = streams.train.string();
  s.order = c.data.shuffle ? "shuffled" : "sequential";
  s.batch = c.batch.rows, s.seq = c.batch.tokens_per_row;
  s.ramp_from = c.batch.ramp_from, s.ramp_steps = c.batch.ramp_steps;
  s.optimizer = c.optimizer.kind, s.lr = c.schedule.lr, s.beta1 = c.optimizer.beta1, s.beta2 = c.optimizer.beta2;
  s.eps = c.optimizer.eps, s.weight_decay = c.optimizer.weight_decay, s.clip = c.optimizer.clip;
  s.balance_rate = c.objective.balance_rate, s.aux_loss = c.objective.aux_loss, s.mtp_weight = c.objective.mtp_weight;
  s.document_start = text.marks.start, s.seed = static_cast<uint64_t>(c.seed);
  s.schedule = c.schedule.kind, s.min_lr = c.schedule.min_lr, s.steps = c.schedule.steps;
  if (c.schedule.epochs > 0) {
    const RowPlan plan(TokenData::open(streams.train, "").value().size(), s);
    s.steps = plan.steps_for(std::llround(std::ceil(c.schedule.epochs * static_cast<double>(plan.rows()))));
    if (s.order == "sequential") s.steps -= plan.rows_before(s.steps) > plan.rows();  // no row twice, none half
  }
  s.warmup = steps_of(c.schedule.warmup, s.steps);
  s.decay = c.schedule.kind == "wsd" ? steps_of(c.schedule.decay, s.steps) : 0;
  return s;
}

std::vector<uint16_t> byte_counts(const Tokenizer& tokenizer) {
  std::vector<uint16_t> out(static_cast<size_t>(tokenizer.vocab_size()));
  for (size_t id = 0; id < out.size(); ++id) {
    const auto token = static_cast<int32_t>(id);
    if (!tokenizer.is_special(token)) out[id] = static_cast<uint16_t>(tokenizer.token_bytes(token).size());
  }
  return out;
}

}  // namespace

TrainRun prepare_run(const RunConfig& c, const fs::path& state, Exec& exec) {
  const bool resume = !state.empty();
  TrainRun run;
  run.out = c.out, run.log = fs::path(c.out) / "log.jsonl", run.resume = state;
  if (!resume) {
    refuse_overwriting(run.out);
    for (const auto* files : {&c.data.train, &c.data.held_out})
      for (const std::string& file : *files) check_data_file(file).value();
  }
  const Text text = open_text(c, resume, exec);
  if (!resume) run.start = open_model(c, text);
  check_model(c, text, resume ? open_start(state.string()).value().config : run.start->config);
  const Streams streams = resume ? reuse(c, text, exec) : encode(c, text, exec);
  run.settings = settle(c, text, streams);
  run.held_out = streams.held_out, run.held_out_tokens = c.evaluation.tokens, run.evaluate_every = c.evaluation.every;
  run.save_every = c.output.every, run.keep = c.output.keep, run.keep_best = c.output.best && !run.held_out.empty();
  run.log_tensor_norms = c.output.tensor_norms, run.piece_rows = c.batch.piece_rows;
  run.recompute = c.batch.recompute;
  if (text.tokenizer) run.token_bytes = byte_counts(*text.tokenizer);
  run.described = Json::Object{{"config", c.given}, {"data", streams.facts}};
  return run;
}

std::optional<Json> saved_run_config(const fs::path& out) {
  if (!fs::exists(out / "train.json")) return std::nullopt;
  Result<Json> json = Json::parse(read_file(out / "train.json").value());
  if (!json.ok()) throw json.error().within((out / "train.json").string());
  const Json* config = json->find("config");
  if (!config) throw Error(Code::invalid, cat((out / "train.json").string(), " holds no \"config\""));
  return *config;
}

}  // namespace jevons
