// What the engine promises about a sequence: its tokens depend on its own request only.
#include "engine/engine.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "base/strings.h"
#include "engine/model.h"

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

TEST_P(EngineProperty, HiddenStatesDoNotDependOnCompany) {
  const std::vector<int32_t> prompt = some_tokens(150, 3);
  std::vector<float> alone, together;
  const auto collect = [](std::vector<float>& out) {
    return [&out](int64_t first, const Tensor& rows) {
      const auto values = rows.as<float>();
      out.resize(static_cast<size_t>(first * rows.shape()[1]));  // after preemption they come again
      out.insert(out.end(), values.begin(), values.end());
    };
  };
  Engine one(model_.decoder, model_.exec, options_for(exact_));
  one.submit({.prompt = prompt, .on_hidden = collect(alone)}).value();
  EXPECT_FALSE(one.step());
  EXPECT_EQ(alone.size(), prompt.size() * static_cast<size_t>(model_.decoder.config().hidden_size));

  EngineOptions tight = options_for(exact_);
  tight.context = 256;
  tight.cache_tokens = 384;  // the older sequence grows and takes its pages away
  tight.step_tokens = 7;
  Engine several(model_.decoder, model_.exec, tight);
  std::vector<int32_t> answer;
  several
      .submit({.prompt = prompt,
               .on_token =
                   [&](int32_t token, bool) {
                     answer.push_back(token);
                     return Verdict{answer.size() == 100, {}};
                   }})
      .value();
  several.submit({.prompt = some_tokens(100, 4), .on_token = [](int32_t, bool) { return Verdict{}; }}).value();
  several.submit({.prompt = prompt, .on_hidden = collect(together)}).value();
  while (answer.size() < 100) several.step();
  for (int i = 0; i < 200 && several.sequences() > 0; ++i) several.step();
  EXPECT_TRUE(same_bits(together, alone));
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
                 [&](CachedTokens tokens) { cached = tokens.memory; }})
        .value();
    while (engine.step()) {
    }
  }
  EXPECT_EQ(text, alone[0]);
  EXPECT_EQ(cached, 192);  // three whole pages of 64
}

// Six sequences side by side, greedy and drawn, with penalties, a bias and forced tokens.
struct Guessed {
  std::vector<std::vector<int32_t>> texts = std::vector<std::vector<int32_t>>(6);
  Engine::Guesses guesses{};
};

Guessed run_guessing(Loaded& model, const EngineOptions& options) {
  std::vector<int32_t> prompt = some_tokens(30, 5);
  for (int i = 0; i < 3; ++i) prompt.insert(prompt.end(), prompt.begin(), prompt.begin() + 30);
  Engine engine(model.decoder, model.exec, options);
  Guessed out;
  Engine::Guesses told;
  for (size_t i = 0; i < out.texts.size(); ++i) {
    Request request{prompt};
    request.prompt.resize(60 + 10 * i);
    request.sampling.temperature = i < 3 ? 0 : 1;
    request.sampling.repetition_penalty = i == 2 ? 1.2 : 1;
    if (i == 1) request.sampling.logit_bias[7] = 100;  // repeats itself for certain
    request.sampling.seed = i;
    request.on_token = [&text = out.texts[i], i](int32_t token, bool drawn) {
      text.push_back(token);
      Verdict verdict{text.size() >= 100 + i, {}};
      if (drawn && text.size() % 40 == 7) verdict.force = {1, 2, 3, 4};
      return verdict;
    };
    request.on_guesses = [&told](int64_t made, int64_t right) { told.drafted += made, told.accepted += right; };
    (void)engine.submit(std::move(request)).value();
  }
  while (engine.step()) {
  }
  out.guesses = engine.guesses();
  EXPECT_EQ(told.drafted, out.guesses.drafted);
  EXPECT_EQ(told.accepted, out.guesses.accepted);
  return out;
}

// Text that repeats itself has guesses that come true; at temperature 1 there are many that do not. The bias makes one
// sequence's next tokens certain, also to a network that has learned nothing. The drafts are the model itself and one
// that knows some other tokens and lacks some.
TEST_P(EngineProperty, SpeculationChangesNothing) {
  EngineOptions options = options_for(exact_);
  options.speculation = Speculation::off;
  const Guessed plain = run_guessing(model_, options);
  EXPECT_EQ(plain.guesses.drafted, 0);
  Loaded other("models/llama", 2, exact_);
  struct Sources {
    bool lookup, prediction;
    const Decoder* draft;
  };
  for (const auto& [lookup, prediction, draft] :
       {Sources{true, false, nullptr}, Sources{false, true, nullptr}, Sources{false, false, &model_.decoder},
        Sources{false, false, &other.decoder}, Sources{true, true, &other.decoder}})
    for (const Speculation speculation : {Speculation::always, Speculation::measured})
      for (const int64_t cache : {8192, 400}) {  // the smaller makes sequences give their pages away
        options.speculation = speculation, options.cache_tokens = cache;
        options.guess_by_lookup = lookup, options.guess_by_prediction = prediction, options.draft = draft;
        const std::string what = cat(lookup, prediction, draft == &model_.decoder, draft == &other.decoder, cache);
        const Guessed got = run_guessing(model_, options);
        EXPECT_EQ(got.texts, plain.texts) << what;
        if (speculation != Speculation::always) continue;
        const bool guesses = lookup || draft || model_.decoder.config().num_nextn_predict_layers > 0;
        EXPECT_EQ(got.guesses.accepted > 0, guesses) << what;
        EXPECT_EQ(got.guesses.drafted > got.guesses.accepted, guesses) << what;
      }
}

