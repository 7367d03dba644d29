// GGUF v2 and v3, little endian: magic, version, tensor count, metadata count; metadata (key, type, value); tensor
// facts (name, dimensions innermost first, type, offset); padding to `general.alignment`; data. Split files carry
// split.no, split.count. Source: ggml's docs/gguf.md.
//
// Checked before use: every length against the bytes that are left, counts, types, products, offsets (aligned, inside
// the file, no overlap), duplicate names and keys, rows that are whole blocks. Strings and arrays stay views into the
// mapping.
#pragma once
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"
#include "formats/tensor_entry.h"

namespace jevons {

class Gguf {
 public:
  enum class Type : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

  // An array's elements as they lie in the file.
  struct Array {
    Type type;
    uint64_t count;
    Bytes bytes;                                    // fixed-size elements, or strings with 8-byte lengths
    std::vector<std::string_view> strings() const;  // throws Error unless the elements are strings
    template <class T>
    std::vector<T> numbers() const;  // throws Error for strings and for a number that T cannot hold (a float T rounds)
  };
  using Value = std::variant<uint64_t, int64_t, double, bool, std::string_view, Array>;

  // A file, or any part "...-00001-of-0000N.gguf" of a split one.
  static Result<Gguf> open(const std::filesystem::path& path);
  static Result<Gguf> parse(Bytes bytes, std::shared_ptr<const MappedFile> file = nullptr);

  // Metadata. The typed forms give nullopt if the key is absent and throw Error if it has another type.
  const Value* find(std::string_view key) const;
  std::optional<int64_t> integer(std::string_view key) const;
  std::optional<double> number(std::string_view key) const;
  std::optional<bool> boolean(std::string_view key) const;
  std::optional<std::string_view> text(std::string_view key) const;
  const Array* array(std::string_view key) const;
  const std::vector<std::pair<std::string_view, Value>>& metadata() const { return metadata_; }
  Result<std::string> architecture() const;  // general.architecture

  const std::vector<TensorEntry>& tensors() const { return tensors_; }
  const TensorEntry* find_tensor(const std::string& name) const;

 private:
  Status add(Gguf&& part);
  std::vector<std::pair<std::string_view, Value>> metadata_;
  std::unordered_map<std::string_view, size_t> keys_;
  std::vector<TensorEntry> tensors_;
  std::unordered_map<std::string, size_t> index_;
  std::vector<std::shared_ptr<const MappedFile>> files_;
};

int64_t gguf_type_size(Gguf::Type type);  // of one element; 0 for strings and arrays
using GgufNumber = std::variant<uint64_t, int64_t, double>;
GgufNumber gguf_number(Gguf::Type type, const std::byte* at);
[[noreturn]] void gguf_bad_number(uint64_t index, const GgufNumber& found, size_t bytes);

template <class T>
std::vector<T> Gguf::Array::numbers() const {
  const auto convert = [](auto number, uint64_t index) -> T {
    if constexpr (std::is_floating_point_v<T>)
      return static_cast<T>(number);
    else if constexpr (std::is_integral_v<decltype(number)>)
      if (std::in_range<T>(number)) return static_cast<T>(number);
    gguf_bad_number(index, number, sizeof(T));
  };
  const int64_t size = gguf_type_size(type);
  if (size == 0) throw Error(Code::invalid, "expected an array of numbers, found one of strings");
  std::vector<T> out(static_cast<size_t>(count));
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = std::visit([&](auto n) { return convert(n, i); },
                        gguf_number(type, bytes.data() + static_cast<int64_t>(i) * size));
  return out;
}

}  // namespace jevons
