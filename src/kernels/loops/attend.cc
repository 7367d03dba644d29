// Causal attention over packed documents and its gradient, by blocks of queries: the scores of a block exist, those of
// a document do not. One thread computes one document's share of one key head, so sums have one order.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/loops/functions.h"
#include "kernels/loops/gemm.h"
#include "kernels/loops/loops.h"

namespace jevons::loops {
namespace {

constexpr int64_t kQueries = 48;  // of a block

template <class T>
T* scratch(int which, int64_t numbers) {
  static thread_local std::vector<T> buffer[2];
  auto& own = buffer[which];
  if (static_cast<int64_t>(own.size()) < numbers) own.resize(static_cast<size_t>(numbers));
  return own.data();
}

struct Document {
  int64_t first, count;
};

std::vector<Document> documents(const int32_t* position, int64_t tokens) {
  std::vector<Document> out;
  for (int64_t n = 0; n < tokens; ++n) {
    if (position[n] == 0 || out.empty()) out.push_back({n, 0});
    JEVONS_CHECK(position[n] == out.back().count, "positions of a document count up from 0");
    ++out.back().count;
  }
  return out;
}

// The tensors of one query head and its key head, as matrices with a stride.
template <class T>
struct Head {
  int64_t q, o, k, v, lse;  // offsets of the document's first row
  int64_t q_stride, o_stride, k_stride, v_stride, lse_stride;
};

template <class T>
Head<T> head_of(const AttendDocumentsArgs& a, int64_t first, int64_t h) {
  const int64_t H = a.q.shape()[1], K = a.k.shape()[1], Dk = a.q.shape()[2], Dv = a.v.shape()[2], k = h * K / H;
  return {(first * H + h) * Dk,
          (first * H + h) * Dv,
          (first * K + k) * Dk,
          (first * K + k) * Dv,
          first * H + h,
          H * Dk,
          H * Dv,
          K * Dk,
          K * Dv,
          H};
}

// p[i, j] = exp(scale * p - lse) for j <= first + i, 0 behind; without lse known: set it.
template <class T>
void softmax_rows(T* p, int64_t rows, int64_t keys, int64_t first, T scale, T* lse, int64_t lse_stride) {
  for (int64_t i = 0; i < rows; ++i) {
    T* row = p + i * keys;
    const int64_t live = first + i + 1;
    const T top = *std::max_element(row, row + live) * scale;
    const double sum = exp_row(row, live, scale, top);
    scale_row(static_cast<T>(1 / sum), live, row);
    std::fill(row + live, row + keys, T{0});
    lse[i * lse_stride] = top + static_cast<T>(std::log(sum));
  }
}

}  // namespace

template <class T>
void attend_documents(const Env& env, const AttendDocumentsArgs& args) {
  const auto [N, H, Dk] = args.q.dims<3>();
  const int64_t Dv = args.v.shape()[2];
  const std::vector<Document> all = documents(args.position, N);
  const T *q = args.q.as<T>().data(), *k = args.k.as<T>().data(), *v = args.v.as<T>().data();
  T *out = args.out.as<T>().data(), *lse = args.lse.as<T>().data();
  env.exec.parallel_for(static_cast<int64_t>(all.size()) * H, [&, H = H, Dk = Dk](int64_t task) {
    const Document d = all[static_cast<size_t>(task / H)];
    const Head<T> head = head_of<T>(args, d.first, task % H);
    for (int64_t i = 0; i < d.count; i += kQueries) {
      const int64_t rows = std::min(kQueries, d.count - i), keys = i + rows;
      T* p = scratch<T>(0, kQueries * d.count);
      gemm_block(rows, keys, Dk, {q + head.q + i * head.q_stride, head.q_stride}, {k + head.k, head.k_stride, true}, p,
                 keys, false);
      softmax_rows(p, rows, keys, i, static_cast<T>(args.scale), lse + head.lse + i * head.lse_stride, head.lse_stride);
      gemm_block(rows, Dv, keys, {p, keys}, {v + head.v, head.v_stride}, out + head.o + i * head.o_stride,
                 head.o_stride, false);
    }
  });
}

template <class T>
void attend_documents_grad(const Env& env, const AttendDocumentsGradArgs& args) {
  const AttendDocumentsArgs& f = args.forward;
  const auto [N, H, Dk] = f.q.dims<3>();
  const int64_t Dv = f.v.shape()[2], K = f.k.shape()[1];
  const std::vector<Document> all = documents(f.position, N);
  const T *q = f.q.as<T>().data(), *k = f.k.as<T>().data(), *v = f.v.as<T>().data(), *out = f.out.as<T>().data(),
          *lse = f.lse.as<T>().data(), *d_out = args.d_out.as<T>().data();
  T *d_q = args.d_q.as<T>().data(), *d_k = args.d_k.as<T>().data(), *d_v = args.d_v.as<T>().data();
  const T scale = static_cast<T>(f.scale);
  env.exec.parallel_for(static_cast<int64_t>(all.size()) * K, [&, H = H, Dk = Dk](int64_t task) {
    const Document d = all[static_cast<size_t>(task / K)];
    for (int64_t h = task % K * (H / K); h < (task % K + 1) * (H / K); ++h) {
      const Head<T> head = head_of<T>(f, d.first, h);
      for (int64_t i = 0; i < d.count; i += kQueries) {
        const int64_t rows = std::min(kQueries, d.count - i), keys = i + rows;
        T *p = scratch<T>(0, kQueries * d.count), *d_p = scratch<T>(1, kQueries * d.count);
        const MatrixView<T> own_q{q + head.q + i * head.q_stride, head.q_stride};
        const MatrixView<T> own_d{d_out + head.o + i * head.o_stride, head.o_stride};
        gemm_block(rows, keys, Dk, own_q, {k + head.k, head.k_stride, true}, p, keys, false);
        gemm_block(rows, keys, Dv, own_d, {v + head.v, head.v_stride, true}, d_p, keys, false);
        for (int64_t r = 0; r < rows; ++r) {
          const int64_t live = i + r + 1;
          const T log_sum = lse[head.lse + (i + r) * head.lse_stride];
          const T *o = out + head.o + (i + r) * head.o_stride, *g = d_out + head.o + (i + r) * head.o_stride;
          const T dot = static_cast<T>(dot_row(o, g, Dv));
          T *row = p + r * keys, *d_row = d_p + r * keys;
          exp_row(row, live, scale, log_sum);
          softmax_grad_row(row, live, dot, scale, d_row);
          std::fill(row + live, row + keys, T{0});
          std::fill(d_row + live, d_row + keys, T{0});
        }
        gemm_block(rows, Dk, keys, {d_p, keys}, {k + head.k, head.k_stride}, d_q + head.q + i * head.q_stride,
                   head.q_stride, true);
        gemm_block(keys, Dk, rows, {d_p, keys, true}, own_q, d_k + head.k, head.k_stride, true);
        gemm_block(keys, Dv, rows, {p, keys, true}, own_d, d_v + head.v, head.v_stride, true);
      }
    }
  });
}

template void attend_documents<double>(const Env&, const AttendDocumentsArgs&);
template void attend_documents<float>(const Env&, const AttendDocumentsArgs&);
template void attend_documents_grad<double>(const Env&, const AttendDocumentsGradArgs&);
template void attend_documents_grad<float>(const Env&, const AttendDocumentsGradArgs&);

}  // namespace jevons::loops
