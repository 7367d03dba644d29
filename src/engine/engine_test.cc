// What the engine promises about a sequence: its tokens depend on its own request only.
#include "engine/engine.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "models/loader.h"

namespace jevons {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(JEVONS_SOURCE_DIR) / "tests/golden";

std::vector<int32_t> some_tokens(int count, int seed) {
  std::vector<int32_t> out;
  for (int i = 0; i < count; ++i) out.push_back((seed * 31 + i * 17 + i * i * 5) % 120);
  return out;
}

struct Loaded {
  Loaded(const std::string& name, int threads, bool exact)
      : exec(threads),
        checkpoint(*Checkpoint::open(kGolden / name)),
        decoder(*load_decoder(checkpoint, *read_config(checkpoint), {.exact = exact}, exec)) {}
  Exec exec;
  Checkpoint checkpoint;
  Decoder decoder;
};

EngineOptions options_for(bool exact) {
  EngineOptions o;
  o.context = 400;
  o.cache_tokens = 8192;
  o.exact = exact;
  return o;
}

// A prompt answered at temperature 1: one differing bit in any logit would soon give another token.
struct Job {
  std::vector<int32_t> prompt;
  uint64_t seed;
  int length = 24;
};

std::vector<std::vector<int32_t>> run_together(Loaded& model, const EngineOptions& options,
                                               const std::vector<Job>& jobs) {
  Engine engine(model.decoder, model.exec, options);
  std::vector<std::vector<int32_t>> out(jobs.size());
  for (size_t i = 0; i < jobs.size(); ++i) {
    Sampling sampling;
    sampling.temperature = 1;
    sampling.seed = jobs[i].seed;
    engine
        .submit({jobs[i].prompt,
                 sampling,
                 [&out, &jobs, i](int32_t token, bool) {
                   out[i].push_back(token);
                   return Verdict{static_cast<int>(out[i].size()) == jobs[i].length, {}};
                 },
                 {}})
        .value();
  }
  while (engine.step()) {
  }
  return out;
}

std::vector<Job> jobs(int count) {
  std::vector<Job> out;
  for (int i = 0; i < count; ++i) out.push_back({some_tokens(3 + 29 * i % 150, i), static_cast<uint64_t>(100 + i)});
  return out;
}

std::vector<float> score(Loaded& model, const EngineOptions& options, const std::vector<int32_t>& tokens) {
  Engine engine(model.decoder, model.exec, options);
  std::vector<float> out;
  engine.score(tokens, Engine::Score::all, [&](int64_t, const Tensor& logits) {
    out.insert(out.end(), logits.as<float>().begin(), logits.as<float>().end());
  });
  return out;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

class EngineProperty : public testing::TestWithParam<std::tuple<std::string, bool>> {
 protected:
  const std::string name_ = std::get<0>(GetParam());
  const bool exact_ = std::get<1>(GetParam());
  Loaded model_{name_, 2, exact_};
};

TEST_P(EngineProperty, LogitsDoNotDependOnChunksOrThreads) {
  const std::vector<int32_t> tokens = some_tokens(300, 7);
  const std::vector<float> expected = score(model_, options_for(exact_), tokens);
  for (int64_t chunk : {1, 3, 16, 61, 64, 257}) {
    EngineOptions o = options_for(exact_);
    o.step_tokens = chunk;
    EXPECT_TRUE(same_bits(score(model_, o, tokens), expected)) << "chunks of " << chunk;
  }
  for (int threads : {1, 3}) {
    Loaded other(name_, threads, exact_);
    EXPECT_TRUE(same_bits(score(other, options_for(exact_), tokens), expected)) << threads << " threads";
  }
}

TEST_P(EngineProperty, TextDoesNotDependOnNeighbours) {
  const std::vector<Job> all = jobs(13);
  const auto together = run_together(model_, options_for(exact_), all);
  for (size_t i = 0; i < all.size(); ++i)
    EXPECT_EQ(run_together(model_, options_for(exact_), {all[i]})[0], together[i]) << i;
  for (size_t count : {2, 3, 4, 7, 8}) {
    const auto some =
        run_together(model_, options_for(exact_), {all.begin(), all.begin() + static_cast<int64_t>(count)});
    EXPECT_TRUE(std::equal(some.begin(), some.end(), together.begin())) << count << " together";
  }
}

TEST_P(EngineProperty, PreemptionChangesNothing) {
  const std::vector<Job> all = jobs(6);
  const auto expected = run_together(model_, options_for(exact_), all);
  EngineOptions tight = options_for(exact_);
  tight.cache_tokens = tight.context;  // room for about two of the six
  EXPECT_EQ(run_together(model_, tight, all), expected);
  tight.share_prefixes = false;
  EXPECT_EQ(run_together(model_, tight, all), expected);
}

TEST_P(EngineProperty, SharedPrefixesChangeNothingAndAreCounted) {
  const Job first{some_tokens(200, 3), 5}, second{some_tokens(200, 3), 6};
  const auto alone = run_together(model_, options_for(exact_), {second});
  Engine engine(model_.decoder, model_.exec, options_for(exact_));
  std::vector<int32_t> text;
  int64_t cached = -1;
  for (const Job& job : {first, second}) {
    text.clear();
    Sampling sampling;
    sampling.temperature = 1;
    sampling.seed = job.seed;
    (void)engine
        .submit({job.prompt, sampling,
                 [&](int32_t token, bool) {
                   text.push_back(token);
                   return Verdict{text.size() == 24, {}};
                 },
                 [&](int64_t tokens) { cached = tokens; }})
        .value();
    while (engine.step()) {
    }
  }
  EXPECT_EQ(text, alone[0]);
  EXPECT_EQ(cached, 192);  // three whole pages of 64
}

// Text that repeats itself has guesses that come true; at temperature 1 there are many that do not.
TEST_P(EngineProperty, SpeculationChangesNothing) {
  std::vector<int32_t> prompt = some_tokens(30, 5);
  for (int i = 0; i < 3; ++i) prompt.insert(prompt.end(), prompt.begin(), prompt.begin() + 30);
  EngineOptions options = options_for(exact_);
  std::vector<std::vector<std::vector<int32_t>>> texts;
  for (const Speculation speculation : {Speculation::off, Speculation::always, Speculation::measured}) {
    options.speculation = speculation;
    Engine engine(model_.decoder, model_.exec, options);
    std::vector<std::vector<int32_t>> out(6);
    for (size_t i = 0; i < out.size(); ++i) {
      Sampling sampling;
      sampling.temperature = i < 3 ? 0 : 1;
      sampling.repetition_penalty = i == 2 ? 1.2 : 1;
      if (i == 1) sampling.logit_bias[7] = 100;  // repeats itself for certain
      sampling.seed = i;
      std::vector<int32_t> own = prompt;
      own.resize(60 + 10 * i);
      const auto on_token = [&out, i](int32_t token, bool drawn) {
        out[i].push_back(token);
        Verdict verdict{out[i].size() >= 100 + i, {}};
        if (drawn && out[i].size() % 40 == 7) verdict.force = {1, 2, 3, 4};
        return verdict;
      };
      (void)engine.submit({own, sampling, on_token}).value();
    }
    while (engine.step()) {
    }
    if (speculation == Speculation::always) {
      EXPECT_GT(engine.guesses().accepted, 0);
      EXPECT_GT(engine.guesses().drafted, engine.guesses().accepted);
    }
    texts.push_back(std::move(out));
  }
  EXPECT_EQ(texts[1], texts[0]);
  EXPECT_EQ(texts[2], texts[0]);
}

INSTANTIATE_TEST_SUITE_P(All, EngineProperty,
                         testing::Combine(testing::Values("models/llama", "models/qwen3_moe", "models/deepseek_v3",
                                                          "models/deepseek_v2_lite", "gguf/llama_mixed.gguf"),
                                          testing::Bool()));

TEST(Engine, RefusesWhatDoesNotFit) {
  Loaded model("models/llama", 1, true);
  EngineOptions options = options_for(true);
  options.context = 64;
  Engine engine(model.decoder, model.exec, options);
  const auto error = [&](std::vector<int32_t> prompt) {
    return engine.submit({std::move(prompt), {}, {}, {}}).error().message();
  };
  const std::string text = error(some_tokens(64, 1));
  EXPECT_NE(text.find("64 tokens, but the context holds 64"), std::string::npos) << text;
  EXPECT_NE(error({}).find("no tokens"), std::string::npos);
  EXPECT_NE(error({1, -5}).find("-5"), std::string::npos);
  EXPECT_NE(error({1, 1 << 20}).find("1048576"), std::string::npos);
}

TEST(Engine, EndsAtTheContextAndCancelsCleanly) {
  Loaded model("models/llama", 1, true);
  EngineOptions options = options_for(true);
  options.context = 64;
  options.cache_tokens = 64;
  Engine engine(model.decoder, model.exec, options);
  int count = 0;
  const auto keep_going = [&](int32_t, bool) { return ++count, Verdict{}; };
  (void)engine.submit({some_tokens(40, 1), {}, keep_going, {}}).value();
  while (engine.step()) {
  }
  EXPECT_EQ(count, 24);
  // Cancelling in the middle frees the pages: the next sequence, which needs all of them, runs to its end.
  const int64_t id = engine.submit({some_tokens(40, 2), {}, keep_going, {}}).value();
  engine.step();
  engine.cancel(id);
  count = 0;
  (void)engine.submit({some_tokens(60, 3), {}, keep_going, {}}).value();
  while (engine.step()) {
  }
  EXPECT_EQ(count, 4);
}

TEST(Engine, ForcedTokensJoinTheSequence) {
  Loaded model("models/llama", 1, true);
  Engine engine(model.decoder, model.exec, options_for(true));
  std::vector<std::pair<int32_t, bool>> seen;
  (void)engine
      .submit(
          {some_tokens(5, 1),
           {},
           [&](int32_t token, bool drawn) {
             seen.emplace_back(token, drawn);
             return Verdict{seen.size() == 5, seen.size() == 1 ? std::vector<int32_t>{7, 8} : std::vector<int32_t>{}};
           },
           {}})
      .value();
  while (engine.step()) {
  }
  ASSERT_EQ(seen.size(), 5u);
  EXPECT_EQ(seen[1], std::pair(7, false));
  EXPECT_EQ(seen[2], std::pair(8, false));
  EXPECT_TRUE(seen[3].second);
  // The continuation is that of the whole text.
  std::vector<int32_t> prompt = some_tokens(5, 1);
  for (int i = 0; i < 3; ++i) prompt.push_back(seen[static_cast<size_t>(i)].first);
  std::vector<int32_t> next;
  (void)engine
      .submit({prompt,
               {},
               [&](int32_t token, bool) {
                 return next.push_back(token), Verdict{next.size() == 2, {}};
               },
               {}})
      .value();
  while (engine.step()) {
  }
  EXPECT_EQ(next, (std::vector<int32_t>{seen[3].first, seen[4].first}));
}

}  // namespace
}  // namespace jevons
