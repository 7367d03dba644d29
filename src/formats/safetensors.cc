#include "formats/safetensors.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "base/strings.h"
#include "formats/safetensors_type.h"

namespace jevons {
namespace {

// Room for 300,000 tensors (DeepSeek-V3's 163 files together name 92,000). The format's own limit, 100 MB, would let a
// hostile header take 1 GB and 12 s of a core; this one takes a third of either.
constexpr uint64_t kMaxHeader = 32'000'000;

Result<TensorEntry> read_entry(const std::string& name, const Json& facts, Bytes data) {
  try {
    TensorEntry entry;
    entry.name = name;
    entry.stored_type = facts.at("dtype").as_string();
    const SafetensorsType* type = safetensors_type(entry.stored_type);
    if (!type)
      return Error(Code::unsupported, cat("has the dtype ", quote(entry.stored_type),
                                          ", which this program does not know; convert the file to BF16 or F32"));
    entry.pack = type->pack;
    int64_t count = 1;
    for (const Json& dim : facts.at("shape").as_array()) {
      const int64_t d = dim.as_int();
      if (d < 0 || __builtin_mul_overflow(count, d, &count)) return Error(Code::invalid, "has an impossible shape");
      entry.shape.push_back(d);
    }
    const auto& offsets = facts.at("data_offsets").as_array();
    if (offsets.size() != 2) return Error(Code::invalid, "data_offsets must hold two numbers");
    const int64_t begin = offsets[0].as_int(), end = offsets[1].as_int(), size = static_cast<int64_t>(data.size());
    if (begin < 0 || begin > end || end > size)
      return Error(Code::invalid, cat("data_offsets [", begin, ", ", end, "] lie outside the ", size,
                                      " bytes of data; the file may be truncated"));
    int64_t bytes = 0;
    if (__builtin_mul_overflow(count, type->size, &bytes) || bytes != end - begin)
      return Error(Code::invalid, cat("has ", end - begin, " bytes, its shape and dtype need ", bytes));
    entry.bytes = data.subspan(static_cast<size_t>(begin), static_cast<size_t>(bytes));
    return entry;
  } catch (const Error& e) {
    return e;
  }
}

// The tensors must fill the data from its first byte to its last, one after the other.
Status check_covers(const std::vector<TensorEntry>& tensors, Bytes data) {
  std::vector<const TensorEntry*> order;
  for (const TensorEntry& t : tensors)
    if (!t.bytes.empty()) order.push_back(&t);
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->bytes.data() < b->bytes.data(); });
  size_t end = 0;
  const TensorEntry* last = nullptr;
  for (const TensorEntry* tensor : order) {
    const size_t begin = static_cast<size_t>(tensor->bytes.data() - data.data());
    if (begin < end)
      return Error(Code::invalid, cat("the tensors ", quote(last->name), " and ", quote(tensor->name), " overlap"));
    if (begin > end)
      return Error(Code::invalid, cat("the bytes ", end, " to ", begin, " of the data, before the tensor ",
                                      quote(tensor->name), ", belong to no tensor; the header is damaged"));
    end = begin + tensor->bytes.size();
    last = tensor;
  }
  if (end < data.size())
    return Error(Code::invalid,
                 cat("the last ", data.size() - end, " bytes belong to no tensor; the header is damaged or ",
                     "something was appended to the file"));
  return {};
}

}  // namespace

const TensorEntry* Safetensors::find(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

Result<Safetensors> Safetensors::parse(Bytes bytes, std::shared_ptr<const MappedFile> file) {
  if (bytes.size() < 8)
    return Error(Code::invalid,
                 cat("has ", bytes.size(), " bytes, a safetensors file begins with an 8-byte header length"));
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  if (length > kMaxHeader || length > bytes.size() - 8)
    return Error(Code::invalid,
                 cat("byte 0: the header length is ", length, ", but ", bytes.size() - 8, " bytes follow and at most ",
                     kMaxHeader, " are accepted; the file is truncated or no safetensors file"));
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + 8, static_cast<size_t>(length));
  Result<Json> header = Json::parse(text);
  if (!header.ok()) return header.error().within("header");
  if (!header->is_object()) return Error(Code::invalid, "header: expected a JSON object");
  Safetensors out;
  const Bytes data = bytes.subspan(8 + static_cast<size_t>(length));
  for (const auto& [name, facts] : header->as_object()) {
    if (name == "__metadata__") {
      if (!facts.is_object())
        return Error(Code::invalid,
                     cat("header: __metadata__ is ", facts.type_name(), ", expected an object of strings"));
      out.metadata_ = facts;
      continue;
    }
    Result<TensorEntry> entry = read_entry(name, facts, data);
    if (!entry.ok()) return entry.error().within(cat("tensor ", quote(name)));
    entry->file = file;
    out.index_.emplace(name, out.tensors_.size());
    out.tensors_.push_back(std::move(*entry));
  }
  JEVONS_TRY_STATUS(check_covers(out.tensors_, data));
  return out;
}

Status Safetensors::add(Safetensors&& shard) {
  for (TensorEntry& tensor : shard.tensors_) {
    if (!index_.emplace(tensor.name, tensors_.size()).second)
      return Error(Code::invalid, cat("the tensor ", quote(tensor.name), " is in two files"));
    tensors_.push_back(std::move(tensor));
  }
  if (metadata_.size() == 0) metadata_ = std::move(shard.metadata_);
  return {};
}

namespace {

Result<Safetensors> open_file(const std::filesystem::path& path) {
  JEVONS_TRY(auto file, MappedFile::open(path));
  const Bytes bytes = file->bytes();
  Result<Safetensors> parsed = Safetensors::parse(bytes, std::move(file));
  if (!parsed.ok()) return parsed.error().within(path.string());
  return parsed;
}

}  // namespace

Result<Safetensors> Safetensors::open(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) return open_file(path);
  if (std::filesystem::exists(path / "model.safetensors", ignored)) return open_file(path / "model.safetensors");
  const auto index_path = path / "model.safetensors.index.json";
  if (!std::filesystem::exists(index_path, ignored))
    return Error(Code::not_found,
                 cat(path.string(), ": holds neither model.safetensors nor model.safetensors.index.json"));
  JEVONS_TRY(const std::string text, read_file(index_path));
  Result<Json> index = Json::parse(text);
  if (!index.ok()) return index.error().within(index_path.string());
  try {
    std::set<std::string> shards;
    const auto& map = index->at("weight_map").as_object();
    for (const auto& [name, shard] : map) shards.insert(shard.as_string());
    Safetensors out;
    for (const std::string& shard : shards) {
      if (shard.empty() || shard.find_first_of(std::string_view("/\0", 2)) != std::string::npos || shard == "." ||
          shard == "..")
        return Error(Code::invalid,
                     cat(index_path.string(), ": the shard ", quote(shard), " must be a file name in this folder"));
      Result<Safetensors> opened = open_file(path / shard);
      if (!opened.ok() && opened.error().code() == Code::not_found)
        return opened.error().within(cat(index_path.string(), " names a file that is missing"));
      JEVONS_TRY(Safetensors part, std::move(opened));
      if (Status added = out.add(std::move(part)); !added.ok()) return added.error().within(index_path.string());
    }
    for (const auto& [name, shard] : map)
      if (const TensorEntry* found = out.find(name); !found || found->file->path() != path / shard.as_string())
        return Error(Code::invalid, cat(index_path.string(), ": names the tensor ", quote(name), " in ",
                                        shard.as_string(), ", which does not hold it; fetch the folder again"));
    return out;
  } catch (const Error& e) {
    return e.within(index_path.string());
  }
}

}  // namespace jevons
