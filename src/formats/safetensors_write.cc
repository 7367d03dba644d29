#include "formats/safetensors_write.h"

namespace jevons {
namespace {

const char* stored_name(Pack pack) {
  switch (pack) {
    case Pack::f64:
      return "F64";
    case Pack::f32:
      return "F32";
    case Pack::f16:
      return "F16";
    case Pack::bf16:
      return "BF16";
    default:
      JEVONS_CHECK(false, "safetensors holds plain numbers");
  }
  return "";
}

}  // namespace

void SafetensorsWriter::add_tensor(const std::string& name, const std::vector<int64_t>& shape, Pack pack) {
  Json dims = Json::array();
  int64_t count = 1;
  for (const int64_t d : shape) dims.push_back(d), count *= d;
  const uint64_t begin = end_;
  end_ += static_cast<uint64_t>(row_bytes(pack, count));
  Json facts = Json::Object{{"dtype", stored_name(pack)}, {"shape", dims}, {"data_offsets", Json::Array{begin, end_}}};
  header_.as_object().emplace_back(name, std::move(facts));
}

Status SafetensorsWriter::create(const std::filesystem::path& path) {
  header_["__metadata__"] = Json::Object{{"format", "pt"}};
  std::string text = header_.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data starts at a multiple of 8
  const uint64_t size = text.size();
  JEVONS_TRY(AtomicFile file, AtomicFile::create(path));
  file_.emplace(std::move(file));
  JEVONS_TRY_STATUS(file_->write(&size, sizeof size));
  return file_->write(text);
}

Status SafetensorsWriter::write(const void* data, size_t size) {
  JEVONS_CHECK(written_ + size <= end_);
  written_ += size;
  return file_->write(data, size);
}

Status SafetensorsWriter::finish() {
  JEVONS_CHECK(written_ == end_);
  return file_->commit();
}

}  // namespace jevons
