#include <gtest/gtest.h>

#include "base/json.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"

namespace jevons {
namespace {

const std::string kGolden = std::string(JEVONS_SOURCE_DIR) + "/tests/golden/";

std::string hex(Bytes bytes) {
  static const char digits[] = "0123456789abcdef";
  std::string out;
  for (const std::byte b : bytes) out += digits[static_cast<int>(b) >> 4], out += digits[static_cast<int>(b) & 15];
  return out;
}

// What the formats' own Python packages wrote (tests/golden/formats/make.py).
Json expected(const char* format) {
  return Json::parse(*read_file(kGolden + "formats/expected.json")).value().at(format);
}

void expect_tensor(const TensorEntry* found, const Json& facts) {
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->stored_type, facts.at("dtype").as_string());
  Json shape = Json::array();
  for (const int64_t d : found->shape) shape.push_back(d);
  EXPECT_EQ(shape, facts.at("shape"));
  EXPECT_EQ(hex(found->bytes), facts.at("bytes").as_string());
}

TEST(Formats, SafetensorsOfEveryType) {
  const Safetensors file = *Safetensors::open(kGolden + "formats/types.safetensors");
  const Json want = expected("safetensors");
  EXPECT_EQ(file.tensors().size(), want.size());
  for (const auto& [name, facts] : want.as_object()) expect_tensor(file.find(name), facts);
  EXPECT_EQ(file.metadata().at("note").as_string(), "ünïcode");
  EXPECT_EQ(file.find("t.BF16")->pack, Pack::bf16);
  EXPECT_EQ(file.find("t.F8_E4M3")->pack, Pack::fp8_block128);
  EXPECT_EQ(file.find("t.I64")->pack, std::nullopt);
}

TEST(Formats, GgufOfEveryType) {
  for (const char* version : {"v2", "v3"}) {
    const Gguf file = *Gguf::open(kGolden + "formats/types_" + version + ".gguf");
    const Json want = expected("gguf");
    EXPECT_EQ(file.tensors().size(), want.size());
    for (const auto& [name, facts] : want.as_object()) expect_tensor(file.find_tensor(name), facts);
    EXPECT_EQ(file.integer("k.uint8"), 255);
    EXPECT_EQ(file.integer("k.int8"), -128);
    EXPECT_EQ(file.integer("k.uint16"), 65535);
    EXPECT_EQ(file.integer("k.int16"), -32768);
    EXPECT_EQ(file.integer("k.uint32"), 4294967295);
    EXPECT_EQ(file.integer("k.int32"), -2147483648);
    EXPECT_EQ(file.integer("k.int64"), INT64_MIN);
    EXPECT_EQ(std::get<uint64_t>(*file.find("k.uint64")), UINT64_MAX);
    EXPECT_THROW(file.integer("k.uint64"), Error);
    EXPECT_EQ(file.number("k.float32"), 0.5);
    EXPECT_EQ(file.number("k.float64"), 0.1);
    EXPECT_EQ(file.boolean("k.bool"), true);
    EXPECT_EQ(file.text("k.string"), "ünïcode");
    EXPECT_EQ(file.array("k.strings")->strings(), (std::vector<std::string_view>{"", "a", "ünï"}));
    EXPECT_EQ(file.array("k.ints")->numbers<int32_t>(), (std::vector<int32_t>{1, -2, 3}));
    EXPECT_EQ(file.array("k.floats")->numbers<float>(), (std::vector<float>{0.5f, -1.5f}));
    EXPECT_EQ(file.array("k.bools")->numbers<int32_t>(), (std::vector<int32_t>{1, 0}));
    EXPECT_THROW(file.array("k.ints")->strings(), Error);
    EXPECT_EQ(file.integer("absent"), std::nullopt);
    EXPECT_THROW(file.integer("k.string"), Error);
  }
}

TEST(Formats, EveryGoldenFileIsAccepted) {
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kGolden)) {
    const auto check = [&](const auto& file) { EXPECT_TRUE(file.ok()) << (file.ok() ? "" : file.error().message()); };
    if (entry.path().extension() == ".safetensors") ++files, check(Safetensors::open(entry.path()));
    if (entry.path().extension() == ".gguf") ++files, check(Gguf::open(entry.path()));
  }
  EXPECT_GT(files, 30);
}

}  // namespace
}  // namespace jevons