// Greedy or drawn, alone or in company, after preemption and with shared pages: the same model makes the same choices.
TEST_P(EngineProperty, APerfectDraftIsAlwaysRight) {
  EngineOptions options = options_for(exact_);
  options.context = 200;
  options.guess_by_lookup = options.guess_by_prediction = false;
  options.draft = &model_.decoder;
  for (const Speculation speculation : {Speculation::always, Speculation::measured}) {
    options.speculation = speculation;
    Engine engine(model_.decoder, model_.exec, options);
    for (uint64_t seed : {0, 1, 2, 3, 4}) {
      Request request{some_tokens(90 + 20 * static_cast<int>(seed % 3), 3)};
      request.sampling.temperature = 0.5 * static_cast<double>(seed);
      request.sampling.seed = seed;
      request.on_token = [](int32_t, bool) { return Verdict{}; };  // to the end of the context
      (void)engine.submit(std::move(request)).value();
      for (int steps = 0; steps < 4; ++steps) engine.step();
    }
    while (engine.step()) {
    }
    EXPECT_GT(engine.guesses().drafted, 0);
    EXPECT_EQ(engine.guesses().accepted, engine.guesses().drafted);
    if (speculation == Speculation::always) {
      EXPECT_GT(engine.guesses().drafted, 250);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, EngineProperty,
                         testing::Combine(testing::Values("models/llama", "models/qwen3_moe", "models/deepseek_v3",
                                                          "models/deepseek_v2_lite", "gguf/llama_mixed.gguf"),
                                          testing::Bool()));

Tokenizer tokenizer_of(const std::vector<std::string>& words) {
  Json vocab = Json::object();
  for (size_t i = 0; i < words.size(); ++i) vocab[words[i]] = static_cast<int64_t>(i);
  const Json file = Json::Object{
      {"model", Json::Object{{"type", "BPE"}, {"vocab", std::move(vocab)}, {"merges", Json::array()}}},
      {"pre_tokenizer", Json::Object{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
      {"decoder", Json::Object{{"type", "ByteLevel"}}}};
  return Tokenizer::from_json(file.dump()).value();
}

TEST(Draft, NeedsTheSameTokens) {
  const auto why = [](const std::vector<std::string>& model, const std::vector<std::string>& draft) {
    const Status status = check_same_tokens(tokenizer_of(model), "BIG", tokenizer_of(draft), "SMALL");
    return status.ok() ? std::string() : status.error().message();
  };
  EXPECT_EQ(why({"a", "b", "c"}, {"a", "b", "c"}), "");
  EXPECT_EQ(why({"a", "b", "[PAD2]"}, {"a", "b"}), "");
  const std::string sizes = why({"a", "b", "c"}, {"a", "b"}), words = why({"a", "b"}, {"a", "c", "d"});
  EXPECT_NE(sizes.find("SMALL cannot guess for BIG: its vocabulary has 2 tokens, that of the model 3"),
            std::string::npos)
      << sizes;
  EXPECT_NE(words.find("token 1 is \"c\" in its vocabulary of 3 tokens, and \"b\" in that of 2"), std::string::npos)
      << words;
}

TEST(Draft, OfAModelIsLoadedWithItOrRefused) {
  const auto load = [](const std::string& draft) {
    ModelOptions options{.context = 256, .draft = kGolden / "models" / draft, .text = Text::none};
    options.guess_by_lookup = options.guess_by_prediction = false;
    options.speculation = Speculation::always;
    return Model::load(kGolden / "models/llama", options);
  };
  const std::string error = load("qwen2").error().message();
  EXPECT_NE(error.find("vocabulary has 173 tokens, that of the model 163"), std::string::npos) << error;
  auto model = load("llama").value();
  Request request{some_tokens(20, 1)};
  request.on_token = [](int32_t, bool) { return Verdict{}; };
  (void)model->engine().submit(std::move(request)).value();
  while (model->engine().step()) {
  }
  EXPECT_GT(model->engine().guesses().drafted, 100);
  EXPECT_EQ(model->engine().guesses().accepted, model->engine().guesses().drafted);
  ModelOptions prediction{.text = Text::none};
  prediction.guess_by_lookup = false;
  const std::string none = Model::load(kGolden / "models/llama", prediction).error().message();
  EXPECT_NE(none.find("no multi-token prediction layer"), std::string::npos) << none;
}

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
