// Attention as tasks: some consecutive tokens of one sequence and some query heads of one kv head, at most kAttendRows
// rows that share every key and value they load. A task walks over its chunks (attend_chunk.h) and merges each into the
// running result:
//   new = max(top, chunk.top), a = exp(top - new), b = exp(chunk.top - new)
//   acc = acc a + chunk.acc b, sum = sum a + chunk.sum b, top = new;  at the end out = acc / sum.
// When there are too few tasks for the threads, the chunks of a task are computed as pieces of work of their own, kept,
// and merged afterwards by the same steps in the same order: the bits are the same.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/checks.h"
#include "kernels/cpu/attend_chunk.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/math.h"
#include "kernels/cpu/rows.h"
#include "kernels/kv_layout.h"

namespace jevons::cpu {
namespace {

struct Task {
  int64_t token, tokens;  // consecutive, of one sequence
  int64_t head, heads;    // query heads of one kv head
  int64_t chunks;         // that its farthest token sees
  int64_t rows() const { return tokens * heads; }
};

// Results of one chunk or of a run of chunks, for the rows of a task.
struct Partial {
  float *top, *sum, *acc;
  static int64_t numbers(int64_t rows, int64_t value_width) { return rows * (2 + padded(value_width)); }
  static Partial at(float* memory, int64_t rows) { return {memory, memory + rows, memory + 2 * rows}; }
};

std::vector<Task> make_tasks(const AttendArgs& args, int64_t heads) {
  const BatchView& batch = args.batch;
  const int64_t group = heads / args.cache.heads, heads_each = std::min(group, kAttendRows);
  const int64_t tokens_each = kAttendRows / heads_each;
  std::vector<Task> tasks;
  for (int64_t n = 0, count; n < batch.tokens; n += count) {
    int32_t last = 0;
    for (count = 0; count < tokens_each && n + count < batch.tokens; ++count) {
      if (batch.sequence[n + count] != batch.sequence[n]) break;
      last = std::max(last, batch.position[n + count]);
    }
    for (int64_t k = 0; k < heads; k += group)
      for (int64_t h = 0; h < group; h += heads_each)
        tasks.push_back({n, count, k + h, std::min(heads_each, group - h), last / kAttendChunk + 1});
  }
  std::stable_sort(tasks.begin(), tasks.end(),
                   [](const Task& a, const Task& b) { return a.chunks * a.rows() > b.chunks * b.rows(); });
  return tasks;
}

// Working memory of a thread.
struct Scratch {
  std::vector<float> memory;
  float *q, *p, *widened, *chunk, *total;
  void carve(const KvLayer& cache, int64_t rows) {
    const int64_t width = padded(std::max(cache.key_width, cache.value_width));
    const int64_t partial = Partial::numbers(rows, cache.value_width);
    const int64_t sizes[] = {rows * width, rows * kAttendChunk, kAttendWiden * width, partial, partial};
    int64_t need = 16;
    for (int64_t size : sizes) need += (size + 15) / 16 * 16;
    if (static_cast<int64_t>(memory.size()) < need) memory.resize(static_cast<size_t>(need));
    float* at = memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64) % 64 / 4;
    float** parts[] = {&q, &p, &widened, &chunk, &total};
    for (size_t i = 0; i < 5; ++i) *parts[i] = at, at += (sizes[i] + 15) / 16 * 16;
  }
};

// The queries of a task, scaled and padded.
void gather_queries(const AttendArgs& args, const Task& task, int64_t all_heads, float* to) {
  const int64_t width = args.cache.key_width, stride = padded(width);
  const float scale = static_cast<float>(args.scale);
  for (int64_t r = 0; r < task.rows(); ++r) {
    const int64_t n = task.token + r / task.heads, h = task.head + r % task.heads;
    const float* from = args.q.as<float>().data() + (n * all_heads + h) * width;
    for (int64_t c = 0; c < width; ++c) to[r * stride + c] = from[c] * scale;
    std::fill_n(to + r * stride + width, stride - width, 0.0f);
  }
}

// How many positions of chunk `index` token n sees.
int32_t live_positions(const AttendArgs& args, int64_t n, int64_t index) {
  return static_cast<int32_t>(std::clamp<int64_t>(args.batch.position[n] + 1 - index * kAttendChunk, 0, kAttendChunk));
}

void find_entries(const AttendArgs& args, const Task& task, int64_t all_heads, int64_t first, int64_t count,
                  const std::byte** key, const std::byte** value) {
  const KvLayer& cache = args.cache;
  const int64_t head = task.head * cache.heads / all_heads;
  const int64_t sequence = args.batch.sequence[task.token];
  const int64_t key_bytes = kv_entry_bytes(cache.dtype, cache.key_width);
  const int64_t value_bytes = kv_entry_bytes(cache.dtype, cache.value_width);
  for (int64_t j = 0; j < count;) {
    const int64_t n = std::min(count - j, cache.page_tokens - (first + j) % cache.page_tokens);
    const std::byte* k = cache.key + kv_index(cache, args.batch, sequence, first + j, head, key_bytes);
    const std::byte* v =
        cache.value ? cache.value + kv_index(cache, args.batch, sequence, first + j, head, value_bytes) : k;
    for (const int64_t end = j + n; j < end; ++j, k += key_bytes, v += cache.value ? value_bytes : key_bytes)
      key[j] = k, value[j] = v;
  }
}

void run_chunk(const AttendArgs& args, const Task& task, int64_t all_heads, int64_t index, const Scratch& scratch,
               const Partial& out) {
  const std::byte *key[kAttendChunk], *value[kAttendChunk];
  int32_t live[kAttendRows];
  int32_t count = 0;
  for (int64_t r = 0; r < task.rows(); ++r)
    count = std::max(count, live[r] = live_positions(args, task.token + r / task.heads, index));
  find_entries(args, task, all_heads, index * kAttendChunk, count, key, value);
  const AttendChunk chunk{key,
                          value,
                          args.cache.dtype,
                          count,
                          args.cache.key_width,
                          args.cache.value_width,
                          args.cache.value ? args.cache.value_width : args.cache.key_width,
                          task.rows(),
                          scratch.q,
                          live,
                          out.top,
                          out.sum,
                          out.acc,
                          scratch.p,
                          scratch.widened};
#if defined(__x86_64__)
  if (current_isa() >= Isa::avx2) return attend_chunk_avx2(chunk);
#endif
  attend_chunk_portable(chunk);
}

void clear(const Partial& total, int64_t rows, int64_t stride) {
  std::fill_n(total.top, rows, -std::numeric_limits<float>::infinity());
  std::fill_n(total.sum, rows, 0.0f);
  std::fill_n(total.acc, rows * stride, 0.0f);
}

void merge_row(const Partial& total, const Partial& chunk, int64_t r, int64_t stride) {
  const float top = std::max(total.top[r], chunk.top[r]);
  const float a = exp_f32(total.top[r] - top), b = exp_f32(chunk.top[r] - top);
  total.top[r] = top;
  total.sum[r] = total.sum[r] * a + chunk.sum[r] * b;
  float* __restrict to = total.acc + r * stride;
  const float* __restrict from = chunk.acc + r * stride;
  for (int64_t c = 0; c < stride; ++c) to[c] = to[c] * a + from[c] * b;
}

void merge(const AttendArgs& args, const Task& task, int64_t index, const Partial& total, const Partial& chunk) {
  for (int64_t r = 0; r < task.rows(); ++r)
    if (live_positions(args, task.token + r / task.heads, index) > 0)
      merge_row(total, chunk, r, padded(args.cache.value_width));
}

void finish(const AttendArgs& args, const Task& task, int64_t all_heads, const Partial& total) {
  const int64_t width = args.cache.value_width, stride = padded(width);
  for (int64_t r = 0; r < task.rows(); ++r) {
    const int64_t n = task.token + r / task.heads, h = task.head + r % task.heads;
    float* out = args.out.as<float>().data() + (n * all_heads + h) * width;
    for (int64_t c = 0; c < width; ++c) out[c] = total.acc[r * stride + c] / total.sum[r];
  }
}

Scratch& thread_scratch(const KvLayer& cache, int64_t rows) {
  thread_local Scratch scratch;
  scratch.carve(cache, rows);
  return scratch;
}

void run_task(const AttendArgs& args, const Task& task, int64_t all_heads) {
  Scratch& scratch = thread_scratch(args.cache, task.rows());
  const Partial chunk = Partial::at(scratch.chunk, task.rows()), total = Partial::at(scratch.total, task.rows());
  gather_queries(args, task, all_heads, scratch.q);
  clear(total, task.rows(), padded(args.cache.value_width));
  for (int64_t i = 0; i < task.chunks; ++i) {
    run_chunk(args, task, all_heads, i, scratch, chunk);
    merge(args, task, i, total, chunk);
  }
  finish(args, task, all_heads, total);
}

// Consecutive chunks of a task as one piece of work.
struct Piece {
  const Task* task;
  int64_t first, last;
  float* partials;  // of the task's first chunk
};

void run_piece(const AttendArgs& args, const Piece& piece, int64_t all_heads) {
  const Task& task = *piece.task;
  Scratch& scratch = thread_scratch(args.cache, task.rows());
  gather_queries(args, task, all_heads, scratch.q);
  const int64_t numbers = Partial::numbers(task.rows(), args.cache.value_width);
  for (int64_t i = piece.first; i < piece.last; ++i)
    run_chunk(args, task, all_heads, i, scratch, Partial::at(piece.partials + i * numbers, task.rows()));
}

void merge_pieces(const AttendArgs& args, const Task& task, int64_t all_heads, float* partials) {
  const Partial total = Partial::at(thread_scratch(args.cache, task.rows()).total, task.rows());
  const int64_t numbers = Partial::numbers(task.rows(), args.cache.value_width);
  clear(total, task.rows(), padded(args.cache.value_width));
  for (int64_t i = 0; i < task.chunks; ++i)
    merge(args, task, i, total, Partial::at(partials + i * numbers, task.rows()));
  finish(args, task, all_heads, total);
}

void run_in_pieces(const Env& env, const AttendArgs& args, const std::vector<Task>& tasks, int64_t all_heads) {
  const Arena::Mark mark = env.arena.mark();
  int64_t chunks = 0;
  for (const Task& task : tasks) chunks += task.chunks;
  const int64_t each = std::max<int64_t>(1, chunks / (8 * env.exec.threads()));
  std::vector<Piece> pieces;
  std::vector<float*> partials;
  for (const Task& task : tasks) {
    const int64_t bytes = 4 * task.chunks * Partial::numbers(task.rows(), args.cache.value_width);
    partials.push_back(static_cast<float*>(env.arena.alloc_bytes(bytes)));
    for (int64_t i = 0; i < task.chunks; i += each)
      pieces.push_back({&task, i, std::min(task.chunks, i + each), partials.back()});
  }
  env.exec.parallel_for(static_cast<int64_t>(pieces.size()),
                        [&](int64_t i) { run_piece(args, pieces[static_cast<size_t>(i)], all_heads); });
  for_rows(env, static_cast<int64_t>(tasks.size()),
           chunks / static_cast<int64_t>(tasks.size()) * Partial::numbers(tasks[0].rows(), args.cache.value_width),
           [&](int64_t first, int64_t last) {
             for (int64_t i = first; i < last; ++i)
               merge_pieces(args, tasks[static_cast<size_t>(i)], all_heads, partials[static_cast<size_t>(i)]);
           });
  env.arena.rewind(mark);
}

}  // namespace

void attend(const Env& env, const AttendArgs& args) {
  check_attend(args);
  const DType type = args.cache.dtype;
  require(type == DType::f32 || type == DType::f16 || type == DType::bf16 || type == DType::i8,
          "attend: the cache of the cpu back end is f32, f16, bf16 or i8");
  const int64_t heads = args.q.dims<3>()[1];
  const std::vector<Task> tasks = make_tasks(args, heads);
  if (tasks.empty()) return;
  const int64_t threads = env.exec.threads(), count = static_cast<int64_t>(tasks.size());
  const bool split = threads > 1 && count < 3 * threads && tasks[0].chunks > 1;
  if (split) return run_in_pieces(env, args, tasks, heads);
  env.exec.parallel_for(count, [&](int64_t i) { run_task(args, tasks[static_cast<size_t>(i)], heads); });
}

}  // namespace jevons::cpu
