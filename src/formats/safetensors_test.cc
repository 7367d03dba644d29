#include "formats/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

namespace jevons {
namespace {

namespace fs = std::filesystem;
const std::string kGolden = std::string(JEVONS_SOURCE_DIR) + "/tests/golden/";

std::string file_of(const std::string& header, const std::string& data) {
  std::string out(8, '\0');
  const uint64_t length = header.size();
  std::memcpy(out.data(), &length, 8);
  return out + header + data;
}

Result<Safetensors> parse(const std::string& file) {
  return Safetensors::parse(std::as_bytes(std::span(file.data(), file.size())));
}

// The message of the error that parsing must give.
std::string refusal(const std::string& file) {
  const auto parsed = parse(file);
  return parsed.ok() ? "accepted" : parsed.error().message();
}

std::string tensor(const std::string& name, const std::string& dtype, const std::string& shape,
                   const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

#define EXPECT_SAYS(file, words) EXPECT_NE(refusal(file).find(words), std::string::npos) << refusal(file)

const std::string kTwo = "{" + tensor("a", "F32", "[2]", "[0,8]") + "," + tensor("b", "U8", "[3]", "[8,11]") + "}";

TEST(Safetensors, ReadsWhatTheHeaderSays) {
  const std::string file = file_of(kTwo, std::string(8, '\1') + "xyz");
  const Safetensors read = parse(file).value();
  ASSERT_EQ(read.tensors().size(), 2u);
  EXPECT_EQ(read.find("a")->pack, Pack::f32);
  EXPECT_EQ(read.find("b")->pack, std::nullopt);
  EXPECT_EQ(std::memcmp(read.find("b")->bytes.data(), "xyz", 3), 0);
  EXPECT_EQ(read.find("c"), nullptr);
}

TEST(Safetensors, ScalarsAndEmptyTensorsAreTensors) {
  const std::string header = "{" + tensor("empty", "F32", "[0,4611686018427387904]", "[0,0]") + "," +
                             tensor("scalar", "I64", "[]", "[0,8]") + "}";
  const Safetensors read = parse(file_of(header, std::string(8, '\0'))).value();
  EXPECT_EQ(read.find("empty")->numel(), 0);
  EXPECT_EQ(read.find("scalar")->numel(), 1);
  EXPECT_TRUE(parse(file_of("{}", "")).ok());
}

TEST(Safetensors, TruncationAtEveryByteIsAnError) {
  const std::string small = file_of(kTwo, std::string(11, 'x'));
  for (size_t n = 0; n < small.size(); ++n) EXPECT_FALSE(parse(small.substr(0, n)).ok()) << n;
  const auto shard = *MappedFile::open(kGolden + "models/qwen3/model.safetensors");
  for (size_t n = 0; n < shard->bytes().size(); n += n < 64 ? 1 : 997)
    EXPECT_FALSE(Safetensors::parse(shard->bytes().first(n)).ok()) << n;
}

// A flipped bit gives an error or a file whose every tensor lies inside the bytes.
TEST(Safetensors, FlippedBitsStayInside) {
  std::string file = file_of(kTwo, std::string(11, 'x'));
  const std::byte* begin = reinterpret_cast<const std::byte*>(file.data());
  for (size_t bit = 0; bit < (file.size() - 11) * 8; ++bit) {
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1 << bit % 8));
    if (const auto read = parse(file); read.ok()) {
      for (const TensorEntry& t : read->tensors()) {
        EXPECT_GE(t.bytes.data(), begin);
        EXPECT_LE(t.bytes.data() + t.bytes.size(), begin + file.size());
      }
    } else {
      EXPECT_FALSE(read.error().message().empty());
    }
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1 << bit % 8));
  }
}

TEST(Safetensors, AHeaderThatLiesIsRefusedWithItsPlace) {
  const std::string eight(8, 'x');
  const auto one = [&](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return file_of("{" + tensor("w", dtype, shape, offsets) + "}", eight);
  };
  EXPECT_SAYS(std::string("abc"), "8-byte header length");
  EXPECT_SAYS(std::string(8, '\xff'), "header length is 18446744073709551615");
  EXPECT_SAYS(file_of(std::string(32'000'001, ' '), ""), "at most 32000000 are accepted");
  EXPECT_SAYS(file_of("[]", ""), "expected a JSON object");
  EXPECT_SAYS(file_of("{\"w\":", ""), "not valid JSON at byte");
  EXPECT_SAYS(file_of("{\"w\":1}", ""), "tensor \"w\": expected an object, found integer");
  EXPECT_SAYS(file_of("{\"w\":{}}", ""), "\"dtype\" is missing");
  EXPECT_SAYS(file_of("{\"__metadata__\":[1]}", ""), "__metadata__ is array");
  EXPECT_SAYS(one("F7", "[2]", "[0,8]"), "tensor \"w\": has the dtype \"F7\"");
  EXPECT_SAYS(one("F32", "[-2]", "[0,8]"), "impossible shape");
  EXPECT_SAYS(one("F32", "[4294967296,4294967296]", "[0,8]"), "impossible shape");
  EXPECT_SAYS(one("F32", "[4611686018427387904]", "[0,8]"), "its shape and dtype need");
  EXPECT_SAYS(one("F32", "[2.5]", "[0,8]"), "expected an integer");
  EXPECT_SAYS(one("F32", "2", "[0,8]"), "expected an array");
  EXPECT_SAYS(one("F32", "[3]", "[0,8]"), "has 8 bytes, its shape and dtype need 12");
  EXPECT_SAYS(one("F32", "[2]", "[0,8,9]"), "two numbers");
  EXPECT_SAYS(one("F32", "[2]", "[8,0]"), "lie outside the 8 bytes");
  EXPECT_SAYS(one("F32", "[2]", "[-8,0]"), "lie outside");
  EXPECT_SAYS(one("F32", "[2]", "[4,12]"), "may be truncated");
  EXPECT_SAYS(one("F32", "[2]", "[0,18446744073709551615]"), "expected an integer");
}

