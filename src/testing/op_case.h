// OpCase: one kernel with one set of shapes and random inputs, from which every check of a kernel is derived:
//   correctness     cpu against ref (float64); |difference| <= factor * eps(f32) * magnitude, the sum of the sizes of
//   the terms
//                   behind each number
//   guard bytes     nothing is written before or behind an output
//   threads, ISA    the same bits on 1, 2 and 3 threads and on every instruction set of this machine
//   rows            a row computed alone, or among others in another order, has the bits it has in the batch
// Header only, so that a test that uses it links nothing more than its layer.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/strings.h"
#include "kernels/cpu/isa.h"
#include "kernels/kernels.h"

namespace jevons {

// About normal numbers that f32 holds exactly.
inline std::vector<double> random_values(uint64_t seed, int64_t n, double scale = 1) {
  std::vector<double> out(static_cast<size_t>(n));
  for (size_t i = 0; i < out.size(); ++i) {
    double sum = 0;
    for (uint64_t s = 0; s < 4; ++s) sum += uniform(seed, i, s) - 0.5;
    out[i] = static_cast<double>(static_cast<float>(sum * 1.7 * scale));
  }
  return out;
}

struct OpCase {
  struct Input {
    std::vector<double> values;  // [N, row] or, shared by the rows, [row]
    int64_t row;
    bool shared = false;
  };
  struct Output {
    int64_t row;  // numbers of one row
    bool ids = false;
  };
  // What a run gets: tokens of the case in the order of the step, and one tensor [n, row] ([row] if shared) each.
  struct Step {
    const Kernels& kernels;
    const Env& env;
    const std::vector<int32_t>& tokens;
    std::vector<Tensor> in, out;
    DType type;  // of activations: f64 or f32
  };

