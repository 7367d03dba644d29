#include "models/loader.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/progress.h"
#include "base/strings.h"
#include "kernels/codec/codec.h"
#include "kernels/cpu/panel.h"
#include "tensor/half.h"

namespace jevons {
namespace {

constexpr int64_t kFp8Block = 128;

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) out += cat(i ? ", " : "", shape[i]);
  return out + "]";
}

std::shared_ptr<std::byte> allocate(int64_t bytes) {
  constexpr int64_t kHuge = int64_t{2} << 20;
  const int64_t align = bytes >= kHuge ? kHuge : 64;
  const int64_t size = (std::max<int64_t>(bytes, 1) + align - 1) / align * align;
  auto* data = static_cast<std::byte*>(std::aligned_alloc(static_cast<size_t>(align), static_cast<size_t>(size)));
  if (!data)
    throw Error(Code::too_large,
                cat("out of memory: could not get ", human_bytes(static_cast<double>(size)), " for weights"));
  if (bytes >= kHuge) ::madvise(data, static_cast<size_t>(size), MADV_HUGEPAGE);
  return {data, [](std::byte* p) { std::free(p); }};
}

// Finds and checks tensors; what the loader and the planner share.
class Visitor : public ParamVisitor {
 public:
  Visitor(const Checkpoint& checkpoint, const Config& config, const LoadOptions& options)
      : checkpoint_(checkpoint), config_(config), options_(options) {}

 protected:
  const TensorEntry& entry(const std::string& name, const std::vector<int64_t>& shape) const {
    const TensorEntry* found = checkpoint_.find(name);
    if (!found)
      throw Error(Code::invalid,
                  cat(checkpoint_.path().string(), ": the tensor ", checkpoint_.stored_name(name), " is missing"));
    if (found->shape != shape)
      throw Error(Code::invalid, cat(checkpoint_.path().string(), ": the tensor ", found->name, " has the shape ",
                                     shape_text(found->shape), ", config expects ", shape_text(shape)));
    if (!found->pack)
      throw Error(Code::unsupported,
                  cat(checkpoint_.path().string(), ": the tensor ", found->name, " does not hold weights"));
    return *found;
  }

  // Kernels read plain numbers in place. A safetensors header may have any length, and general.alignment be 1, so these
  // can lie askew; blocks of quantised formats are read byte by byte.
  static bool askew(const TensorEntry& e) {
    const PackInfo& info = pack_info(*e.pack);
    return info.block_values == 1 && reinterpret_cast<uintptr_t>(e.bytes.data()) % info.block_bytes != 0;
  }
  // Where kernels read an entry that lies askew.
  virtual const std::byte* straighten(const TensorEntry& e) = 0;
  const std::byte* placed(const TensorEntry& e) { return askew(e) ? straighten(e) : e.bytes.data(); }

  // A matrix as it lies in the file.
  Weight view(const std::string& name, int64_t rows, int64_t cols) {
    const TensorEntry& e = entry(name, {rows, cols});
    Weight w;
    w.name = e.name, w.pack = *e.pack, w.rows = rows, w.cols = cols, w.owner = e.file;
    w.data = {placed(e)};
    if (w.pack == Pack::fp8_block128) w.block_scale = {scale_of(name, rows, cols)};
    return w;
  }

  Error without_scales(const TensorEntry& e) const {
    return {Code::unsupported,
            cat(checkpoint_.path().string(), ": the tensor ", e.name,
                " is stored as F8_E4M3, for which this tensor has no block scales; store it as BF16")};
  }

  const float* scale_of(const std::string& name, int64_t rows, int64_t cols) {
    const TensorEntry& e =
        entry(name + "_scale_inv", {(rows + kFp8Block - 1) / kFp8Block, (cols + kFp8Block - 1) / kFp8Block});
    if (*e.pack != Pack::f32)
      throw Error(Code::unsupported, cat(checkpoint_.path().string(), ": ", e.name, " must hold f32 scales"));
    return reinterpret_cast<const float*>(placed(e));
  }

