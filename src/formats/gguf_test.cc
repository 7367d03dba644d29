#include "formats/gguf.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>

#include "formats/gguf_config.h"
#include "formats/gguf_names.h"
#include "formats/raw_gguf.h"

namespace jevons {
namespace {

namespace fs = std::filesystem;
const std::string kGolden = std::string(JEVONS_SOURCE_DIR) + "/tests/golden/";

Result<Gguf> parse(const std::string& file) { return Gguf::parse(bytes_of(file)); }
std::string refusal(const std::string& file) {
  const auto parsed = parse(file);
  return parsed.ok() ? "accepted" : parsed.error().message();
}
#define EXPECT_SAYS(file, words) EXPECT_NE(refusal(file).find(words), std::string::npos) << refusal(file)

std::string two_tensors() {
  RawGguf raw;
  raw.head(2, 2)
      .u32("answer", 42)
      .text("names")
      .put(uint32_t{9})
      .put(uint32_t{8})
      .put(uint64_t{2})
      .text("a")
      .text("bc");
  return raw.tensor("x", {4}, 0, 0).tensor("y", {32, 2}, 8, 32).data(32 + 68);
}

TEST(Gguf, ReadsWhatWasWritten) {
  const std::string file = two_tensors();
  const Gguf read = parse(file).value();
  EXPECT_EQ(read.integer("answer"), 42);
  EXPECT_EQ(read.array("names")->strings(), (std::vector<std::string_view>{"a", "bc"}));
  EXPECT_EQ(read.find_tensor("y")->shape, (std::vector<int64_t>{2, 32}));
  EXPECT_EQ(read.find_tensor("y")->pack, Pack::q8_0);
  EXPECT_EQ(read.find_tensor("y")->bytes.size(), 68u);
}

TEST(Gguf, TruncationAtEveryByteIsAnError) {
  const std::string small = two_tensors();
  for (size_t n = 0; n < small.size(); ++n) EXPECT_FALSE(parse(small.substr(0, n)).ok()) << n;
  const auto file = *MappedFile::open(kGolden + "gguf/llama3_tied_f32.gguf");
  for (size_t n = 0; n < file->bytes().size(); n += n < 4000 ? 1 : 997)
    EXPECT_FALSE(Gguf::parse(file->bytes().first(n)).ok()) << n;
}

void flip_bits(std::string file, size_t begin, size_t end, size_t step) {
  for (size_t bit = begin * 8; bit < end * 8; bit += step) {
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1 << bit % 8));
    if (const auto read = parse(file); read.ok()) {
      for (const TensorEntry& t : read->tensors()) {
        ASSERT_GE(reinterpret_cast<const char*>(t.bytes.data()), file.data());
        ASSERT_LE(reinterpret_cast<const char*>(t.bytes.data() + t.bytes.size()), file.data() + file.size());
      }
      const auto config = config_from_gguf(*read);
      ASSERT_TRUE(config.ok() || !config.error().message().empty());
    } else {
      ASSERT_FALSE(read.error().message().empty());
    }
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1 << bit % 8));
  }
}

// A flipped bit gives an error or a file whose every tensor lies inside the bytes.
TEST(Gguf, FlippedBitsStayInside) {
  const std::string small = two_tensors();
  flip_bits(small, 0, small.size() - 100, 1);
  const std::string model = read_file(kGolden + "gguf/deepseek2_split_f16.gguf").value();
  flip_bits(model, 0, std::min<size_t>(model.size(), 2000), 7);
}

TEST(Gguf, TheHeadIsChecked) {
  EXPECT_SAYS("", "no GGUF file or truncated");
  EXPECT_SAYS(std::string(100, 'G'), "does not begin with the letters GGUF");
  EXPECT_SAYS(RawGguf().head(0, 0, 1).bytes, "has GGUF version 1");
  EXPECT_SAYS(RawGguf().head(0, 0, 0x03000000).bytes, "versions 2 and 3 are read");  // big endian
  EXPECT_SAYS(RawGguf().head(uint64_t{1} << 60, 0).bytes, "are impossible");
  EXPECT_SAYS(RawGguf().head(0, UINT64_MAX).bytes, "are impossible");
  EXPECT_SAYS(RawGguf().head(0, 1 << 20).bytes, "byte 24: a metadata key needs 8 bytes, but the file has 0 left");
  EXPECT_SAYS(RawGguf().head(1 << 20, 0).bytes, "a tensor's name needs");
  EXPECT_TRUE(parse(RawGguf().head(0, 0).bytes + std::string(8, '\0')).ok());
}

