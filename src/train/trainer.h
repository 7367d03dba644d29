// Trainer: one optimizer step of a model on a token stream, and the state that a step changes. The loop belongs to the
// caller (run.h). Definitions of every logged number: docs/train.md.
//
// A step is cut into pieces of whole rows that fit memory; parameters' gradients are one sum over tokens in order, so
// the cut does not change them where a parameter is used once in the forward pass (all but a tied embedding and what
// multi-token prediction shares, whose sums then differ by rounding).
#pragma once
#include <optional>

#include "train/optimizer.h"
#include "train/token_data.h"

namespace jevons {

struct StepReport {
  int64_t step = 0;
  double loss = 0, aux = 0, mtp_loss = 0, grad_norm = 0, lr = 0;
  bool finite() const;
};

// The rows of one step: row b reads data[firsts[b] .. firsts[b] + seq] inclusive.
struct StepRows {
  const TokenData& data;
  std::vector<int64_t> firsts;
};

// Sums over held-out rows. accepted: how often the prediction layer's likeliest token was the main model's, so that a
// draft would have been taken.
struct HeldOutSums {
  double nll = 0, ahead_nll = 0;
  int64_t tokens = 0, bytes = 0, ahead_tokens = 0, accepted = 0;
};

// Slots routed to each expert of a layer in one step.
struct ExpertLoad {
  std::string layer;  // "model.layers.3.mlp"
  std::vector<int64_t> slots;
};

class Trainer {
 public:
  // `checked` settings. Throws Error{unsupported} for what training does not know (more than one prediction layer).
  Trainer(const Config& config, const TrainSettings& settings, Exec& exec, DeviceKind device = DeviceKind::cpu);
  Parameters& parameters() { return parameters_; }
  const std::byte* gradients() const { return gradients_.get(); }
  const std::vector<double>& norms() const { return norms_; }  // per parameter, of the last gradient()
  OptimizerState& state() { return state_; }
  const std::vector<bool>& trained() const { return trained_; }
  void set_piece_rows(int64_t rows) { piece_rows_ = rows; }
  int64_t piece_rows() const { return piece_rows_; }
  void set_recompute(bool recompute) { decoder_.set_recompute(recompute); }

  // Loss and gradient of a step; nothing is changed.
  StepReport gradient(const StepRows& rows, int64_t step);
  StepReport gradient(const TokenData& data, int64_t step);  // the rows in order
  // Clips, moves the parameters and the balance biases by the last gradient(), which was of the same step.
  void update(int64_t step);
  std::vector<ExpertLoad> load() const;  // of the last gradient()
  // Adds the losses of rows that are not trained on; `sums.bytes` is left to the caller.
  void evaluate(const StepRows& rows, HeldOutSums& sums);
  int64_t step_bytes() const { return arena_.peak(); }  // of the largest piece so far

 private:
  struct Piece;
  Piece gather(const StepRows& rows, int64_t first_row, int64_t count, double factor) const;
  void run_piece(const StepRows& rows, int64_t first_row, int64_t count, double factor, StepReport& sums);
  void evaluate_piece(const StepRows& rows, int64_t first_row, int64_t count, HeldOutSums& sums);
  void predict_ahead(Piece& piece, Ctx& c, const Tensor& hidden, StepReport& sums);
  std::vector<int32_t> likeliest(Ctx& c, const Tensor& hidden, std::span<const int32_t> rows);
  void move_biases();

  TrainSettings settings_;
  Exec& exec_;
  DeviceKind device_;
  Decoder decoder_;
  Parameters parameters_;
  std::shared_ptr<std::byte> gradients_;
  OptimizerState state_;
  std::vector<bool> trained_;
  std::vector<double> norms_;
  std::map<const void*, std::vector<int64_t>> slots_;  // routed in the last gradient(), by router weight
  Arena arena_;
  int64_t piece_rows_;
};

}  // namespace jevons
