// Ids of the Hugging Face `tokenizers` library (tools/gen_tokenizer_golden.py) against ours.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "base/strings.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

namespace jevons {
namespace {

const std::string kFolder = std::string(JEVONS_SOURCE_DIR) + "/tests/golden/tokenizers/";
const char* const kFamilies[] = {"deepseek_v3", "deepseek_v2", "llama3", "qwen3", "smollm2"};

std::string golden(const std::string& name) { return read_file(kFolder + name).value(); }

class Leb {
 public:
  explicit Leb(std::string data) : data_(std::move(data)) {}
  bool more() const { return at_ < data_.size(); }
  uint32_t number() {
    uint32_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(data_.at(at_++));
      value |= uint32_t{byte & 127u} << shift;
      if (byte < 128) return value;
    }
  }
  std::string bytes() {
    const size_t n = number();
    at_ += n;
    return data_.substr(at_ - n, n);
  }
  std::vector<int32_t> ids() {
    std::vector<int32_t> out(number());
    for (int32_t& id : out) id = static_cast<int32_t>(number());
    return out;
  }

 private:
  std::string data_;
  size_t at_ = 0;
};

std::vector<std::string> corpus() {
  Leb file(golden("corpus.bin"));
  std::vector<std::string> out;
  while (file.more()) out.push_back(file.bytes());
  return out;
}

// The same vocabulary as a GGUF file holds it: ids without a token are unused, added tokens control or user-defined.
GgufVocab gguf_of(const Json& json, const std::string& pre) {
  GgufVocab out;
  out.model = "gpt2", out.pre = pre;
  const auto put = [&](int64_t id, const std::string& text, int32_t type) {
    while (static_cast<int64_t>(out.tokens.size()) <= id) {
      out.tokens.push_back(cat("[PAD", out.tokens.size(), "]"));
      out.types.push_back(5);
    }
    out.tokens[id] = text, out.types[id] = type;
  };
  for (const auto& [token, id] : json.at("model").at("vocab").as_object()) put(id.as_int(), token, 1);
  for (const Json& t : json.at("added_tokens").as_array())
    put(t.at("id").as_int(), t.at("content").as_string(), t.at("special").as_bool() ? 3 : 4);
  for (const Json& m : json.at("model").at("merges").as_array())
    out.merges.push_back(m.is_array() ? m.as_array()[0].as_string() + " " + m.as_array()[1].as_string()
                                      : m.as_string());
  return out;
}

struct Hashed {
  uint64_t hash = 0xcbf29ce484222325;
  int64_t count = 0;
  void add(const std::vector<int32_t>& ids) {
    for (const int32_t id : ids) hash = (hash ^ static_cast<uint64_t>(id)) * 0x100000001b3;
    count += static_cast<int64_t>(ids.size());
  }
  void expect(const Json& golden) const {
    char text[17];
    std::snprintf(text, sizeof text, "%016lx", static_cast<unsigned long>(hash));
    EXPECT_EQ(count, golden.at("ids").as_int());
    EXPECT_EQ(text, golden.at("hash").as_string());
  }
};

class FamilyTest : public testing::TestWithParam<const char*> {
 protected:
  std::string file_ = golden(std::string(GetParam()) + ".json");
  Tokenizer tokenizer_ = Tokenizer::from_json(file_).value();
};

TEST_P(FamilyTest, IdsEqualAndTextComesBack) {
  const auto strings = corpus();
  ASSERT_GE(strings.size(), 2000u);
  Leb expected(golden(std::string(GetParam()) + ".ids"));
  const bool nfc = std::string(GetParam()) == "qwen3";
  int different = 0;
  for (const std::string& text : strings) {
    const auto ids = tokenizer_.encode(text);
    const auto want = expected.ids();
    if (ids != want && ++different <= 5)
      ADD_FAILURE() << quote(text, 200) << "\n  ours " << testing::PrintToString(ids) << "\n  want "
                    << testing::PrintToString(want);
    std::string back = nfc ? unicode::nfc(text) : text;
    if (tokenizer_.missing_bytes())
      std::erase_if(back, [&](char c) { return !tokenizer_.find(std::string_view(&c, 1)); });
    EXPECT_EQ(tokenizer_.decode(ids), back);
  }
  EXPECT_EQ(different, 0) << "of " << strings.size();
  EXPECT_FALSE(expected.more());
}

TEST_P(FamilyTest, GgufVocabularyGivesTheSameIds) {
  const std::string name = GetParam();
  const std::string pre = name == "deepseek_v3"   ? "deepseek-v3"
                          : name == "deepseek_v2" ? "deepseek-llm"
                          : name == "llama3"      ? "llama-bpe"
                          : name == "qwen3"       ? "qwen2"
                                                  : "smollm";
  const Tokenizer gguf = Tokenizer::from_gguf_parts(gguf_of(Json::parse(file_).value(), pre)).value();
  for (const std::string& text : corpus()) ASSERT_EQ(gguf.encode(text), tokenizer_.encode(text)) << quote(text, 200);
}

TEST_P(FamilyTest, StreamsWholeCharacters) {
  for (const std::string& text : corpus()) {
    const auto ids = tokenizer_.encode(text);
    const std::string whole = tokenizer_.decode(ids);
    StreamDecoder stream(tokenizer_);
    std::string joined;
    for (const int32_t id : ids) {
      const std::string part = stream.push(id);
      if (unicode::is_valid(whole)) {
        ASSERT_TRUE(unicode::is_valid(part)) << quote(whole, 200);
      }
      joined += part;
    }
    joined += stream.flush();
    ASSERT_EQ(joined, whole);
  }
}

TEST_P(FamilyTest, EveryCodePoint) {
  std::vector<uint32_t> points;
  for (uint32_t c = 0; c < 0xe0200; ++c)
    if (c < 0xd800 || (c >= 0xe000 && c < 0x32400) || c >= 0xe0000) points.push_back(c);
  Hashed hashed;
  for (size_t i = 0; i < points.size(); i += 4096) {
    std::string text;
    for (size_t j = i; j < std::min(i + 4096, points.size()); ++j) {
      unicode::append_utf8(text, points[j]);
      text += 'a';
      unicode::append_utf8(text, points[j]);
      text += ' ';
    }
    hashed.add(tokenizer_.encode(text));
  }
  hashed.expect(Json::parse(golden("books.json")).value().at("points").at(GetParam()));
}

// 10 MB of the books beside the source tree; without them the sample in it.
TEST_P(FamilyTest, Books) {
  const Json want = Json::parse(golden("books.json")).value();
  const std::string path = std::string(JEVONS_SOURCE_DIR) + "/../shared/data/pretrain_books_train.txt.zst";
  const bool full = std::filesystem::exists(path);
  std::string text;
  if (full) {
    const auto size = static_cast<size_t>(want.at("bytes").as_int());
    std::FILE* pipe = popen(("zstd -dcq '" + path + "' 2>/dev/null").c_str(), "r");
    ASSERT_TRUE(pipe);
    text.resize(size);
    text.resize(std::fread(text.data(), 1, size, pipe));
    pclose(pipe);
    ASSERT_EQ(text.size(), size) << "could not unpack " << path << "; is zstd installed?";
  } else {
    text = golden("books_sample.txt");
    std::printf("no ../shared/data: the committed sample of %zu bytes\n", text.size());
  }
  Hashed hashed;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', std::min(at + 65536, text.size()));
    end = end == std::string::npos ? text.size() : end + 1;
    hashed.add(tokenizer_.encode(std::string_view(text).substr(at, end - at)));
    at = end;
  }
  hashed.expect(want.at(full ? "full" : "sample").at(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Golden, FamilyTest, testing::ValuesIn(kFamilies),
                         [](const auto& family) { return std::string(family.param); });

// Each pre-tokenizer, behaviour, normalizer and added-token option by itself.
TEST(TokenizerOptions, IdsEqual) {
  Json file = Json::parse(golden("options.json")).value();
  const auto strings = corpus();
  Leb expected(golden("options.ids"));
  size_t index = 0;
  for (Json& json : file["tokenizers"].as_array()) {
    json["model"] = file.at("model");
    const Tokenizer tokenizer = Tokenizer::from_json(json.dump()).value();
    int different = 0;
    for (size_t i = 0; i < strings.size(); i += 19) {
      const auto want = expected.ids();
      if (!unicode::is_valid(strings[i])) continue;
      if (const auto ids = tokenizer.encode(strings[i]); ids != want && ++different <= 3)
        ADD_FAILURE() << index << " " << json.at("pre_tokenizer").dump() << json.at("normalizer").dump() << "\n "
                      << quote(strings[i], 200) << "\n  ours " << testing::PrintToString(ids) << "\n  want "
                      << testing::PrintToString(want);
    }
    EXPECT_EQ(different, 0);
    ++index;
  }
  EXPECT_FALSE(expected.more());
}

// Published encodings of the DeepSeek V3 tokenizer.
TEST(Tokenizer, DeepseekV3PublishedEncodings) {
  const Tokenizer t = Tokenizer::from_json(golden("deepseek_v3.json")).value();
  using Ids = std::vector<int32_t>;
  EXPECT_EQ(t.encode("Hello world"), (Ids{19923, 2058}));
  EXPECT_EQ(t.encode(" hello world "), (Ids{44388, 2058, 223}));
  EXPECT_EQ(t.encode("Hello!"), (Ids{19923, 3}));
  EXPECT_EQ(t.encode("getUserName"), (Ids{1133, 110280}));
  EXPECT_EQ(t.encode("self.assertEqual(x, 42)"), (Ids{2161, 38377, 4042, 14, 223, 3180, 11}));
  EXPECT_EQ(t.encode("12345678901234567890"), (Ids{6895, 18009, 25744, 16993, 18014, 27183, 2225}));
  EXPECT_EQ(t.encode("你好世界"), (Ids{30594, 3427}));
  EXPECT_EQ(t.encode("Hello 🌍 World!"), (Ids{19923, 73369, 238, 4495, 3}));
  EXPECT_EQ(t.encode("<｜begin▁of▁sentence｜><｜User｜>a<｜Assistant｜>"), (Ids{0, 128803, 67, 128804}));
}

}  // namespace
}  // namespace jevons