TEST(Safetensors, TensorsFillTheDataOnce) {
  const auto two = [](const std::string& a, const std::string& b) {
    return file_of("{" + tensor("a", "U8", "[4]", a) + "," + tensor("b", "U8", "[4]", b) + "}", "12345678");
  };
  EXPECT_TRUE(parse(two("[4,8]", "[0,4]")).ok());
  EXPECT_SAYS(two("[0,4]", "[2,6]"), "\"a\" and \"b\" overlap");
  EXPECT_SAYS(two("[0,4]", "[0,4]"), "overlap");
  EXPECT_SAYS(file_of("{" + tensor("a", "U8", "[4]", "[4,8]") + "}", "12345678"), "bytes 0 to 4");
  EXPECT_SAYS(file_of("{" + tensor("a", "U8", "[4]", "[0,4]") + "}", "12345678"), "last 4 bytes");
  EXPECT_SAYS(
      file_of("{" + tensor("a", "U8", "[4]", "[0,4]") + "," + tensor("a", "U8", "[4]", "[4,8]") + "}", "12345678"),
      "\"a\" appears twice");
}

TEST(Safetensors, DeepAndHugeHeadersAreRefused) {
  EXPECT_SAYS(file_of("{\"a\":" + std::string(100000, '['), ""), "nested deeper than 64");
  std::string many = "{\"a\":[0";
  for (int i = 0; i < 5'000'000; ++i) many += ",0";
  EXPECT_SAYS(file_of(many + "]}", ""), "more than 4194304 values");
}

// A folder of shards, taken away with the test.
class Folder : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/jevons_safetensors_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    path = pattern;
    put("a.safetensors", file_of("{" + tensor("x", "U8", "[4]", "[0,4]") + "}", "1234"));
    put("b.safetensors", file_of("{" + tensor("y", "U8", "[4]", "[0,4]") + "}", "5678"));
  }
  void TearDown() override { fs::remove_all(path); }
  void put(const std::string& name, const std::string& text) { ASSERT_TRUE(write_file(path / name, text).ok()); }
  std::string open_with(const std::string& weight_map) {
    put("model.safetensors.index.json", "{\"weight_map\":" + weight_map + "}");
    const auto opened = Safetensors::open(path);
    return opened.ok() ? "accepted " + std::to_string(opened->tensors().size()) : opened.error().message();
  }
  fs::path path;
};

TEST_F(Folder, AnIndexNamesShards) {
  EXPECT_EQ(open_with(R"({"x":"a.safetensors","y":"b.safetensors"})"), "accepted 2");
  const auto says = [&](const char* map, const std::string& words) {
    const std::string found = open_with(map);
    EXPECT_NE(found.find(words), std::string::npos) << found;
    EXPECT_NE(found.find(path.string()), std::string::npos) << found;
  };
  says(R"({"x":"a.safetensors","z":"b.safetensors"})",
       "names the tensor \"z\" in b.safetensors, which does not hold it");
  says(R"({"x":"b.safetensors","y":"a.safetensors"})", "which does not hold it");
  says(R"({"x":"c.safetensors"})", "names a file that is missing");
  says(R"({"x":"../a.safetensors"})", "must be a file name in this folder");
  says(R"({"x":"/etc/passwd"})", "must be a file name in this folder");
  says(R"({"x":".."})", "must be a file name in this folder");
  says(R"({"x":""})", "must be a file name in this folder");
  says(R"({"x":"a.safetensors\u0000.bin"})", "must be a file name in this folder");
  says(R"({"x":7})", "expected a string");
  says("[]", "expected an object");
  put("c.safetensors", file_of("{" + tensor("x", "U8", "[4]", "[0,4]") + "}", "1234"));
  says(R"({"x":"a.safetensors","y":"c.safetensors"})", "\"x\" is in two files");
  fs::remove(path / "model.safetensors.index.json");
  EXPECT_NE(Safetensors::open(path).error().message().find("neither model.safetensors nor"), std::string::npos);
}

TEST(SafetensorsGolden, ReadsPublishedShards) {
  EXPECT_EQ(Safetensors::open(kGolden + "models/llama")->tensors().size(), 21u);
}

}  // namespace
}  // namespace jevons
