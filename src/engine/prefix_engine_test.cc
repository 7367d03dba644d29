// Prefixes that outlive an engine: an answer is the same, bit for bit, whether its prompt was computed, found in memory
// or read from disk.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "engine/engine.h"
#include "engine/fingerprint.h"

namespace jevons {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(JEVONS_SOURCE_DIR) / "tests/golden";

struct Loaded {
  explicit Loaded(const std::string& name)
      : exec(2),
        checkpoint(*Checkpoint::open(kGolden / name)),
        decoder(*load_decoder(checkpoint, *read_config(checkpoint), {}, exec)) {}
  Exec exec;
  Checkpoint checkpoint;
  Decoder decoder;
};

std::vector<int32_t> some_tokens(int count, int seed) {
  std::vector<int32_t> out;
  for (int i = 0; i < count; ++i) out.push_back((seed * 31 + i * 17 + i * i * 5) % 120);
  return out;
}

struct Answer {
  std::vector<int32_t> tokens;
  std::vector<float> logits;  // of every token
  CachedTokens cached;
};

bool same_bits(const Answer& a, const Answer& b) {
  return a.tokens == b.tokens && a.logits.size() == b.logits.size() &&
         std::memcmp(a.logits.data(), b.logits.data(), a.logits.size() * sizeof(float)) == 0;
}

class PrefixEngine : public testing::TestWithParam<std::string> {
 protected:
  PrefixEngine() {
    std::string pattern = (std::filesystem::temp_directory_path() / "jevons-prefix-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    restart();
  }
  ~PrefixEngine() override {
    engine_.reset();
    files_.reset();
    std::filesystem::remove_all(root_);
  }

  // Another engine; what the old one had to keep is kept.
  void restart(const std::string& fingerprint = "m", int64_t limit = 1 << 30, int64_t cache_tokens = 8192) {
    if (engine_) save();
    engine_.reset();
    files_ = std::make_unique<PrefixFiles>(root_, limit);
    EngineOptions options;
    options.context = 1600;
    options.cache_tokens = cache_tokens;
    options.prefix_files = files_.get();
    options.fingerprint = fingerprint;
    engine_ = std::make_unique<Engine>(model_.decoder, model_.exec, options);
  }
  void save() {
    while (engine_->save(8)) files_->flush();
    files_->flush();
  }
  int64_t submit(Engine& engine, std::vector<int32_t> prompt, const std::string& scope, Answer& answer) {
    Request request;
    request.prompt = std::move(prompt);
    request.sampling.temperature = 1;
    request.sampling.seed = 9;
    request.scope = scope;
    request.on_token = [&answer](int32_t token, bool) {
      answer.tokens.push_back(token);
      return Verdict{answer.tokens.size() == 70, {}};
    };
    request.on_start = [&answer](CachedTokens cached) { answer.cached = cached; };
    request.on_logits = [&answer](std::span<float> logits) {
      answer.logits.insert(answer.logits.end(), logits.begin(), logits.end());
    };
    return engine.submit(std::move(request)).value();
  }
  Answer ask(const std::vector<int32_t>& prompt, const std::string& scope = "anna") {
    Answer answer;
    submit(*engine_, prompt, scope, answer);
    while (engine_->step()) {
    }
    return answer;
  }
  // Without any prefix.
  Answer cold(const std::vector<int32_t>& prompt) {
    EngineOptions options;
    options.context = 1600;
    options.share_prefixes = false;
    Engine engine(model_.decoder, model_.exec, options);
    Answer answer;
    submit(engine, prompt, "", answer);
    while (engine.step()) {
    }
    return answer;
  }
  std::vector<std::filesystem::path> stored() const {
    std::vector<std::filesystem::path> out;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root_))
      if (entry.is_regular_file()) out.push_back(entry.path());
    return out;
  }

  Loaded model_{GetParam()};
  std::filesystem::path root_;
  std::unique_ptr<PrefixFiles> files_;
  std::unique_ptr<Engine> engine_;
};

TEST_P(PrefixEngine, ARestartedEngineGoesOnWithTheSameBits) {
  std::vector<int32_t> prompt = some_tokens(1300, 3);
  const Answer first = ask(prompt);
  EXPECT_EQ(first.cached.total(), 0);
  EXPECT_TRUE(same_bits(first, cold(prompt)));

  restart();  // the same prompt: 1299 tokens may be cached, 20 whole pages of 64
  const Answer again = ask(prompt);
  EXPECT_EQ(again.cached.memory, 0);
  EXPECT_EQ(again.cached.disk, 1280);
  EXPECT_TRUE(same_bits(again, first));

  restart();  // the second turn: what was answered is there, too (the last token of it was never computed)
  prompt.insert(prompt.end(), first.tokens.begin(), first.tokens.end());
  for (int32_t token : some_tokens(40, 4)) prompt.push_back(token);
  const Answer second = ask(prompt);
  EXPECT_EQ(second.cached.disk, (1300 + 69) / 64 * 64);
  EXPECT_TRUE(same_bits(second, cold(prompt)));
  const Answer from_memory = ask(prompt);
  EXPECT_EQ(from_memory.cached.memory, (1300 + 70 + 39) / 64 * 64);
  EXPECT_EQ(from_memory.cached.disk, 0);
  EXPECT_TRUE(same_bits(from_memory, second));
  const Engine::PromptTokens counted = engine_->prompt_tokens();
  EXPECT_EQ(counted.cached.disk, second.cached.disk);
  EXPECT_EQ(counted.cached.memory, from_memory.cached.memory);
  EXPECT_EQ(counted.computed + counted.cached.total(), 2 * 1410);
}

