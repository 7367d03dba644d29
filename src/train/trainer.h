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

  // Loss and gradient of a step; nothing is changed.
  StepReport gradient(const TokenData& data, int64_t step);
  // Clips, moves the parameters and the balance biases by the last gradient(), which was of the same step.
  void update(int64_t step);

 private:
  struct Piece;
  void run_piece(const TokenData& data, int64_t step, int64_t first_row, int64_t rows, double factor, StepReport& sums);
  void predict_ahead(Piece& piece, Ctx& c, const Tensor& hidden, StepReport& sums);
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