  Weight view_stack(const std::string& prefix, const std::string& suffix, int64_t count, int64_t rows, int64_t cols) {
    if (const TensorEntry* whole = checkpoint_.find(cat(prefix, ".", suffix))) {
      const TensorEntry& e = entry(cat(prefix, ".", suffix), {count, rows, cols});
      if (*e.pack == Pack::fp8_block128) throw without_scales(e);
      Weight w;
      w.name = whole->name, w.pack = *e.pack, w.rows = rows, w.cols = cols, w.owner = e.file;
      const std::byte* data = placed(e);
      for (int64_t i = 0; i < count; ++i) w.data.push_back(data + i * rows * row_bytes(w.pack, cols));
      return w;
    }
    Weight w = view(cat(prefix, ".0.", suffix), rows, cols);
    for (int64_t i = 1; i < count; ++i) {
      const Weight next = view(cat(prefix, ".", i, ".", suffix), rows, cols);
      if (next.pack != w.pack)
        throw Error(Code::unsupported, cat(checkpoint_.path().string(), ": ", next.name, " is stored as ",
                                           pack_info(next.pack).name, ", expert 0 as ", pack_info(w.pack).name));
      w.data.push_back(next.data[0]);
      if (!next.block_scale.empty()) w.block_scale.push_back(next.block_scale[0]);
    }
    return w;
  }

  bool to_panels(const Weight& w) const {
    return options_.device == DeviceKind::cpu && !options_.exact && panel_supported(w.pack) &&
           w.cols % panel_block(w.pack) == 0;
  }
  int64_t act_size() const { return options_.device == DeviceKind::ref ? 8 : 4; }

  // The type in which the maps of kv_b_proj are kept.
  Pack kv_pack(Pack stored) const {
    if (options_.exact || options_.device == DeviceKind::ref) return Pack::f32;
    if (stored == Pack::f32 || stored == Pack::bf16) return stored;
    return stored == Pack::fp8_block128 ? Pack::bf16 : Pack::f16;
  }
  // kv_b_proj whole (HF, older GGUF), or the GGUF split into k_b [H, rank, nope] and v_b [H, value, rank].
  bool kv_is_split(const std::string& name) const { return !checkpoint_.find(name); }
  std::pair<std::string, std::string> split_names(const std::string& name) const {
    const std::string stem = name.substr(0, name.size() - std::string("kv_b_proj.weight").size());
    return {stem + "k_b_proj.weight", stem + "v_b_proj.weight"};
  }

  const Checkpoint& checkpoint_;
  const Config& config_;
  LoadOptions options_;
};

class Planner : public Visitor {
 public:
  using Visitor::Visitor;
  WeightMemory memory;

  void weight(const std::string& name, Weight&, int64_t rows, int64_t cols) override {
    count(view(name, rows, cols), 1.0);
  }
  void embedding(const std::string& name, Weight&, int64_t rows, int64_t cols) override {
    const Weight w = view(name, rows, cols);
    memory.mapped += config_.tie_word_embeddings && to_panels(w) ? 0 : rows * row_bytes(w.pack, cols);
    memory.parameters += w.numel();
    embedding_ = w;
  }
  void head(const std::string& name, Weight&, const Weight&, bool tied) override {
    if (!tied) return count(view(name, config_.vocab_size, config_.hidden_size), 1.0);
    const int64_t parameters = memory.parameters, mapped = memory.mapped;
    count(embedding_, 1.0);
    memory.parameters = parameters;
    if (!to_panels(embedding_)) memory.mapped = mapped;
  }
  void stack(const std::string& prefix, const std::string& suffix, Weight&, int64_t n, int64_t rows,
             int64_t cols) override {
    count(view_stack(prefix, suffix, n, rows, cols),
          static_cast<double>(config_.num_experts_per_tok) / static_cast<double>(n));
  }
  void vector(const std::string& name, Tensor&, int64_t n, Need need) override {
    if (need == Need::optional && !checkpoint_.find(name)) return;
    entry(name, {n});
    memory.parameters += n;
    memory.active += n;
    memory.owned += n * act_size();
  }
  void kv_up(const std::string& name, KvUp&, int64_t heads, int64_t nope, int64_t value, int64_t rank) override {
    const int64_t n = heads * (nope + value) * rank;
    const Pack stored = kv_is_split(name) ? *entry(split_names(name).first, {heads, rank, nope}).pack
                                          : *entry(name, {heads * (nope + value), rank}).pack;
    const int64_t unit = pack_info(kv_pack(stored)).block_bytes;
    memory.parameters += n, memory.active += n;
    memory.owned += unit * (n + (options_.expanded ? heads * nope * rank : 0));
    memory.read_per_token += unit * n;
  }

