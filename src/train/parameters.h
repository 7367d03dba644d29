// Parameters: every number of a model in one flat buffer, so that gradients, moments and files are the same list at the
// same offsets. Named by the model's own visitor with the published tensor names.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "models/checkpoint.h"
#include "models/decoder.h"

namespace jevons {

struct Parameter {
  enum class Role { matrix, router, embedding, head, vector, balance_bias };
  std::string name;
  std::vector<int64_t> shape;
  int64_t first = 0, count = 0;  // numbers in the flat buffer
  Role role = Role::matrix;
  int64_t prediction_layer = -1;  // of multi-token prediction, from 0; -1: the main model
  bool decays() const { return role == Role::matrix || role == Role::router || role == Role::head; }
};

class Parameters {
 public:
  // Lays out the parameters of `decoder` (f64 for ref, else f32), zero, and points the decoder at them. The decoder
  // must not outlive this object.
  Parameters(Decoder& decoder, DeviceKind device);
  const std::vector<Parameter>& list() const { return list_; }
  const Parameter* find(std::string_view name) const;
  int64_t size() const { return size_; }  // numbers, padding included
  DType dtype() const { return dtype_; }
  std::span<std::byte> bytes() const { return {data_.get(), static_cast<size_t>(size_ * dtype_size(dtype_))}; }

  // From a Hugging Face folder; missing or misshapen tensors are errors that name them.
  Status load(const Checkpoint& checkpoint);
  // Weights normal with this deviation, norms 1, biases 0: a function of the seed and the position alone.
  void randomize(uint64_t seed, double deviation);

 private:
  DType dtype_;
  int64_t size_ = 0;
  std::vector<Parameter> list_;
  std::shared_ptr<std::byte> data_;
};

// What Parameters of this model would list, and their size(); no memory is taken.
std::pair<std::vector<Parameter>, int64_t> parameter_layout(const Config& config);

// Zero-filled memory for `count` numbers.
std::shared_ptr<std::byte> flat_buffer(int64_t count, DType dtype);

}  // namespace jevons
