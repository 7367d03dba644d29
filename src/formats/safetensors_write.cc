#include "formats/safetensors_write.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "base/json.h"
#include "base/strings.h"
#include "formats/safetensors_type.h"

namespace jevons {
namespace {

constexpr const char* kIndexName = "model.safetensors.index.json";

std::string five_digits(size_t n) { return cat(100000 + n).substr(1); }

}  // namespace

void SafetensorsWriter::put_metadata(std::string key, std::string value) {
  metadata_.emplace_back(std::move(key), std::move(value));
}

void SafetensorsWriter::add_tensor(std::string name, std::string_view dtype, std::vector<int64_t> shape) {
  const SafetensorsType* type = safetensors_type(dtype);
  JEVONS_CHECK(type, cat(name, ": ", dtype));
  int64_t bytes = type->size;
  for (const int64_t d : shape) JEVONS_CHECK(d >= 0 && !__builtin_mul_overflow(bytes, d, &bytes), name);
  items_.push_back(
      {std::move(name), std::string(dtype), std::move(shape), static_cast<uint64_t>(bytes), items_.size(), 0});
}

uint64_t SafetensorsWriter::data_bytes() const {
  return std::accumulate(items_.begin(), items_.end(), uint64_t{0},
                         [](uint64_t n, const Item& i) { return n + i.bytes; });
}

size_t SafetensorsWriter::plan(uint64_t max_shard_bytes) {
  size_t shard = 0;
  uint64_t filled = 0;
  for (Item& item : items_) {
    if (filled > 0 && filled + item.bytes > max_shard_bytes) ++shard, filled = 0;
    item.shard = shard, filled += item.bytes;
  }
  std::stable_sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) {
    if (a.shard != b.shard) return a.shard < b.shard;
    return safetensors_type(a.dtype)->size > safetensors_type(b.dtype)->size;
  });
  return shard + 1;
}

std::filesystem::path SafetensorsWriter::shard_path(size_t shard) const {
  if (shards_ == 1) return folder_ / "model.safetensors";
  return folder_ / cat("model-", five_digits(shard + 1), "-of-", five_digits(shards_), ".safetensors");
}

std::string SafetensorsWriter::header(size_t shard) const {
  Json::Object facts;
  Json& metadata = facts.emplace_back("__metadata__", Json::object()).second;
  for (const auto& [key, value] : metadata_) metadata[key] = value;
  uint64_t offset = 0;
  for (const Item& item : items_) {
    if (item.shard != shard) continue;
    Json entry;
    entry["dtype"] = item.dtype;
    entry["shape"] = Json::array();
    for (const int64_t d : item.shape) entry["shape"].push_back(d);
    entry["data_offsets"] = Json::Array{offset, offset + item.bytes};
    facts.emplace_back(item.name, std::move(entry));
    offset += item.bytes;
  }
  std::string text = Json(std::move(facts)).dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + text;
}

Status SafetensorsWriter::create(const std::filesystem::path& folder, uint64_t max_shard_bytes) {
  std::set<std::string_view> names;
  for (const Item& item : items_) JEVONS_CHECK(names.insert(item.name).second, item.name);
  folder_ = folder;
  shards_ = plan(max_shard_bytes);
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed)
    return Error(Code::io, cat(folder.string(), ": cannot create the folder: ", failed.message(),
                               "; check the path and its permissions"));
  if (shards_ > 1)
    for (const char* name : {"model.safetensors", kIndexName})
      if (std::filesystem::exists(folder / name, failed))
        return Error(Code::invalid, cat((folder / name).string(), ": belongs to another model; remove it or choose ",
                                        "another folder for this one, which needs ", shards_, " files"));
  left_.assign(shards_, 0);
  for (const Item& item : items_) left_[item.shard] += item.bytes;
  return begin_shard();
}

// Opens shards until one expects bytes (or all are open).
Status SafetensorsWriter::begin_shard() {
  while (files_.size() < shards_ && (files_.empty() || left_[files_.size() - 1] == 0)) {
    JEVONS_TRY(AtomicFile file, AtomicFile::create(shard_path(files_.size())));
    JEVONS_TRY_STATUS(file.write(header(files_.size())));
    files_.push_back(std::move(file));
  }
  return {};
}

Status SafetensorsWriter::write(const void* data, size_t size) {
  const char* from = static_cast<const char*>(data);
  while (size > 0) {
    uint64_t& left = left_[files_.size() - 1];
    JEVONS_CHECK(left > 0, "more bytes than declared");
    const size_t part = static_cast<size_t>(std::min<uint64_t>(size, left));
    JEVONS_TRY_STATUS(files_.back().write(from, part));
    from += part, size -= part, left -= part;
    JEVONS_TRY_STATUS(begin_shard());
  }
  return {};
}

Status SafetensorsWriter::commit_all() {
  for (AtomicFile& file : files_) JEVONS_TRY_STATUS(file.commit());
  if (shards_ == 1) return {};
  Json map = Json::object();
  for (const Item& item : items_) map.as_object().emplace_back(item.name, shard_path(item.shard).filename().string());
  Json index;
  index["metadata"]["total_size"] = data_bytes();
  index["weight_map"] = std::move(map);
  return write_file(folder_ / kIndexName, index.dump(2) + "\n");
}

Status SafetensorsWriter::finish() {
  JEVONS_CHECK(files_.size() == shards_ && left_.back() == 0, "tensors are not complete");
  Status done = commit_all();
  if (done.ok() || shards_ == 1) return done;
  std::error_code ignored;  // shards without an index are no model: take back those that got their names
  for (size_t i = 0; i < shards_; ++i) std::filesystem::remove(shard_path(i), ignored);
  return done;
}

}  // namespace jevons