 private:
  const std::byte* straighten(const TensorEntry& e) override {
    const int64_t bytes = static_cast<int64_t>(e.bytes.size());
    memory.owned += bytes, memory.mapped -= bytes;
    return e.bytes.data();
  }
  void count(const Weight& w, double active_part) {
    const int64_t bytes =
        to_panels(w) ? w.stack() * panel_bytes(w.pack, w.rows, w.cols) : w.stack() * w.rows * row_bytes(w.pack, w.cols);
    (to_panels(w) ? memory.owned : memory.mapped) += bytes;
    memory.parameters += w.numel();
    memory.active += static_cast<int64_t>(static_cast<double>(w.numel()) * active_part + 0.5);
    memory.read_per_token += static_cast<int64_t>(static_cast<double>(bytes) * active_part + 0.5);
  }
  Weight embedding_;
};

class Loader : public Visitor {
 public:
  Loader(const Checkpoint& checkpoint, const Config& config, const LoadOptions& options, Exec& exec, uint64_t total)
      : Visitor(checkpoint, config, options), exec_(exec), progress_("loading", total, "B") {}

  void weight(const std::string& name, Weight& w, int64_t rows, int64_t cols) override {
    w = settle(view(name, rows, cols));
  }
  void embedding(const std::string& name, Weight& w, int64_t rows, int64_t cols) override {
    w = view(name, rows, cols);
  }
  void head(const std::string& name, Weight& w, const Weight& embedding, bool tied) override {
    w = !tied ? settle(view(name, config_.vocab_size, config_.hidden_size)) : settle(embedding);
  }
  void stack(const std::string& prefix, const std::string& suffix, Weight& w, int64_t count, int64_t rows,
             int64_t cols) override {
    w = settle(view_stack(prefix, suffix, count, rows, cols));
  }
  void vector(const std::string& name, Tensor& t, int64_t n, Need need) override {
    if (need == Need::optional && !checkpoint_.find(name)) return;
    const TensorEntry& e = entry(name, {n});
    if (pack_info(*e.pack).block_values != 1 || *e.pack == Pack::fp8_block128)
      throw Error(Code::unsupported, cat(checkpoint_.path().string(), ": ", e.name, " is a quantised vector"));
    std::vector<float> values(static_cast<size_t>(n));
    dequantize_row(*e.pack, e.bytes.data(), n, values.data());
    std::shared_ptr<std::byte> memory = allocate(n * act_size());
    if (options_.device == DeviceKind::ref)
      std::copy(values.begin(), values.end(), reinterpret_cast<double*>(memory.get()));
    else
      std::copy(values.begin(), values.end(), reinterpret_cast<float*>(memory.get()));
    t = Tensor(memory.get(), {n}, options_.device == DeviceKind::ref ? DType::f64 : DType::f32, options_.device);
    kept_->push_back(memory);
  }
  void kv_up(const std::string& name, KvUp& up, int64_t heads, int64_t nope, int64_t value, int64_t rank) override {
    const bool split = kv_is_split(name);
    const auto [k_name, v_name] = split_names(name);
    const TensorEntry& first = split ? entry(k_name, {heads, rank, nope}) : entry(name, {heads * (nope + value), rank});
    const Pack pack = kv_pack(*first.pack);
    std::vector<float> k(static_cast<size_t>(heads * nope * rank)), v(static_cast<size_t>(heads * value * rank));
    if (split) {
      const TensorEntry& second = entry(v_name, {heads, value, rank});
      for (const TensorEntry* e : {&first, &second})
        if (*e->pack == Pack::fp8_block128) throw without_scales(*e);
      std::vector<float> transposed(k.size());
      dequantize_rows(*first.pack, first.bytes.data(), heads * rank, nope, transposed.data());
      for (int64_t h = 0; h < heads; ++h)
        transpose(&transposed[static_cast<size_t>(h * rank * nope)], rank, nope,
                  &k[static_cast<size_t>(h * rank * nope)]);
      dequantize_rows(*second.pack, second.bytes.data(), heads * value, rank, v.data());
    } else {
      std::vector<float> whole(k.size() + v.size());
      if (*first.pack == Pack::fp8_block128)
        dequantize(view(name, heads * (nope + value), rank), whole.data());
      else
        dequantize_rows(*first.pack, first.bytes.data(), heads * (nope + value), rank, whole.data());
      for (int64_t h = 0; h < heads; ++h) {
        const float* from = &whole[static_cast<size_t>(h * (nope + value) * rank)];
        std::copy_n(from, nope * rank, &k[static_cast<size_t>(h * nope * rank)]);
        std::copy_n(from + nope * rank, value * rank, &v[static_cast<size_t>(h * value * rank)]);
      }
    }
    std::vector<float> k_transposed(k.size());
    for (int64_t h = 0; h < heads; ++h)
      transpose(&k[static_cast<size_t>(h * nope * rank)], nope, rank,
                &k_transposed[static_cast<size_t>(h * nope * rank)]);
    up.k_transposed = own_stack(first.name, k_transposed, pack, heads, rank, nope);
    up.v = own_stack(first.name, v, pack, heads, value, rank);
    if (options_.expanded) up.k = own_stack(first.name, k, pack, heads, nope, rank);
  }

