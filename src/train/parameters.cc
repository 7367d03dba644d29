#include "train/parameters.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <numbers>

#include "base/rng.h"
#include "base/strings.h"
#include "models/tensor_source.h"

namespace jevons {
namespace {

constexpr int64_t kAlign = 16;  // numbers; a parameter begins on a cache line

// Lays out (base null) or binds (base set): the same walk, so the offsets agree.
class Layouter : public ParamVisitor {
 public:
  Layouter(const Config& config, DType dtype, DeviceKind device, std::shared_ptr<std::byte> base)
      : config_(config), dtype_(dtype), device_(device), base_(std::move(base)) {}
  std::vector<Parameter> list;
  int64_t size = 0;

  void weight(const std::string& name, Weight& w, int64_t rows, int64_t cols) override {
    w = view(name, rows, cols);
    w.data = {
        add(name, {rows, cols}, name.ends_with("mlp.gate.weight") ? Parameter::Role::router : Parameter::Role::matrix)};
  }
  void embedding(const std::string& name, Weight& w, int64_t rows, int64_t cols) override {
    w = view(name, rows, cols);
    w.data = {add(name, {rows, cols}, Parameter::Role::embedding)};
  }
  void head(const std::string& name, Weight& w, const Weight& embedding, bool tied) override {
    if (tied) return void(w = embedding);
    w = view(name, config_.vocab_size, config_.hidden_size);
    w.data = {add(name, {w.rows, w.cols}, Parameter::Role::head)};
  }
  void stack(const std::string& prefix, const std::string& suffix, Weight& w, int64_t count, int64_t rows,
             int64_t cols) override {
    w = view(prefix + "." + suffix, rows, cols);
    for (int64_t e = 0; e < count; ++e)
      w.data.push_back(add(cat(prefix, ".", e, ".", suffix), {rows, cols}, Parameter::Role::matrix));
  }
  void vector(const std::string& name, Tensor& t, int64_t n, Need) override {
    const bool bias = name.ends_with("e_score_correction_bias");
    const std::byte* at = add(name, {n}, bias ? Parameter::Role::balance_bias : Parameter::Role::vector);
    t = Tensor(const_cast<std::byte*>(at), {n}, dtype_, device_);
  }
  void kv_up(const std::string& name, KvUp& up, int64_t heads, int64_t nope, int64_t value, int64_t rank) override {
    up.whole = view(name, heads * (nope + value), rank);
    up.whole.data = {add(name, {up.whole.rows, rank}, Parameter::Role::matrix)};
  }

 private:
  Weight view(const std::string& name, int64_t rows, int64_t cols) const {
    Weight w;
    w.name = name, w.pack = dtype_ == DType::f64 ? Pack::f64 : Pack::f32, w.rows = rows, w.cols = cols, w.owner = base_;
    return w;
  }
  const std::byte* add(const std::string& name, std::vector<int64_t> shape, Parameter::Role role) {
    Parameter p{name, std::move(shape), size, 1, role, -1};
    for (int64_t d : p.shape) p.count *= d;
    for (int64_t k = 0; k < config_.num_nextn_predict_layers; ++k)
      if (name.starts_with(cat("model.layers.", config_.num_hidden_layers + k, "."))) p.prediction_layer = k;
    size += (p.count + kAlign - 1) / kAlign * kAlign;
    list.push_back(std::move(p));
    return base_ ? base_.get() + list.back().first * dtype_size(dtype_) : nullptr;
  }
  const Config& config_;
  DType dtype_;
  DeviceKind device_;
  std::shared_ptr<std::byte> base_;
};

double normal(uint64_t seed, uint64_t position, uint64_t stream) {
  const double u = 1 - uniform(seed, position, 2 * stream), v = uniform(seed, position, 2 * stream + 1);
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
}

}  // namespace

std::shared_ptr<std::byte> flat_buffer(int64_t count, DType dtype) {
  const size_t bytes = static_cast<size_t>((count * dtype_size(dtype) + 63) / 64 * 64);
  auto* data = static_cast<std::byte*>(std::aligned_alloc(64, bytes));
  if (!data)
    throw Error(Code::too_large, cat("out of memory: could not get ", human_bytes(static_cast<double>(bytes)),
                                     " for the training state; train a smaller model"));
  std::memset(data, 0, bytes);
  return {data, [](std::byte* p) { std::free(p); }};
}

Parameters::Parameters(Decoder& decoder, DeviceKind device)
    : dtype_(device == DeviceKind::ref ? DType::f64 : DType::f32) {
  Layouter plan(decoder.config(), dtype_, device, nullptr);
  decoder.params(plan);
  size_ = plan.size;
  data_ = flat_buffer(size_, dtype_);
  Layouter bind(decoder.config(), dtype_, device, data_);
  decoder.params(bind);
  list_ = std::move(bind.list);
}

std::pair<std::vector<Parameter>, int64_t> parameter_layout(const Config& config) {
  Decoder decoder(config);
  Layouter plan(decoder.config(), DType::f32, DeviceKind::cpu, nullptr);
  decoder.params(plan);
  return {std::move(plan.list), plan.size};
}

const Parameter* Parameters::find(std::string_view name) const {
  for (const Parameter& p : list_)
    if (p.name == name) return &p;
  return nullptr;
}

Status Parameters::load(const Checkpoint& checkpoint) {
  for (const Parameter& p : list_) {
    const TensorEntry* entry = checkpoint.find(p.name);
    const std::string where = cat(checkpoint.path().string(), ": the tensor ", p.name);
    if (!entry) return Error(Code::invalid, where + " is missing");
    if (entry->shape != p.shape) return Error(Code::invalid, where + " does not have the shape that config.json says");
    JEVONS_TRY(TensorSource source, whole_tensor(p.name, *entry, checkpoint.find(p.name + "_scale_inv")));
    const int64_t cols = p.shape.back();
    std::vector<float> row(static_cast<size_t>(cols));
    for (int64_t r = 0; r < p.count / cols; ++r) {
      source.read_row(r, row.data());
      const int64_t at = p.first + r * cols;
      if (dtype_ == DType::f64)
        std::copy(row.begin(), row.end(), reinterpret_cast<double*>(data_.get()) + at);
      else
        std::copy(row.begin(), row.end(), reinterpret_cast<float*>(data_.get()) + at);
    }
  }
  return {};
}

void Parameters::randomize(uint64_t seed, double deviation) {
  for (size_t i = 0; i < list_.size(); ++i) {
    const Parameter& p = list_[i];
    for (int64_t j = 0; j < p.count; ++j) {
      double value = p.name.ends_with("norm.weight") ? 1 : 0;
      if (p.shape.size() == 2) value = deviation * normal(seed, static_cast<uint64_t>(j), i);
      if (dtype_ == DType::f64)
        reinterpret_cast<double*>(data_.get())[p.first + j] = value;
      else
        reinterpret_cast<float*>(data_.get())[p.first + j] = static_cast<float>(value);
    }
  }
}

}  // namespace jevons