TEST(Gguf, MetadataIsChecked) {
  const auto one = [](const std::function<void(RawGguf&)>& value) {
    RawGguf raw;
    raw.head(0, 1).text("key");
    value(raw);
    return raw.bytes;
  };
  EXPECT_SAYS(one([](RawGguf& r) { r.put(uint32_t{13}); }), "byte 35: unknown metadata type 13");
  EXPECT_SAYS(one([](RawGguf& r) { r.put(uint32_t{8}).put(UINT64_MAX); }), "needs 18446744073709551615 bytes");
  EXPECT_SAYS(one([](RawGguf& r) { r.put(uint32_t{9}).put(uint32_t{9}).put(uint64_t{1}); }), "arrays of arrays");
  EXPECT_SAYS(one([](RawGguf& r) { r.put(uint32_t{9}).put(uint32_t{4}).put(UINT64_MAX / 4 + 2); }), "at most 16777216");
  EXPECT_SAYS(one([](RawGguf& r) { r.put(uint32_t{9}).put(uint32_t{4}).put(uint64_t{1} << 24); }),
              "cannot fit in the 0");
  EXPECT_SAYS(one([](RawGguf& r) { r.put(uint32_t{9}).put(uint32_t{8}).put(uint64_t{1} << 23); }), "at most 4194304");
  EXPECT_SAYS(one([](RawGguf& r) { r.put(uint32_t{9}).put(uint32_t{8}).put(uint64_t{1} << 22); }), "cannot fit");
  EXPECT_SAYS(RawGguf().head(0, 2).u32("k", 1).u32("k", 1).bytes, "the metadata key \"k\" appears twice");
  EXPECT_SAYS(RawGguf().head(0, 1).u32("general.alignment", 0).bytes, "general.alignment is 0");
  EXPECT_SAYS(RawGguf().head(0, 1).u32("general.alignment", 24).bytes, "expected a power of two");
}

TEST(Gguf, ValuesOfAnotherTypeAreNamed) {
  const std::string file = two_tensors();
  const Gguf read = parse(file).value();
  const auto says = [](const auto& call, const std::string& words) {
    try {
      call();
      ADD_FAILURE() << words;
    } catch (const Error& e) {
      EXPECT_NE(e.message().find(words), std::string::npos) << e.message();
    }
  };
  says([&] { read.text("answer"); }, "metadata \"answer\": expected a string, found an unsigned integer");
  says([&] { read.integer("names"); }, "expected an integer, found an array");
  says([&] { read.array("names")->numbers<int32_t>(); }, "found one of strings");
  EXPECT_EQ(read.integer("absent"), std::nullopt);
}

// One array under the key "a".
template <class T>
std::string array_file(Gguf::Type type, const std::vector<T>& values) {
  RawGguf raw;
  raw.head(0, 1).text("a").put(uint32_t{9}).put(static_cast<uint32_t>(type)).put(uint64_t{values.size()});
  for (const T value : values) raw.put(value);
  return raw.bytes;
}

// Every integer arrives with all its digits, or not at all.
TEST(Gguf, NumbersOfArraysAreExact) {
  using Type = Gguf::Type;
  const std::vector<int64_t> wide = {INT64_MIN, INT64_MAX, (int64_t{1} << 53) + 1, -1};
  EXPECT_EQ(parse(array_file(Type::i64, wide))->array("a")->numbers<int64_t>(), wide);
  const std::vector<uint64_t> most = {UINT64_MAX, UINT64_MAX - 1};
  EXPECT_EQ(parse(array_file(Type::u64, most))->array("a")->numbers<uint64_t>(), most);
  EXPECT_EQ(parse(array_file<int8_t>(Type::i8, {-128, 127}))->array("a")->numbers<int16_t>(),
            (std::vector<int16_t>{-128, 127}));
  EXPECT_EQ(parse(array_file<float>(Type::f32, {0.5f, -1.5f}))->array("a")->numbers<double>(),
            (std::vector<double>{0.5, -1.5}));
  EXPECT_EQ(parse(array_file<uint8_t>(Type::boolean, {1, 0}))->array("a")->numbers<int>(), (std::vector<int>{1, 0}));
  const auto says = [](const std::string& file, const std::string& words) {
    const Gguf read = parse(file).value();
    try {
      read.array("a")->numbers<int32_t>();
      ADD_FAILURE() << words;
    } catch (const Error& e) {
      EXPECT_EQ(e.message(), words);
    }
  };
  says(array_file(Type::i64, wide), "element 0 of the array is -9223372036854775808, expected an integer of 32 bits");
  says(array_file<uint32_t>(Type::u32, {7, 4294967295u}),
       "element 1 of the array is 4294967295, expected an integer of 32 bits");
  says(array_file<double>(Type::f64, {1e300}),
       "element 0 of the array is 1e+300, a float, expected an integer of 32 bits");
  says(array_file<float>(Type::f32, {1.0f}), "element 0 of the array is 1, a float, expected an integer of 32 bits");
}

