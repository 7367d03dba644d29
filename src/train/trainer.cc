#include "train/trainer.h"

#include <cmath>
#include <cstring>
#include <numeric>

#include "base/strings.h"

namespace jevons {
namespace {

constexpr int64_t kPieceTokens = 4096;  // of a forward and backward pass

Config checked(const Config& config, const TrainSettings& settings) {
  if (settings.mtp_weight > 0 && config.num_nextn_predict_layers != 1)
    throw Error(Code::unsupported, cat("--mtp-weight needs a model with one prediction layer; this one has ",
                                       config.num_nextn_predict_layers));
  return config;
}

}  // namespace

bool StepReport::finite() const {
  return std::isfinite(loss) && std::isfinite(aux) && std::isfinite(mtp_loss) && std::isfinite(grad_norm);
}

// Some rows of a step as flat arrays.
struct Trainer::Piece {
  std::vector<int32_t> ids, targets, ahead_ids, ahead_targets, position, ahead_position, ahead_rows;
  std::vector<double> factor, ahead_factor;
  std::unique_ptr<Ctx> ahead;  // of the prediction layer: the rows without their last token
  Balance ahead_balance;
};

Trainer::Trainer(const Config& config, const TrainSettings& settings, Exec& exec, DeviceKind device)
    : settings_(settings),
      exec_(exec),
      device_(device),
      decoder_(checked(config, settings)),
      parameters_(decoder_, device),
      gradients_(flat_buffer(parameters_.size(), parameters_.dtype())),
      state_{flat_buffer(parameters_.size(), parameters_.dtype()),
             flat_buffer(parameters_.size(), parameters_.dtype())},
      piece_rows_(std::max<int64_t>(1, kPieceTokens / settings.seq)) {
  for (const Parameter& p : parameters_.list())
    trained_.push_back(p.role != Parameter::Role::balance_bias && (p.prediction_layer < 0 || settings.mtp_weight > 0));
}

StepReport Trainer::gradient(const TokenData& data, int64_t step) {
  const int64_t B = settings_.batch, S = settings_.seq;
  StepReport sums{.step = step, .lr = settings_.rate(step)};
  std::memset(gradients_.get(), 0, static_cast<size_t>(parameters_.size() * dtype_size(parameters_.dtype())));
  slots_.clear();
  int64_t counted = 0;
  for (int64_t i = step * B * S + 1; i <= (step + 1) * B * S; ++i) counted += data.counts(i);
  if (counted == 0)
    throw Error(Code::invalid, cat("the mask counts no target in step ", step, "; a loss needs at least one"));
  for (int64_t row = 0; row < B; row += piece_rows_)
    run_piece(data, step, row, std::min(piece_rows_, B - row), 1 / static_cast<double>(counted), sums);
  sums.loss /= static_cast<double>(counted);
  sums.mtp_loss /= static_cast<double>(counted);
  norms_ = gradient_norms(exec_, parameters_, gradients_.get(), trained_);
  double squares = 0;
  for (double norm : norms_) squares += norm * norm;
  sums.grad_norm = std::sqrt(squares);
  return sums;
}

void Trainer::run_piece(const TokenData& data, int64_t step, int64_t first_row, int64_t rows, double factor,
                        StepReport& sums) {
  const int64_t S = settings_.seq, start = (step * settings_.batch + first_row) * S;
  const bool ahead = settings_.mtp_weight > 0;
  Piece piece;
  for (int64_t n = 0; n < rows * S; ++n) {
    const int64_t i = start + n;
    const auto id = static_cast<int32_t>(data[i]), next = static_cast<int32_t>(data[i + 1]);
    const bool begins = n % S == 0 || id == settings_.document_start;
    piece.ids.push_back(id), piece.targets.push_back(next);
    piece.position.push_back(begins ? 0 : piece.position.back() + 1);
    piece.factor.push_back(data.counts(i + 1) ? factor : 0);
    if (!ahead || n % S == S - 1) continue;
    piece.ahead_rows.push_back(static_cast<int32_t>(n)), piece.ahead_ids.push_back(next);
    piece.ahead_targets.push_back(static_cast<int32_t>(data[i + 2]));
    piece.ahead_position.push_back(piece.position.back());
    piece.ahead_factor.push_back(data.counts(i + 2) ? settings_.mtp_weight * factor : 0);
  }
  arena_.reset();
  Tape tape(arena_, parameters_.bytes(), {gradients_.get(), parameters_.bytes().size()});
  Balance balance{settings_.aux_loss / static_cast<double>(settings_.batch), S, 0, {}};
  Ctx c{device_, {exec_, arena_}, {rows * S, piece.position.data()}, {}, {}, &tape, &balance};
  const Tensor hidden = decoder_.hidden(c, piece.ids);
  const std::vector<double> loss = decoder_.loss(c, hidden, piece.targets, piece.factor);
  for (size_t n = 0; n < loss.size(); ++n) sums.loss += piece.factor[n] > 0 ? loss[n] : 0;
  if (ahead) predict_ahead(piece, c, hidden, sums);
  tape.backward();
  sums.aux += balance.loss + piece.ahead_balance.loss;
  for (const Balance* own : {&balance, &piece.ahead_balance})
    for (const auto& [router, count] : own->slots) {
      std::vector<int64_t>& total = slots_[router];
      total.resize(count.size(), 0);
      for (size_t e = 0; e < count.size(); ++e) total[e] += count[e];
    }
}

void Trainer::predict_ahead(Piece& piece, Ctx& c, const Tensor& hidden, StepReport& sums) {
  piece.ahead_balance = {c.balance->factor, settings_.seq - 1, 0, {}};
  const auto tokens = static_cast<int64_t>(piece.ahead_rows.size());
  piece.ahead.reset(
      new Ctx{device_, {exec_, arena_}, {tokens, piece.ahead_position.data()}, {}, {}, c.tape, &piece.ahead_balance});
  const Tensor state = take_rows(c, hidden, piece.ahead_rows);
  const Tensor predicted = decoder_.predict(*piece.ahead, 0, state, piece.ahead_ids);
  const std::vector<double> loss = decoder_.loss(*piece.ahead, predicted, piece.ahead_targets, piece.ahead_factor);
  for (size_t n = 0; n < loss.size(); ++n) sums.mtp_loss += piece.ahead_factor[n] > 0 ? loss[n] : 0;
}

void Trainer::update(int64_t step) {
  double squares = 0;
  for (double norm : norms_) squares += norm * norm;
  const double factor = settings_.clip > 0 ? std::min(1.0, settings_.clip / (std::sqrt(squares) + 1e-6)) : 1;
  arena_.reset();
  optimize(kernels(device_), {exec_, arena_}, parameters_, gradients_.get(), state_, trained_, settings_, step, factor);
  move_biases();
}

// b += rate * sign(mean - count): what too many chose becomes less attractive (Wang et al. 2024; V3 report 2.1.2).
void Trainer::move_biases() {
  for (const Parameter& p : parameters_.list()) {
    if (p.role != Parameter::Role::balance_bias) continue;
    const std::string stem = p.name.substr(0, p.name.size() - std::string("e_score_correction_bias").size());
    const Parameter* router = parameters_.find(stem + "weight");
    const auto found = slots_.find(parameters_.bytes().data() + router->first * dtype_size(parameters_.dtype()));
    if (found == slots_.end()) continue;  // the prediction layer of a run without it
    const int64_t total = std::accumulate(found->second.begin(), found->second.end(), int64_t{0});
    for (int64_t e = 0; e < p.count; ++e) {
      const int64_t above = total - found->second[static_cast<size_t>(e)] * p.count;  // sign of mean - count
      const double move = above > 0 ? settings_.balance_rate : above < 0 ? -settings_.balance_rate : 0;
      if (parameters_.dtype() == DType::f64)
        reinterpret_cast<double*>(parameters_.bytes().data())[p.first + e] += move;
      else
        reinterpret_cast<float*>(parameters_.bytes().data())[p.first + e] += static_cast<float>(move);
    }
  }
}

}  // namespace jevons
