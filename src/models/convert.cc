#include "models/convert.h"

#include <map>

#include "base/progress.h"
#include "base/strings.h"
#include "formats/safetensors_type.h"
#include "formats/safetensors_write.h"
#include "models/checkpoint.h"
#include "models/hf_from_gguf.h"
#include "models/quantize.h"
#include "models/write_tensors.h"

namespace jevons {
namespace {

bool plain(Pack pack) { return pack == Pack::f32 || pack == Pack::f16 || pack == Pack::bf16; }

// The type of most numbers in matrices.
Pack usual_pack(const Checkpoint& checkpoint) {
  std::map<Pack, int64_t> values;
  for (const TensorEntry& entry : checkpoint.tensors())
    if (entry.pack && entry.shape.size() > 1) values[*entry.pack] += entry.numel();
  Pack best = Pack::f32;
  int64_t most = 0;
  for (const auto& [pack, count] : values)
    if (count > most) most = count, best = pack;
  return best == Pack::fp8_block128 ? Pack::bf16 : plain(best) ? best : Pack::f32;
}

std::string_view torch_name(Pack pack) {
  return pack == Pack::bf16 ? "bfloat16" : pack == Pack::f16 ? "float16" : "float32";
}

Status write_json(const std::filesystem::path& path, const Json& json) { return write_file(path, json.dump(2) + "\n"); }

Result<ConvertReport> write_safetensors(const std::vector<TensorJob>& jobs, const std::filesystem::path& folder,
                                        Exec& exec, uint64_t max_shard_bytes) {
  SafetensorsWriter writer;
  uint64_t values = 0;
  for (const TensorJob& job : jobs) {
    writer.add_tensor(job.source.name, safetensors_name(job.pack), job.source.shape);
    values += static_cast<uint64_t>(job.source.rows() * job.source.cols());
  }
  JEVONS_TRY_STATUS(check_space(folder, writer.data_bytes()));
  JEVONS_TRY_STATUS(writer.create(folder, max_shard_bytes));
  Progress progress("converting", values);
  PackError ignored;
  const auto sink = [&](const void* data, size_t size) { return writer.write(data, size); };
  for (const auto& item : writer.items())
    JEVONS_TRY_STATUS(write_tensor(jobs[item.added], sink, exec, progress, ignored));
  JEVONS_TRY_STATUS(writer.finish());
  return ConvertReport{static_cast<int64_t>(jobs.size()), writer.data_bytes()};
}

// Takes a folder that did not exist before away again, unless keep() is called.
class NewFolder {
 public:
  explicit NewFolder(std::filesystem::path path) : path_(std::move(path)), kept_(std::filesystem::exists(path_)) {}
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  ~NewFolder() {
    std::error_code ignored;
    if (!kept_) std::filesystem::remove_all(path_, ignored);
  }
  void keep() { kept_ = true; }

 private:
  std::filesystem::path path_;
  bool kept_;
};

// config.json comes last: a folder without it is no checkpoint.
Result<ConvertReport> to_folder(const Checkpoint& checkpoint, const std::filesystem::path& out,
                                std::optional<Pack> type, Exec& exec, uint64_t max_shard_bytes) {
  if (std::filesystem::exists(out / "config.json"))
    return Error(Code::invalid, cat(out.string(), " holds a model already; choose another folder or remove it"));
  JEVONS_TRY(Json config, hf_config(checkpoint, torch_name(type.value_or(usual_pack(checkpoint)))));
  JEVONS_TRY(std::vector<TensorSource> sources, hf_tensors(checkpoint));
  std::optional<HfTokenizer> tokenizer;
  if (checkpoint.gguf()->text("tokenizer.ggml.model").value_or("no_vocab") != "no_vocab") {
    JEVONS_TRY(tokenizer, hf_tokenizer(*checkpoint.gguf()));
  }
  std::vector<TensorJob> jobs;
  for (TensorSource& source : sources) {
    const Pack stored = source.stored_pack().value_or(Pack::f32);
    jobs.push_back({std::move(source), type.value_or(plain(stored) ? stored : Pack::f32)});
  }
  JEVONS_TRY(ConvertReport report, write_safetensors(jobs, out, exec, max_shard_bytes));
  if (tokenizer) {
    JEVONS_TRY_STATUS(write_json(out / "tokenizer.json", tokenizer->tokenizer));
    JEVONS_TRY_STATUS(write_json(out / "tokenizer_config.json", tokenizer->tokenizer_config));
    JEVONS_TRY_STATUS(write_json(out / "generation_config.json", tokenizer->generation_config));
  }
  JEVONS_TRY_STATUS(write_json(out / "config.json", config));
  return report;
}

}  // namespace

Result<ConvertReport> convert(const std::filesystem::path& in, const std::filesystem::path& out, std::string_view type,
                              Exec& exec, uint64_t max_shard_bytes) {
  std::optional<Pack> pack;
  if (!type.empty()) {
    pack = pack_from_name(type);
    if (!pack || !plain(*pack))
      return Error(Code::usage,
                   cat("the type ", quote(type), " is not one of f32, f16, bf16; 'jevons quantize' makes the others"));
  }
  JEVONS_TRY(Checkpoint checkpoint, Checkpoint::open(in));
  if (out.extension() == ".gguf") {
    JEVONS_TRY(QuantizeReport report, quantize(in, out, pack_info(pack.value_or(usual_pack(checkpoint))).name, exec));
    return ConvertReport{report.tensors, report.bytes};
  }
  if (!checkpoint.is_gguf())
    return Error(Code::usage, cat(in.string(), " is a Hugging Face folder already; give an output that ends in .gguf"));
  NewFolder folder(out);
  Result<ConvertReport> report = to_folder(checkpoint, out, pack, exec, max_shard_bytes);
  if (!report.ok()) return report.error().within(in.string());
  folder.keep();
  return report;
}

}  // namespace jevons