TEST_P(PrefixEngine, UsersAndModelsDoNotMeet) {
  const std::vector<int32_t> prompt = some_tokens(300, 3);
  const Answer own = ask(prompt);
  const Answer other = ask(prompt, "bert");
  EXPECT_EQ(other.cached.total(), 0);
  EXPECT_EQ(ask(prompt).cached.memory, 256);
  restart();
  EXPECT_EQ(ask(prompt, "carl").cached.total(), 0);
  EXPECT_EQ(ask(prompt, "bert").cached.disk, 256);
  restart("another model");
  EXPECT_EQ(ask(prompt).cached.total(), 0);
  EXPECT_TRUE(same_bits(own, other));
}

TEST_P(PrefixEngine, ADamagedPageIsComputedAgain) {
  const std::vector<int32_t> prompt = some_tokens(700, 3);
  const Answer first = ask(prompt);
  save();
  const PageFile fifth = PrefixChain(root_, "m", "anna").page(prompt, 4, 64);
  ASSERT_TRUE(files_->holds(fifth));
  std::filesystem::resize_file(fifth.path(), std::filesystem::file_size(fifth.path()) - 32);
  restart();
  const Answer second = ask(prompt);
  EXPECT_EQ(second.cached.disk, 4 * 64);
  EXPECT_EQ(files_->counts().discarded, 1);
  EXPECT_TRUE(same_bits(second, first));
  restart();
  EXPECT_EQ(ask(prompt).cached.disk, 640);
}

// Too little room in memory and on disk: pages come and go, sequences are preempted while they are being read.
TEST_P(PrefixEngine, NoLackOfRoomChangesATextOrALimit) {
  std::vector<std::vector<int32_t>> prompts;
  for (int i = 0; i < 4; ++i) prompts.push_back(some_tokens(400 + 150 * i, i % 3));
  std::vector<Answer> expected;
  for (const auto& prompt : prompts) expected.push_back(cold(prompt));
  ask(prompts[3]);
  save();
  const auto file_bytes = static_cast<int64_t>(std::filesystem::file_size(stored().at(0)));
  for (int round = 0; round < 2; ++round) {
    restart("m", 20 * file_bytes, 1600);
    std::vector<Answer> answers(prompts.size());
    for (size_t i = 0; i < prompts.size(); ++i) submit(*engine_, prompts[i], i < 2 ? "anna" : "bert", answers[i]);
    while (engine_->step()) {
    }
    for (size_t i = 0; i < prompts.size(); ++i) EXPECT_TRUE(same_bits(answers[i], expected[i])) << round << " " << i;
    save();
    EXPECT_LE(static_cast<int64_t>(stored().size()), 20);
    const Engine::PromptTokens counted = engine_->prompt_tokens();
    EXPECT_EQ(counted.computed + counted.cached.total(), 400 + 550 + 700 + 850);
  }
}

TEST_P(PrefixEngine, ForgottenPrefixesAreComputed) {
  const std::vector<int32_t> prompt = some_tokens(300, 3);
  const Answer first = ask(prompt);
  engine_->forget_prefixes();
  EXPECT_FALSE(engine_->saving());
  files_->clear();
  files_->flush();
  const Answer second = ask(prompt);
  EXPECT_EQ(second.cached.total(), 0);
  EXPECT_TRUE(same_bits(second, first));
}

INSTANTIATE_TEST_SUITE_P(All, PrefixEngine, testing::Values("models/llama", "models/deepseek_v3"));

TEST(Fingerprint, TellsEvaluationsAndFilesApart) {
  std::string pattern = (std::filesystem::temp_directory_path() / "jevons-print-XXXXXX").string();
  const std::filesystem::path folder = ::mkdtemp(pattern.data()), file = folder / "m.gguf";
  std::filesystem::copy_file(kGolden / "gguf/llama_f16.gguf", file);
  const auto print = [&](LoadOptions options = {}, DType cache = DType::f16) {
    return cache_fingerprint(Checkpoint::open(file).value(), options, cache).value();
  };
  const std::string plain = print();
  EXPECT_EQ(plain.size(), 32u);
  EXPECT_EQ(print(), plain);
  EXPECT_NE(print({.exact = true}), plain);
  EXPECT_NE(print({.expanded = true}), plain);
  EXPECT_NE(print({.device = DeviceKind::ref}), plain);
  EXPECT_NE(print({}, DType::bf16), plain);
  // The same bytes, written again: it could as well be others of the same size.
  std::filesystem::copy_file(kGolden / "gguf/llama_f16.gguf", file, std::filesystem::copy_options::overwrite_existing);
  EXPECT_NE(print(), plain);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace jevons
