#include "kernels/loops/gemm.h"

#include <algorithm>

#include "base/strings.h"
#include "kernels/loops/loops.h"

namespace jevons::loops {
namespace {

constexpr int64_t kPiece = 96;  // rows or columns that a thread takes at least

}  // namespace

// Cuts the longer side of c. The cut does not touch the bits: every element is one chain over k.
template <class T>
void gemm(const Env& env, const GemmArgs& args) {
  const auto [M, N] = args.c.dims<2>();
  const auto [a0, a1] = args.a.dims<2>();
  const auto [b0, b1] = args.b.dims<2>();
  const int64_t K = args.ta ? a0 : a1;
  if ((args.ta ? a1 : a0) != M || (args.tb ? b0 : b1) != N || (args.tb ? b1 : b0) != K)
    throw Error(Code::invalid, cat("a product of ", args.a.shape().str(), " and ", args.b.shape().str(),
                                   " does not fit ", args.c.shape().str()));
  const MatrixView<T> a{args.a.as<T>().data(), a1, args.ta}, b{args.b.as<T>().data(), b1, args.tb};
  T* c = args.c.as<T>().data();
  const bool by_rows = M >= N;
  const int64_t side = by_rows ? M : N, pieces = 4 * env.exec.threads();
  const int64_t step = std::max(kPiece, ((side + pieces - 1) / pieces + kPiece - 1) / kPiece * kPiece);
  env.exec.parallel_for((side + step - 1) / step, [&, m = M, n = N](int64_t i) {
    const int64_t first = i * step, count = std::min(step, side - first);
    if (by_rows)
      gemm_block(count, n, K, {a.data + first * (args.ta ? 1 : a.stride), a.stride, a.transposed}, b, c + first * n, n,
                 args.accumulate);
    else
      gemm_block(m, count, K, a, {b.data + first * (args.tb ? b.stride : 1), b.stride, b.transposed}, c + first, n,
                 args.accumulate);
  });
}

template void gemm<double>(const Env&, const GemmArgs&);
template void gemm<float>(const Env&, const GemmArgs&);

}  // namespace jevons::loops
