// Golden checkpoints of every architecture to GGUF and back: the same tensors bit for bit, the same configuration.
#include "models/convert.h"

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/strings.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "kernels/codec/codec.h"
#include "models/checkpoint.h"
#include "models/config.h"
#include "models/quantize.h"

namespace jevons {
namespace {

namespace fs = std::filesystem;

const fs::path kGolden = fs::path(JEVONS_SOURCE_DIR) / "tests/golden";

fs::path scratch(const std::string& name) {
  static const struct Root {
    std::string path = testing::TempDir() + "/jevons_convert_XXXXXX";
    Root() { JEVONS_CHECK(mkdtemp(path.data())); }
    ~Root() { fs::remove_all(path); }
  } root;
  const fs::path folder = fs::path(root.path) / name;
  fs::remove_all(folder);
  return folder;
}

std::vector<float> numbers(const TensorEntry& entry) {
  std::vector<float> out(static_cast<size_t>(entry.numel()));
  dequantize_row(*entry.pack, entry.bytes.data(), entry.numel(), out.data());
  return out;
}

class RoundTrip : public testing::TestWithParam<const char*> {};

TEST_P(RoundTrip, TensorsAndConfigComeBack) {
  const std::string name = GetParam();
  const fs::path in = kGolden / "models" / name, gguf = scratch(name + ".gguf"), back = scratch(name);
  Exec exec(2);
  ASSERT_TRUE(convert(in, gguf, "f32", exec).ok());
  const auto report = convert(gguf, back, "", exec);
  ASSERT_TRUE(report.ok()) << report.error().message();

  const Checkpoint before = Checkpoint::open(in).value(), after = Checkpoint::open(back).value();
  const Config old_config = parse_config(before.config()).value(), config = parse_config(after.config()).value();
  std::set<std::string> written;
  for (const TensorEntry& entry : after.tensors()) written.insert(entry.name);
  for (const TensorEntry& entry : before.tensors()) {
    if (old_config.tie_word_embeddings && entry.name == "lm_head.weight") continue;
    if (entry.name.starts_with(cat("model.layers.", old_config.num_hidden_layers, "."))) continue;  // prediction layer
    ASSERT_EQ(written.erase(entry.name), 1u) << entry.name;
    const TensorEntry& found = *after.find_stored(entry.name);
    EXPECT_EQ(found.shape, entry.shape) << entry.name;
    EXPECT_EQ(numbers(found), numbers(entry)) << entry.name;
  }
  EXPECT_TRUE(written.empty()) << *written.begin();

  EXPECT_EQ(config.model_type, old_config.model_type);
  EXPECT_EQ(config.vocab_size, old_config.vocab_size);
  EXPECT_EQ(config.head_dim, old_config.head_dim);
  EXPECT_EQ(config.tie_word_embeddings, old_config.tie_word_embeddings);
  EXPECT_EQ(config.rms_norm_eps, old_config.rms_norm_eps);
  EXPECT_EQ(config.rope.type, old_config.rope.type);
  EXPECT_EQ(config.rope.theta, old_config.rope.theta);
  EXPECT_EQ(config.rope.factor, old_config.rope.factor);
  EXPECT_EQ(config.rope.interleaved, old_config.rope.interleaved);
  if (config.rope.type != "default") {
    EXPECT_EQ(config.rope.original_max_position_embeddings, old_config.rope.original_max_position_embeddings);
  }
  EXPECT_DOUBLE_EQ(config.rope.mscale_all_dim, old_config.rope.mscale_all_dim);
  EXPECT_EQ(config.n_routed_experts, old_config.n_routed_experts);
  EXPECT_EQ(config.n_group, old_config.n_group);
  EXPECT_EQ(config.topk_group, old_config.topk_group);
  EXPECT_EQ(config.topk_method, old_config.topk_method);
  EXPECT_EQ(config.norm_topk_prob, old_config.norm_topk_prob);
  EXPECT_DOUBLE_EQ(config.routed_scaling_factor, old_config.routed_scaling_factor);
  EXPECT_EQ(config.qk_nope_head_dim, old_config.qk_nope_head_dim);
  EXPECT_EQ(config.v_head_dim, old_config.v_head_dim);
  EXPECT_EQ(config.q_lora_rank, old_config.q_lora_rank);
}

INSTANTIATE_TEST_SUITE_P(Convert, RoundTrip,
                         testing::Values("llama", "llama3_tied", "llama_f16", "qwen2", "qwen3", "qwen3_moe",
                                         "deepseek_v2_lite", "deepseek_v2", "deepseek_v3", "deepseek_v3_flat"));

TEST(Convert, TheTypeThatIsKeptGivesTheSameBytes) {
  const fs::path in = kGolden / "models/llama", gguf = scratch("kept.gguf"), back = scratch("kept");
  Exec exec(1);
  ASSERT_TRUE(convert(in, gguf, "", exec).ok());  // bf16
  EXPECT_EQ(Gguf::open(gguf)->find_tensor("blk.0.attn_q.weight")->pack, Pack::bf16);
  ASSERT_TRUE(convert(gguf, back, "bf16", exec).ok());
  const Safetensors before = Safetensors::open(in).value(), after = Safetensors::open(back).value();
  for (const TensorEntry& entry : before.tensors()) {
    const TensorEntry& found = *after.find(entry.name);
    EXPECT_EQ(found.pack, entry.pack);
    EXPECT_TRUE(std::ranges::equal(found.bytes, entry.bytes)) << entry.name;
  }
}

// GGUFs that this program did not write, of both splits of kv_b: the joined matrix is the same.
TEST(Convert, SplitKvBIsJoined) {
  Exec exec(2);
  const fs::path split = scratch("split");
  ASSERT_TRUE(convert(kGolden / "gguf/deepseek2_split_f16.gguf", split, "", exec).ok());
  const Gguf source = Gguf::open(kGolden / "gguf/deepseek2_split_f16.gguf").value();
  const Safetensors after = Safetensors::open(split).value();
  const auto keys = numbers(*source.find_tensor("blk.0.attn_k_b.weight"));
  const auto joined = numbers(*after.find("model.layers.0.self_attn.kv_b_proj.weight"));
  const auto& shape = source.find_tensor("blk.0.attn_k_b.weight")->shape;  // [heads, rank, nope]
  const int64_t rank = shape[1], nope = shape[2], each = static_cast<int64_t>(joined.size()) / shape[0];
  for (int64_t h = 0; h < shape[0]; ++h)
    for (int64_t j = 0; j < nope; ++j)
      for (int64_t c = 0; c < rank; ++c) ASSERT_EQ(joined[h * each + j * rank + c], keys[(h * rank + c) * nope + j]);
}

TEST(Convert, TokenizersSurvive) {
  Exec exec(1);
  const fs::path in = kGolden / "gguf/llama_f16.gguf", folder = scratch("tokens"), again = scratch("tokens.gguf");
  ASSERT_TRUE(convert(in, folder, "", exec).ok());
  ASSERT_TRUE(convert(folder, again, "f16", exec).ok());
  const std::string text = "the thin air in\n a <|end|> ther\xc3\xa4 12345";
  const auto ids = Checkpoint::open(in)->tokenizer()->encode(text);
  EXPECT_EQ(Checkpoint::open(folder)->tokenizer()->encode(text), ids);
  EXPECT_EQ(Checkpoint::open(again)->tokenizer()->encode(text), ids);
  // What the Hugging Face library insists on: every field of ByteLevel, and added tokens that do not follow the
  // vocabulary inside it (it would number them anew).
  const Json json = Json::parse(read_file(folder / "tokenizer.json").value()).value();
  EXPECT_EQ(json.at("model").at("vocab").at("<|begin|>").as_int(), 0);
  EXPECT_EQ(json.at("model").at("vocab").at("<|end|>").as_int(), 1);
  for (const Json& step : json.at("pre_tokenizer").at("pretokenizers").as_array())
    if (step.at("type").as_string() == "ByteLevel") {
      EXPECT_TRUE(step.find("trim_offsets"));
    }
}

TEST(Convert, MixedGgufsDequantise) {
  Exec exec(2);
  const fs::path in = kGolden / "gguf/llama_mixed.gguf", out = scratch("mixed");
  ASSERT_TRUE(convert(in, out, "", exec).ok());
  const Safetensors after = Safetensors::open(out).value();
  const TensorEntry& up = *after.find("model.layers.0.mlp.up_proj.weight");
  EXPECT_EQ(up.pack, Pack::f32);
  EXPECT_EQ(numbers(up), numbers(*Gguf::open(in)->find_tensor("blk.0.ffn_up.weight")));
}

std::string failure(const fs::path& in, const fs::path& out, const char* type) {
  Exec exec(1);
  const auto report = convert(in, out, type, exec);
  return report.ok() ? "" : report.error().message();
}

TEST(Convert, RefusalsNameTheCause) {
  EXPECT_NE(failure(kGolden / "models/llama", scratch("x.gguf"), "q4_9").find("q4_9"), std::string::npos);
  EXPECT_NE(failure(kGolden / "models/llama", scratch("x"), "").find(".gguf"), std::string::npos);
  EXPECT_NE(failure(kGolden / "models/deepseek_v2_long", scratch("x.gguf"), "").find("mscale"), std::string::npos);
  const fs::path full = scratch("full");
  fs::create_directories(full);
  ASSERT_TRUE(write_file(full / "config.json", "{}").ok());
  EXPECT_NE(failure(kGolden / "gguf/llama_f16.gguf", full, "").find("holds a model already"), std::string::npos);
}

std::vector<std::string> files_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

TEST(Convert, ShardsOfALimitedSizeHoldTheSameTensors) {
  const fs::path in = kGolden / "gguf/llama_f16.gguf", one = scratch("one"), many = scratch("many");
  Exec exec(2);
  ASSERT_TRUE(convert(in, one, "", exec).ok());
  ASSERT_TRUE(convert(in, many, "", exec, 30'000).ok());
  EXPECT_EQ(std::ranges::count(files_in(one), "model.safetensors"), 1);
  EXPECT_EQ(std::ranges::count(files_in(many), "model.safetensors.index.json"), 1);
  const Safetensors whole = Safetensors::open(one).value(), sharded = Safetensors::open(many).value();
  EXPECT_EQ(whole.tensors().size(), sharded.tensors().size());
  std::map<fs::path, std::pair<size_t, size_t>> shards;  // bytes, tensors
  for (const TensorEntry& tensor : whole.tensors()) {
    const TensorEntry* other = sharded.find(tensor.name);
    ASSERT_TRUE(other && other->shape == tensor.shape && std::ranges::equal(other->bytes, tensor.bytes)) << tensor.name;
    shards[other->file->path()].first += other->bytes.size(), ++shards[other->file->path()].second;
  }
  EXPECT_GT(shards.size(), 3u);
  for (const auto& [path, held] : shards) EXPECT_TRUE(held.first <= 30'000 || held.second == 1) << path;
}

// A second and a third shard cannot be written: nothing of the folder stays.
TEST(Convert, NothingHalfWrittenStays) {
  const fs::path in = kGolden / "gguf/llama_f16.gguf", out = scratch("limited");
  for (const uint64_t shard : {uint64_t{30'000}, SafetensorsWriter::kMaxShardBytes}) {
    const auto run = [&] {
      std::signal(SIGXFSZ, SIG_IGN);
      const rlimit limit{20'000, 20'000};
      ::setrlimit(RLIMIT_FSIZE, &limit);
      Exec exec(1);
      const auto report = convert(in, out, "", exec, shard);
      std::fprintf(stderr, "%s", report.ok() ? "written" : report.error().message().c_str());
      std::_Exit(fs::exists(out) ? 3 : 0);  // no destructors: they would take scratch folders away
    };
    EXPECT_EXIT(run(), testing::ExitedWithCode(0), "cannot write");
  }
}

TEST(Convert, AnInterruptTakesTheOutputAway) {
  install_signal_handlers();
  const fs::path out = scratch("stopped"), gguf = scratch("stopped.gguf");
  Exec exec(2);
  std::raise(SIGINT);
  EXPECT_THROW((void)convert(kGolden / "gguf/llama_f16.gguf", out, "", exec), Error);
  EXPECT_THROW((void)convert(kGolden / "models/llama", gguf, "", exec), Error);
  clear_interrupt();
  for (const std::string& name : files_in(out.parent_path())) EXPECT_FALSE(name.starts_with("stopped")) << name;
}

TEST(QuantizeModel, TypesErrorsAndThreads) {
  Exec one(1), three(3);
  const fs::path in = kGolden / "gguf/llama_mixed.gguf", a = scratch("a.gguf"), b = scratch("b.gguf");
  const auto report = quantize(in, a, "q4_k_m", one);
  ASSERT_TRUE(report.ok()) << report.error().message();
  ASSERT_TRUE(quantize(in, b, "q4_k_m", three).ok());
  EXPECT_EQ(read_file(a).value(), read_file(b).value());
  const Gguf written = Gguf::open(a).value();
  EXPECT_EQ(written.integer("general.file_type"), 15);
  EXPECT_EQ(written.find_tensor("output.weight")->pack, Pack::q6_k);
  EXPECT_EQ(written.find_tensor("blk.0.attn_norm.weight")->pack, Pack::f32);
  EXPECT_GT(report->relative_rmse, 0.001);
  EXPECT_LT(report->relative_rmse, 0.08);
}

TEST(QuantizeModel, NumbersThatCannotBeStoredAreNamed) {
  const fs::path in = scratch("huge"), out = scratch("huge.gguf");
  fs::create_directories(in);
  fs::copy_file(kGolden / "models/llama3_tied/config.json", in / "config.json");
  fs::copy_file(kGolden / "models/llama3_tied/model.safetensors", in / "model.safetensors");
  std::string bytes = read_file(in / "model.safetensors").value();
  const Safetensors tensors = Safetensors::open(in).value();
  const TensorEntry& down = *tensors.find("model.layers.0.mlp.down_proj.weight");
  const size_t at = bytes.find(std::string_view(reinterpret_cast<const char*>(down.bytes.data()), down.bytes.size()));
  for (size_t i = 0; i < 4; ++i) bytes[at + i] = '\xff';  // NaN in every float type
  ASSERT_TRUE(write_file(in / "model.safetensors", bytes).ok());
  Exec exec(2);
  const auto report = quantize(in, out, "q8_0", exec);
  ASSERT_FALSE(report.ok());
  EXPECT_NE(report.error().message().find("blk.0.ffn_down.weight"), std::string::npos) << report.error().message();
  EXPECT_FALSE(fs::exists(out));
}

}  // namespace
}  // namespace jevons