TEST(Gguf, TensorsAreChecked) {
  const auto one = [](std::initializer_list<uint64_t> dims, uint32_t type, uint64_t offset) {
    return RawGguf().head(1, 0).tensor("w", dims, type, offset).data(64);
  };
  EXPECT_EQ(refusal(one({16}, 0, 0)), "accepted");
  EXPECT_SAYS(one({}, 0, 0), "tensor \"w\" has 0 dimensions, expected 1 to 4");
  EXPECT_SAYS(one({1, 1, 1, 1, 1}, 0, 0), "has 5 dimensions");
  EXPECT_SAYS(one({0}, 0, 0), "impossible shape");
  EXPECT_SAYS(one({UINT64_MAX}, 0, 0), "impossible shape");
  EXPECT_SAYS(one({uint64_t{1} << 32, uint64_t{1} << 32}, 0, 0), "impossible shape");
  EXPECT_SAYS(one({uint64_t{1} << 62}, 0, 0), "impossible size");
  EXPECT_SAYS(one({16}, 4, 0), "tensor \"w\" has ggml type 4");
  EXPECT_SAYS(one({16}, 999, 0), "ggml type 999");
  EXPECT_SAYS(one({31}, 8, 0), "has rows of 31 numbers, q8_0 needs multiples of 32");
  EXPECT_SAYS(one({17}, 0, 0), "it may be truncated");
  EXPECT_SAYS(one({1}, 0, 16), "not aligned to 32");
  EXPECT_SAYS(one({1}, 0, UINT64_MAX - 31), "it may be truncated");
  EXPECT_SAYS(RawGguf().head(2, 0).tensor("a", {16}, 0, 0).tensor("b", {8}, 0, 32).data(64), "\"a\" and \"b\" overlap");
  EXPECT_SAYS(RawGguf().head(2, 0).tensor("a", {8}, 0, 0).tensor("a", {8}, 0, 32).data(64), "\"a\" appears twice");
  EXPECT_SAYS(RawGguf().head(1, 0).tensor("\xff\n\"", {1}, 4, 0).data(64), "\"\\xff\\n\\\"\"");
}

// Other readers take any power of two; so the data can begin at an odd byte.
TEST(Gguf, AnAlignmentOfOneByteIsRead) {
  RawGguf raw;
  raw.head(2, 1).u32("general.alignment", 1).tensor("abc", {1}, 0, 0).tensor("de", {2}, 1, 4);
  const size_t data = raw.bytes.size();
  raw.bytes += "12345678";
  const Gguf read = parse(raw.bytes).value();
  EXPECT_EQ(read.find_tensor("abc")->bytes.data(), bytes_of(raw.bytes).data() + data);
  EXPECT_EQ(std::memcmp(read.find_tensor("de")->bytes.data(), "5678", 4), 0);
}

