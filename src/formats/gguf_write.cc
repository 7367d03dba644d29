#include "formats/gguf_write.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace jevons {
namespace {

constexpr uint64_t kAlignment = 32;  // the format's default; the key general.alignment is not written

template <class T>
void append_raw(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_text(std::string& out, std::string_view text) {
  append_raw(out, static_cast<uint64_t>(text.size()));
  out += text;
}

}  // namespace

void GgufWriter::key(std::string_view name, Gguf::Type type) {
  append_text(metadata_, name);
  append_raw(metadata_, static_cast<uint32_t>(type));
  ++metadata_count_;
}

template <class T>
void GgufWriter::number(Gguf::Type type, std::string_view name, T value) {
  key(name, type);
  append_raw(metadata_, value);
}

void GgufWriter::put_u32(std::string_view name, int64_t value) {
  JEVONS_CHECK(value >= 0 && value <= std::numeric_limits<uint32_t>::max(), std::string(name));
  number(Gguf::Type::u32, name, static_cast<uint32_t>(value));
}

void GgufWriter::put_f32(std::string_view name, double value) {
  number(Gguf::Type::f32, name, static_cast<float>(value));
}

void GgufWriter::put_bool(std::string_view name, bool value) {
  number(Gguf::Type::boolean, name, static_cast<uint8_t>(value));
}

void GgufWriter::put_text(std::string_view name, std::string_view value) {
  key(name, Gguf::Type::string);
  append_text(metadata_, value);
}

void GgufWriter::put_texts(std::string_view name, const std::vector<std::string>& values) {
  key(name, Gguf::Type::array);
  append_raw(metadata_, static_cast<uint32_t>(Gguf::Type::string));
  append_raw(metadata_, static_cast<uint64_t>(values.size()));
  for (const std::string& value : values) append_text(metadata_, value);
}

void GgufWriter::put_i32s(std::string_view name, const std::vector<int32_t>& values) {
  key(name, Gguf::Type::array);
  append_raw(metadata_, static_cast<uint32_t>(Gguf::Type::i32));
  append_raw(metadata_, static_cast<uint64_t>(values.size()));
  for (const int32_t value : values) append_raw(metadata_, value);
}

void GgufWriter::put(std::string_view name, const Gguf::Value& value) {
  if (const auto* v = std::get_if<uint64_t>(&value)) {
    if (*v <= std::numeric_limits<uint32_t>::max()) return number(Gguf::Type::u32, name, static_cast<uint32_t>(*v));
    return number(Gguf::Type::u64, name, *v);
  }
  if (const auto* v = std::get_if<int64_t>(&value)) {
    if (static_cast<int32_t>(*v) == *v) return number(Gguf::Type::i32, name, static_cast<int32_t>(*v));
    return number(Gguf::Type::i64, name, *v);
  }
  if (const auto* v = std::get_if<double>(&value)) {
    if (std::isnan(*v) || static_cast<float>(*v) == *v) return put_f32(name, *v);
    return number(Gguf::Type::f64, name, *v);
  }
  if (const auto* v = std::get_if<bool>(&value)) return put_bool(name, *v);
  if (const auto* v = std::get_if<std::string_view>(&value)) return put_text(name, *v);
  const auto& array = std::get<Gguf::Array>(value);
  key(name, Gguf::Type::array);
  append_raw(metadata_, static_cast<uint32_t>(array.type));
  append_raw(metadata_, array.count);
  metadata_.append(reinterpret_cast<const char*>(array.bytes.data()), array.bytes.size());
}

void GgufWriter::add_tensor(std::string_view name, const std::vector<int64_t>& shape, Pack pack) {
  JEVONS_CHECK(!shape.empty() && pack_info(pack).gguf >= 0, std::string(name));
  const uint64_t begin = (end_ + kAlignment - 1) / kAlignment * kAlignment;
  append_text(tensors_, name);
  append_raw(tensors_, static_cast<uint32_t>(shape.size()));
  int64_t rows = 1;
  for (size_t i = shape.size(); i-- > 0;) append_raw(tensors_, static_cast<uint64_t>(shape[i]));
  for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  append_raw(tensors_, static_cast<uint32_t>(pack_info(pack).gguf));
  append_raw(tensors_, begin);
  end_ = begin + static_cast<uint64_t>(rows * row_bytes(pack, shape.back()));
  ends_.push_back(end_);
}

Status GgufWriter::create(const std::filesystem::path& path) {
  JEVONS_TRY(AtomicFile file, AtomicFile::create(path));
  file_.emplace(std::move(file));
  std::string head = "GGUF";
  append_raw(head, uint32_t{3});
  append_raw(head, static_cast<uint64_t>(ends_.size()));
  append_raw(head, metadata_count_);
  JEVONS_TRY_STATUS(file_->write(head));
  JEVONS_TRY_STATUS(file_->write(metadata_));
  JEVONS_TRY_STATUS(file_->write(tensors_));
  return file_->pad_to(kAlignment);
}

Status GgufWriter::write(const void* data, size_t size) {
  JEVONS_CHECK(current_ < ends_.size() && written_ + size <= ends_[current_]);
  JEVONS_TRY_STATUS(file_->write(data, size));
  written_ += size;
  if (written_ < ends_[current_]) return {};
  ++current_;
  written_ = (written_ + kAlignment - 1) / kAlignment * kAlignment;
  return file_->pad_to(kAlignment);
}

Status GgufWriter::finish() {
  JEVONS_CHECK(current_ == ends_.size());
  return file_->commit();
}

}  // namespace jevons