 private:
  const std::byte* straighten(const TensorEntry& e) override {
    std::shared_ptr<std::byte> memory = allocate(static_cast<int64_t>(e.bytes.size()));
    std::memcpy(memory.get(), e.bytes.data(), e.bytes.size());
    e.file->release(e.bytes);
    kept_->push_back(memory);
    return memory.get();
  }
  // Repacks into panels where that is wanted; else the view stays.
  Weight settle(Weight w) {
    int64_t bytes = w.stack() * w.rows * row_bytes(w.pack, w.cols);
    if (to_panels(w)) {
      const int64_t each = panel_bytes(w.pack, w.rows, w.cols);
      std::shared_ptr<std::byte> memory = allocate(w.stack() * each);
      const int64_t stored = w.rows * row_bytes(w.pack, w.cols);
      for (int64_t i = 0; i < w.stack(); ++i) {
        pack_panels(exec_, w, i, memory.get() + i * each);
        give_back(w.owner, w.data[static_cast<size_t>(i)], stored);
      }
      for (int64_t i = 0; i < w.stack(); ++i) w.data[static_cast<size_t>(i)] = memory.get() + i * each;
      w.layout = Layout::panels;
      w.owner = memory;
    }
    progress_.advance(static_cast<uint64_t>(bytes));
    return w;
  }

  static void give_back(const std::shared_ptr<const void>& owner, const std::byte* data, int64_t bytes) {
    static_cast<const MappedFile*>(owner.get())->release({data, static_cast<size_t>(bytes)});
  }

  static void dequantize_rows(Pack pack, const std::byte* from, int64_t rows, int64_t cols, float* to) {
    for (int64_t r = 0; r < rows; ++r) dequantize_row(pack, from + r * row_bytes(pack, cols), cols, to + r * cols);
  }
  static void dequantize(const Weight& w, float* to) {
    for (int64_t r = 0; r < w.rows; ++r) dequantize_row(w, 0, r, to + r * w.cols);
  }
  static void transpose(const float* from, int64_t rows, int64_t cols, float* to) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = 0; i < cols; ++i) to[i * rows + r] = from[r * cols + i];
  }
  static Weight own_stack(const std::string& name, const std::vector<float>& values, Pack pack, int64_t count,
                          int64_t rows, int64_t cols) {
    const int64_t unit = pack_info(pack).block_bytes, each = rows * cols * unit;
    std::shared_ptr<std::byte> memory = allocate(count * each);
    auto* half = reinterpret_cast<uint16_t*>(memory.get());
    for (size_t i = 0; i < values.size(); ++i) {
      if (pack == Pack::f32)
        std::memcpy(memory.get() + i * 4, &values[i], 4);
      else
        half[i] = pack == Pack::bf16 ? f32_to_bf16(values[i]) : f32_to_f16(values[i]);
    }
    Weight w;
    w.name = name, w.pack = pack, w.rows = rows, w.cols = cols, w.owner = memory;
    for (int64_t i = 0; i < count; ++i) w.data.push_back(memory.get() + i * each);
    return w;
  }

  Exec& exec_;
  Progress progress_;
  std::shared_ptr<std::vector<std::shared_ptr<std::byte>>> kept_ =
      std::make_shared<std::vector<std::shared_ptr<std::byte>>>();

 public:
  // Norms, biases and straightened matrices, which their users do not own.
  std::shared_ptr<const void> kept() const { return kept_; }
};