TEST(Gguf, PartsOfASplitFile) {
  for (const char* part : {"00001", "00002"})
    EXPECT_EQ(Gguf::open(kGolden + "gguf/qwen2_split_f16-" + part + "-of-00002.gguf")->tensors().size(), 26u);
  std::string pattern = testing::TempDir() + "/jevons_gguf_XXXXXX";
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  const fs::path folder = pattern;
  const auto copy = [&](const char* from, const char* to) {
    fs::copy_file(kGolden + "gguf/qwen2_split_f16-" + from + ".gguf", folder / to,
                  fs::copy_options::overwrite_existing);
  };
  const auto says = [&](const char* name, const std::string& words) {
    const auto opened = Gguf::open(folder / name);
    ASSERT_FALSE(opened.ok()) << name;
    EXPECT_NE(opened.error().message().find(words), std::string::npos) << opened.error().message();
  };
  copy("00001-of-00002", "m-00001-of-00002.gguf");
  says("m-00001-of-00002.gguf", "m-00002-of-00002.gguf: cannot open");
  copy("00001-of-00002", "m-00002-of-00002.gguf");
  says("m-00002-of-00002.gguf", "split.no is 0, expected 1");
  copy("00001-of-00002", "m-00001-of-00003.gguf");
  says("m-00001-of-00003.gguf", "split.count is 2, the name says 3");
  says("m-00004-of-00003.gguf", "part 4 of 3");
  says("m-00000-of-00000.gguf", "part 0 of 0");
  fs::remove_all(folder);
}

TEST(GgufConfig, MetadataBecomesConfig) {
  const Json config = *config_from_gguf(*Gguf::open(kGolden + "gguf/deepseek2_split_f16.gguf"));
  EXPECT_EQ(config.at("model_type").as_string(), "deepseek_v3");
  EXPECT_EQ(config.at("n_group").as_int(), 4);
  EXPECT_EQ(config.at("qk_nope_head_dim").as_int(), 16);
  EXPECT_EQ(config.at("v_head_dim").as_int(), 16);
  EXPECT_EQ(config.at("routed_scaling_factor").as_double(), 2.5);
  EXPECT_EQ(config.at("rope_scaling").at("mscale_all_dim").as_double(), 1.0);
}

TEST(GgufConfig, MetadataWithAnEffectIsRefusedByName) {
  const auto config = [](const std::function<void(RawGguf&)>& more, uint64_t count) {
    RawGguf raw;
    raw.head(1, 7 + count).text("general.architecture").put(uint32_t{8}).text("llama");
    raw.u32("llama.embedding_length", 64).u32("llama.block_count", 1).u32("llama.attention.head_count", 4);
    raw.u32("llama.context_length", 128).u32("llama.feed_forward_length", 8).u32("llama.rope.dimension_count", 16);
    more(raw);
    const std::string file = raw.tensor("token_embd.weight", {4, 2}, 0, 0).data(32);
    const auto out = config_from_gguf(parse(file).value());
    return out.ok() ? std::string("accepted") : out.error().message();
  };
  EXPECT_EQ(config([](RawGguf&) {}, 0), "accepted");
  const auto f32 = [](const char* key, float value) {
    return [=](RawGguf& r) { r.text(key).put(uint32_t{6}).put(value); };
  };
  EXPECT_NE(config([](RawGguf& r) { r.u32("llama.attention.sliding_window", 512); }, 1)
                .find("sliding_window has the value 512"),
            std::string::npos);
  EXPECT_EQ(config([](RawGguf& r) { r.u32("llama.attention.sliding_window", 0); }, 1), "accepted");
  EXPECT_NE(config(f32("llama.final_logit_softcapping", 30), 1).find("final_logit_softcapping"), std::string::npos);
  EXPECT_NE(config(f32("llama.logit_scale", 0.5), 1).find("logit_scale"), std::string::npos);
  EXPECT_EQ(config(f32("llama.logit_scale", 1), 1), "accepted");
  EXPECT_NE(config([](RawGguf& r) { r.u32("llama.attention.key_length", 32); }, 1).find("rope.dimension_count is 16"),
            std::string::npos);
  EXPECT_NE(config([](RawGguf& r) { r.text("llama.expert_count").put(uint32_t{11}).put(int64_t{-1}); }, 1)
                .find("llama.expert_count is -1"),
            std::string::npos);
}

TEST(GgufNames, GoBothWays) {
  EXPECT_EQ(gguf_name("model.layers.12.mlp.experts.gate_proj.weight"), "blk.12.ffn_gate_exps.weight");
  EXPECT_EQ(hf_name("blk.3.exp_probs_b.bias"), "model.layers.3.mlp.gate.e_score_correction_bias");
  EXPECT_EQ(gguf_name("model.layers.x.mlp.gate.weight"), std::nullopt);
  for (const char* odd : {"", "blk.", "blk..attn_q.weight", "blk.1", "blk.1.", "blk.-1.attn_q.weight", "blk.1.attn_q"})
    EXPECT_EQ(hf_name(odd), std::nullopt) << odd;
}

}  // namespace
}  // namespace jevons
