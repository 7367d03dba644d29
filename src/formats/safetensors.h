// safetensors: 8 bytes header length (little endian), a JSON header {"name": {"dtype", "shape", "data_offsets": [b,
// e]}}, then the bytes. One file, or shards named by model.safetensors.index.json. Source: the format's README by
// Hugging Face.
//
// Checked before use: header length (at most 32 MB) and JSON, types, products of shapes, offsets inside the file, no
// overlap, no gap in the bytes, shards inside the folder, every indexed tensor present.
#pragma once
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "formats/tensor_entry.h"

namespace jevons {

class Safetensors {
 public:
  // A .safetensors file, or a folder with model.safetensors or model.safetensors.index.json.
  static Result<Safetensors> open(const std::filesystem::path& path);
  // One file's bytes; the entries point into `bytes`.
  static Result<Safetensors> parse(Bytes bytes, std::shared_ptr<const MappedFile> file = nullptr);

  const std::vector<TensorEntry>& tensors() const { return tensors_; }
  const TensorEntry* find(const std::string& name) const;
  const Json& metadata() const { return metadata_; }  // "__metadata__" of the (first) file

 private:
  Status add(Safetensors&& shard);
  std::vector<TensorEntry> tensors_;
  std::unordered_map<std::string, size_t> index_;
  Json metadata_ = Json::object();
};

}  // namespace jevons