// Counts from shapes alone.
class Counter : public ParamVisitor {
 public:
  explicit Counter(const Config& config) : config_(config) {}
  int64_t total = 0, active = 0;
  void weight(const std::string&, Weight&, int64_t rows, int64_t cols) override { add(rows * cols, rows * cols); }
  void embedding(const std::string&, Weight&, int64_t rows, int64_t cols) override { add(rows * cols, 0); }
  void head(const std::string&, Weight&, const Weight&, bool tied) override {
    const int64_t n = config_.vocab_size * config_.hidden_size;
    add(tied ? 0 : n, n);
  }
  void stack(const std::string&, const std::string&, Weight&, int64_t count, int64_t rows, int64_t cols) override {
    add(count * rows * cols, config_.num_experts_per_tok * rows * cols);
  }
  void vector(const std::string&, Tensor&, int64_t n, Need) override { add(n, n); }
  void kv_up(const std::string&, KvUp&, int64_t heads, int64_t nope, int64_t value, int64_t rank) override {
    add(heads * (nope + value) * rank, heads * (nope + value) * rank);
  }

 private:
  void add(int64_t n, int64_t used) { total += n, active += used; }
  const Config& config_;
};

}  // namespace

Result<Config> read_config(const Checkpoint& checkpoint) {
  std::vector<std::string> unknown;
  Result<Config> config = parse_config(checkpoint.config(), &unknown);
  if (!config.ok()) return config.error().within(checkpoint.path().string());
  if (!unknown.empty()) {
    std::string list;
    for (const std::string& name : unknown) list += cat(list.empty() ? "" : ", ", name);
    note(cat("config fields that this program does not know and does not use: ", list));
  }
  if (config->num_nextn_predict_layers > 0 &&
      !checkpoint.find(cat("model.layers.", config->num_hidden_layers, ".eh_proj.weight"))) {
    note("the config names multi-token prediction layers, but the file does not hold them; they are left out");
    config->num_nextn_predict_layers = 0;
  }
  return config;
}

Result<WeightMemory> plan_weights(const Checkpoint& checkpoint, const Config& config, const LoadOptions& options) {
  try {
    Decoder decoder(config);
    Planner planner(checkpoint, config, options);
    decoder.params(planner);
    return planner.memory;
  } catch (const Error& e) {
    return e;
  }
}

Result<Decoder> load_decoder(const Checkpoint& checkpoint, const Config& config, const LoadOptions& options,
                             Exec& exec) {
  try {
    Decoder decoder(config);
    Planner planner(checkpoint, config, options);
    decoder.params(planner);
    Loader loader(checkpoint, config, options, exec,
                  static_cast<uint64_t>(planner.memory.owned + planner.memory.mapped));
    decoder.params(loader);
    decoder.keep(loader.kept());
    decoder.set_expanded(options.expanded);
    if (const TensorEntry* divisors = checkpoint.find_stored("rope_freqs.weight")) {
      if (divisors->pack != Pack::f32) return Error(Code::unsupported, "rope_freqs.weight must hold f32 numbers");
      std::vector<float> values(divisors->bytes.size() / sizeof(float));
      std::memcpy(values.data(), divisors->bytes.data(), values.size() * sizeof(float));
      decoder.set_rope_divisors(values);
    }
    return decoder;
  } catch (const Error& e) {
    return e;
  }
}

ParameterCount count_parameters(const Config& config) {
  Config main = config;
  main.num_nextn_predict_layers = 0;
  Counter without(main), with(config);
  Decoder(main).params(without);
  Decoder(config).params(with);
  return {without.total, without.active, with.total - without.total};
}

}  // namespace jevons
