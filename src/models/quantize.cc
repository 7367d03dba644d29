#include "models/quantize.h"

#include "base/progress.h"
#include "base/strings.h"
#include "formats/gguf_write.h"
#include "models/checkpoint.h"
#include "models/config.h"
#include "models/gguf_from_hf.h"
#include "models/quant_recipe.h"
#include "models/tensor_source.h"

namespace jevons {
namespace {

bool is_dense(Pack pack) { return pack == Pack::f64 || pack == Pack::f32 || pack == Pack::f16 || pack == Pack::bf16; }

Result<QuantizeReport> write_all(const std::vector<TensorJob>& jobs, GgufWriter& writer,
                                 const std::filesystem::path& out, std::string_view type, Exec& exec) {
  uint64_t values = 0;
  for (const TensorJob& job : jobs) {
    writer.add_tensor(job.source.name, job.source.shape, job.pack);
    values += static_cast<uint64_t>(job.source.rows() * job.source.cols());
  }
  JEVONS_TRY_STATUS(check_space(out, writer.data_bytes()));
  JEVONS_TRY_STATUS(writer.create(out));
  QuantizeReport report;
  PackError rest, all;  // `rest`: norms and biases
  Progress progress(cat("writing ", type), values);
  const auto sink = [&](const void* data, size_t size) { return writer.write(data, size); };
  for (const TensorJob& job : jobs) {
    const bool matrix = job.source.shape.size() > 1;
    PackError& sums = matrix ? report.by_pack[std::string(pack_info(job.pack).name)] : rest;
    JEVONS_TRY_STATUS(write_tensor(job, sink, exec, progress, sums));
  }
  JEVONS_TRY_STATUS(writer.finish());
  for (const auto& [name, sums] : report.by_pack) all.error += sums.error, all.size += sums.size;
  report.tensors = static_cast<int64_t>(jobs.size());
  report.bytes = writer.data_bytes();
  report.relative_rmse = all.relative_rmse();
  return report;
}

// Metadata of a GGUF source, but for what the new file says itself.
void copy_metadata(const Gguf& gguf, GgufWriter& writer) {
  for (const auto& [key, value] : gguf.metadata())
    if (key != "general.file_type" && key != "general.quantization_version" && key != "general.alignment" &&
        !key.starts_with("split."))
      writer.put(key, value);
}

Result<std::vector<TensorSource>> stored_tensors(const Checkpoint& checkpoint) {
  std::vector<TensorSource> out;
  bool quantised = false;
  for (const TensorEntry& entry : checkpoint.tensors()) {
    JEVONS_TRY(TensorSource source, whole_tensor(entry.name, entry));
    quantised |= !is_dense(*entry.pack);
    out.push_back(std::move(source));
  }
  if (quantised) note("the source is quantised already; its errors stay and new ones are added");
  return out;
}

std::string model_name(const std::filesystem::path& path) {
  const std::filesystem::path full = std::filesystem::absolute(path).lexically_normal();
  return (full.has_filename() ? full : full.parent_path()).filename().string();
}

Result<QuantizeReport> quantize_open(const Checkpoint& checkpoint, const std::filesystem::path& out,
                                     const QuantRecipe& recipe, Exec& exec) {
  JEVONS_TRY(Config config, parse_config(checkpoint.config()));
  GgufWriter writer;
  if (checkpoint.is_gguf()) {
    copy_metadata(*checkpoint.gguf(), writer);
  } else {
    JEVONS_TRY_STATUS(put_gguf_config(writer, config, model_name(checkpoint.path())));
    JEVONS_TRY_STATUS(put_gguf_tokenizer(writer, checkpoint, config));
  }
  writer.put_u32("general.file_type", recipe.gguf_file_type);
  writer.put_u32("general.quantization_version", 2);
  JEVONS_TRY(std::vector<TensorSource> sources,
             checkpoint.is_gguf() ? stored_tensors(checkpoint) : gguf_tensors(checkpoint, config));
  QuantFacts facts{config.num_hidden_layers, config.n_routed_experts,
                   config.latent() ? 1 : config.num_attention_heads / config.num_key_value_heads, false};
  for (const TensorSource& source : sources) facts.has_output |= source.name == "output.weight";
  std::vector<TensorJob> jobs;
  for (TensorSource& source : sources) {
    const Pack pack = choose_pack(recipe, facts, source.name, source.shape);
    jobs.push_back({std::move(source), pack});
  }
  return write_all(jobs, writer, out, recipe.name, exec);
}

}  // namespace

Result<QuantizeReport> quantize(const std::filesystem::path& in, const std::filesystem::path& out,
                                std::string_view type, Exec& exec) {
  JEVONS_TRY(QuantRecipe recipe, quant_recipe(type));
  JEVONS_TRY(Checkpoint checkpoint, Checkpoint::open(in));
  Result<QuantizeReport> report = quantize_open(checkpoint, out, recipe, exec);
  if (!report.ok()) return report.error().within(in.string());
  return report;
}

}  // namespace jevons