  std::string name;
  int64_t tokens = 1;
  std::vector<Input> inputs;
  std::vector<Output> outputs;
  std::function<void(const Step&)> run;
  std::function<std::vector<double>()> magnitude;  // of the first output, [N, row]; empty: the size of the result
  double factor = 4;
  bool exact = false;  // Env::exact
};

namespace op_case {

using Bytes = std::vector<std::byte>;

constexpr size_t kGuard = 64;
constexpr std::byte kGuardByte{0xa5};

inline int64_t size_of(const OpCase::Output& output, DType type) { return output.ids ? 4 : dtype_size(type); }

inline Bytes input_bytes(const OpCase::Input& input, const std::vector<int32_t>& tokens, DType type) {
  std::vector<double> values;
  if (input.shared) values = input.values;
  for (size_t i = 0; !input.shared && i < tokens.size(); ++i)
    values.insert(values.end(), input.values.begin() + tokens[i] * input.row,
                  input.values.begin() + (tokens[i] + 1) * input.row);
  Bytes out(values.size() * static_cast<size_t>(dtype_size(type)));
  for (size_t i = 0; i < values.size(); ++i) {
    const float narrow = static_cast<float>(values[i]);
    if (type == DType::f64)
      std::memcpy(out.data() + 8 * i, &values[i], 8);
    else
      std::memcpy(out.data() + 4 * i, &narrow, 4);
  }
  return out;
}

// Runs the case on these tokens; the outputs with their guards. `fault`: what was written outside.
inline std::vector<Bytes> run(const OpCase& test, DeviceKind device, const std::vector<int32_t>& tokens, int threads,
                              std::string& fault) {
  const DType type = device == DeviceKind::ref ? DType::f64 : DType::f32;
  const int64_t n = static_cast<int64_t>(tokens.size());
  Exec exec(threads);
  Arena arena;
  const Env env{exec, arena, test.exact};
  OpCase::Step step{kernels(device), env, tokens, {}, {}, type};
  std::vector<Bytes> in, out;
  for (const auto& input : test.inputs) in.push_back(input_bytes(input, tokens, type));
  for (const auto& output : test.outputs)
    out.emplace_back(static_cast<size_t>(n * output.row * size_of(output, type)) + 2 * kGuard, kGuardByte);
  for (size_t i = 0; i < in.size(); ++i) {
    const auto& input = test.inputs[i];
    step.in.emplace_back(in[i].data(), input.shared ? Shape{input.row} : Shape{n, input.row}, type, device);
  }
  for (size_t i = 0; i < out.size(); ++i)
    step.out.emplace_back(out[i].data() + kGuard, Shape{n, test.outputs[i].row},
                          test.outputs[i].ids ? DType::i32 : type, device);
  test.run(step);
  for (size_t i = 0; i < out.size(); ++i) {
    const auto clean = [](std::byte b) { return b == kGuardByte; };
    if (!std::all_of(out[i].begin(), out[i].begin() + kGuard, clean)) fault = cat("wrote before output ", i);
    if (!std::all_of(out[i].end() - kGuard, out[i].end(), clean)) fault = cat("wrote behind output ", i);
  }
  return out;
}

// `part` holds the rows `tokens` of `whole`: are they the same bits?
inline std::string compare_rows(const OpCase& test, const std::vector<Bytes>& whole, const std::vector<Bytes>& part,
                                const std::vector<int32_t>& tokens) {
  for (size_t o = 0; o < whole.size(); ++o) {
    const size_t row = static_cast<size_t>(test.outputs[o].row * size_of(test.outputs[o], DType::f32));
    for (size_t i = 0; i < tokens.size(); ++i)
      if (std::memcmp(whole[o].data() + kGuard + static_cast<size_t>(tokens[i]) * row,
                      part[o].data() + kGuard + i * row, row))
        return cat("output ", o, " of token ", tokens[i], " has other bits");
  }
  return {};
}

inline std::string compare_values(const OpCase& test, const std::vector<Bytes>& want, const std::vector<Bytes>& got) {
  const std::vector<double> magnitude = test.magnitude ? test.magnitude() : std::vector<double>{};
  for (size_t o = 0; o < want.size(); ++o) {
    const size_t count = static_cast<size_t>(test.tokens * test.outputs[o].row);
    for (size_t i = 0; i < count; ++i) {
      if (test.outputs[o].ids) {
        int32_t a, b;
        std::memcpy(&a, want[o].data() + kGuard + 4 * i, 4), std::memcpy(&b, got[o].data() + kGuard + 4 * i, 4);
        if (a != b) return cat("output ", o, " at ", i, ": ", b, ", ref ", a);
        continue;
      }
      double a;
      float b;
      std::memcpy(&a, want[o].data() + kGuard + 8 * i, 8), std::memcpy(&b, got[o].data() + kGuard + 4 * i, 4);
      const double size = o == 0 && !magnitude.empty() ? magnitude[i] : std::abs(a);
      const double allowed = test.factor * std::numeric_limits<float>::epsilon() * size;
      if (!(std::abs(a - b) <= allowed))
        return cat("output ", o, " at ", i, ": ", b, ", ref ", a, ", off by ", std::abs(a - b), " with ", allowed,
                   " allowed");
    }
  }
  return {};
}

inline std::vector<std::vector<int32_t>> other_batches(int64_t tokens) {
  std::vector<int32_t> all(static_cast<size_t>(tokens));
  std::iota(all.begin(), all.end(), 0);
  std::vector<std::vector<int32_t>> out;
  for (const int32_t n : all) out.push_back({n});
  out.emplace_back(all.rbegin(), all.rend());
  out.emplace_back(all.begin(), all.begin() + (tokens + 1) / 2);
  out.emplace_back(all.begin() + tokens / 3, all.end());
  return out;
}

inline std::string check_here(const OpCase& test, const std::vector<Bytes>& want, std::vector<Bytes>& first) {
  std::vector<int32_t> all(static_cast<size_t>(test.tokens));
  std::iota(all.begin(), all.end(), 0);
  std::string fault;
  for (const int threads : {1, 2, 3}) {
    const std::vector<Bytes> got = run(test, DeviceKind::cpu, all, threads, fault);
    if (first.empty()) {
      first = got;
      if (fault.empty()) fault = compare_values(test, want, got);
    } else if (fault.empty() && got != first) {
      fault = "other bits than the first run";
    }
    if (!fault.empty()) return cat(fault, " (", threads, " threads)");
  }
  for (const std::vector<int32_t>& tokens : other_batches(test.tokens)) {
    const std::vector<Bytes> got = run(test, DeviceKind::cpu, tokens, 1, fault);
    if (fault.empty()) fault = compare_rows(test, first, got, tokens);
    if (!fault.empty()) return cat(fault, " (batch of ", tokens.size(), " from token ", tokens[0], ")");
  }
  return {};
}

}  // namespace op_case

// All checks of a case: empty, or what is wrong.
inline std::string check(const OpCase& test) {
  std::vector<int32_t> all(static_cast<size_t>(test.tokens));
  std::iota(all.begin(), all.end(), 0);
  std::string fault;
  const auto want = op_case::run(test, DeviceKind::ref, all, 1, fault);
  if (!fault.empty()) return cat(test.name, ", ref: ", fault);
  std::vector<op_case::Bytes> first;
  const Isa before = current_isa();
  for (const Isa isa : supported_isas()) {
    force_isa(isa);
    fault = op_case::check_here(test, want, first);
    if (!fault.empty()) {
      fault = cat(test.name, ", ", isa_name(isa), ": ", fault);
      break;
    }
  }
  force_isa(before);
  return fault;
}

}  // namespace jevons
