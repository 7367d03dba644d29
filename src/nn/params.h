// One visitor per struct: a module names each of its parameters once, with the published checkpoint's tensor name and
// the shape it must have. Loading, counting, saving and optimising are visitors over these names, not second lists.
#pragma once
#include <cstdint>
#include <string>

#include "tensor/tensor.h"
#include "tensor/weight.h"

namespace jevons {

class ParamVisitor {
 public:
  enum class Need { required, optional };
  virtual ~ParamVisitor() = default;
  // y = W x, W [rows, cols].
  virtual void weight(const std::string& name, Weight& w, int64_t rows, int64_t cols) = 0;
  // The token table [V, D]: gathered by rows.
  virtual void embedding(const std::string& name, Weight& w, int64_t rows, int64_t cols) = 0;
  // The output head; if the checkpoint ties it, the numbers of `embedding`.
  virtual void head(const std::string& name, Weight& w, const Weight& embedding, bool tied) = 0;
  // E matrices named PREFIX.{e}.SUFFIX.
  virtual void stack(const std::string& prefix, const std::string& suffix, Weight& w, int64_t count, int64_t rows,
                     int64_t cols) = 0;
  // A vector of n numbers (norm, bias), held in the activation type.
  virtual void vector(const std::string& name, Tensor& t, int64_t n, Need need = Need::required) = 0;
  // kv_b_proj of MLA, [heads * (nope + value), rank], given as the maps that its evaluations use.
  struct KvUp {
    Weight k;             // stack H of [nope, rank]: k_nope = k c          (expanded)
    Weight k_transposed;  // stack H of [rank, nope]: q~ = k_transposed q   (absorbed)
    Weight v;             // stack H of [value, rank]: v = v c
    Weight whole;         // [heads * (nope + value), rank]: all of them  (training)
  };
  virtual void kv_up(const std::string& name, KvUp& up, int64_t heads, int64_t nope, int64_t value, int64_t rank) = 0;
};

}  // namespace jevons
