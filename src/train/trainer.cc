#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/strings.h"
#include "train/memory.h"

namespace jevons {
namespace {

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
      piece_rows_(usual_piece_rows(settings.seq)) {
  for (const Parameter& p : parameters_.list())
    trained_.push_back(p.role != Parameter::Role::balance_bias && (p.prediction_layer < 0 || settings.mtp_weight > 0));
}

StepReport Trainer::gradient(const TokenData& data, int64_t step) {
  StepRows rows{data, {}};
  for (int64_t b = 0; b < settings_.batch; ++b) rows.firsts.push_back((step * settings_.batch + b) * settings_.seq);
  return gradient(rows, step);
}

StepReport Trainer::gradient(const StepRows& rows, int64_t step) {
  const auto B = static_cast<int64_t>(rows.firsts.size());
  StepReport sums{.step = step, .lr = settings_.rate(step)};
  std::memset(gradients_.get(), 0, static_cast<size_t>(parameters_.size() * dtype_size(parameters_.dtype())));
  slots_.clear();
  int64_t counted = 0;
  for (int64_t first : rows.firsts)
    for (int64_t j = 1; j <= settings_.seq; ++j) counted += rows.data.counts(first + j);
  if (counted == 0)
    throw Error(Code::invalid, cat("the mask counts no target in step ", step, "; a loss needs at least one"));
  for (int64_t row = 0; row < B; row += piece_rows_)
    run_piece(rows, row, std::min(piece_rows_, B - row), 1 / static_cast<double>(counted), sums);
  sums.loss /= static_cast<double>(counted);
  sums.mtp_loss /= static_cast<double>(counted);
  norms_ = gradient_norms(exec_, parameters_, gradients_.get(), trained_);
  double squares = 0;
  for (double norm : norms_) squares += norm * norm;
  sums.grad_norm = std::sqrt(squares);
  return sums;
}

Trainer::Piece Trainer::gather(const StepRows& rows, int64_t first_row, int64_t count, double factor) const {
  const int64_t S = settings_.seq;
  Piece piece;
  for (int64_t n = 0; n < count * S; ++n) {
    const int64_t i = rows.firsts[static_cast<size_t>(first_row + n / S)] + n % S;
    const auto id = static_cast<int32_t>(rows.data[i]), next = static_cast<int32_t>(rows.data[i + 1]);
    const bool begins = n % S == 0 || id == settings_.document_start;
    piece.ids.push_back(id), piece.targets.push_back(next);
    piece.position.push_back(begins ? 0 : piece.position.back() + 1);
    piece.factor.push_back(rows.data.counts(i + 1) ? factor : 0);
    if (settings_.mtp_weight == 0 || n % S == S - 1) continue;
    piece.ahead_rows.push_back(static_cast<int32_t>(n)), piece.ahead_ids.push_back(next);
    piece.ahead_targets.push_back(static_cast<int32_t>(rows.data[i + 2]));
    piece.ahead_position.push_back(piece.position.back());
    piece.ahead_factor.push_back(rows.data.counts(i + 2) ? settings_.mtp_weight * factor : 0);
  }
  return piece;
}

void Trainer::run_piece(const StepRows& rows, int64_t first_row, int64_t count, double factor, StepReport& sums) {
  Piece piece = gather(rows, first_row, count, factor);
  arena_.reset();
  Tape tape(arena_, parameters_.bytes(), {gradients_.get(), parameters_.bytes().size()});
  Balance balance{settings_.aux_loss / static_cast<double>(rows.firsts.size()), settings_.seq, 0, {}};
  Ctx c{device_, {exec_, arena_}, {count * settings_.seq, piece.position.data()}, {}, {}, &tape, &balance};
  const Tensor hidden = decoder_.hidden(c, piece.ids);
  const std::vector<double> loss = decoder_.loss(c, hidden, piece.targets, piece.factor);
  for (size_t n = 0; n < loss.size(); ++n) sums.loss += piece.factor[n] > 0 ? loss[n] : 0;
  if (settings_.mtp_weight > 0) predict_ahead(piece, c, hidden, sums);
  tape.backward();
  sums.aux += balance.loss + piece.ahead_balance.loss;
  for (const Balance* own : {&balance, &piece.ahead_balance})
    for (const auto& [router, added] : own->slots) {
      std::vector<int64_t>& total = slots_[router];
      total.resize(added.size(), 0);
      for (size_t e = 0; e < added.size(); ++e) total[e] += added[e];
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

void Trainer::evaluate(const StepRows& rows, HeldOutSums& sums) {
  const auto B = static_cast<int64_t>(rows.firsts.size());
  for (int64_t row = 0; row < B; row += piece_rows_) evaluate_piece(rows, row, std::min(piece_rows_, B - row), sums);
}

// The forward pass of training (its tape is thrown away), so that held-out and training losses are the same function.
void Trainer::evaluate_piece(const StepRows& rows, int64_t first_row, int64_t count, HeldOutSums& sums) {
  Piece piece = gather(rows, first_row, count, 1);
  arena_.reset();
  Tape tape(arena_, parameters_.bytes(), {gradients_.get(), parameters_.bytes().size()});
  Ctx c{device_, {exec_, arena_}, {count * settings_.seq, piece.position.data()}, {}, {}, &tape, nullptr};
  const Tensor hidden = decoder_.hidden(c, piece.ids);
  Ctx plain = c;
  plain.tape = nullptr;
  for (double nll : decoder_.loss(plain, hidden, piece.targets, piece.factor)) sums.nll += nll;
  sums.tokens += static_cast<int64_t>(piece.targets.size());
  if (piece.ahead_rows.empty()) return;
  Ctx ahead = c;
  ahead.batch = {static_cast<int64_t>(piece.ahead_rows.size()), piece.ahead_position.data()};
  const Tensor guess = decoder_.predict(ahead, 0, take_rows(c, hidden, piece.ahead_rows), piece.ahead_ids);
  Ctx plain_ahead = ahead;
  plain_ahead.tape = nullptr;
  for (double nll :
       decoder_.loss(plain_ahead, guess, piece.ahead_targets, std::vector<double>(piece.ahead_rows.size(), 1)))
    sums.ahead_nll += nll;
  sums.ahead_tokens += static_cast<int64_t>(piece.ahead_rows.size());
  // Row n of the prediction layer and row n + 1 of the main model speak of the same token.
  std::vector<int32_t> after = piece.ahead_rows, all(piece.ahead_rows.size());
  for (int32_t& n : after) ++n;
  std::iota(all.begin(), all.end(), 0);
  const std::vector<int32_t> drafts = likeliest(plain_ahead, guess, all), mains = likeliest(plain, hidden, after);
  for (size_t n = 0; n < drafts.size(); ++n) sums.accepted += drafts[n] == mains[n];
}

// Most likely token after each of the rows.
std::vector<int32_t> Trainer::likeliest(Ctx& c, const Tensor& hidden, std::span<const int32_t> rows) {
  constexpr size_t kRows = 256;
  std::vector<int32_t> out(rows.size());
  for (size_t first = 0; first < rows.size(); first += kRows) {
    const auto mark = arena_.mark();
    const std::span<const int32_t> part = rows.subspan(first, std::min(kRows, rows.size() - first));
    const Tensor logits = decoder_.logits(c, hidden, part);
    const int64_t V = logits.shape()[1];
    const auto best = [&](const auto* row) { return static_cast<int32_t>(std::max_element(row, row + V) - row); };
    for (size_t r = 0; r < part.size(); ++r)
      out[first + r] = logits.dtype() == DType::f64 ? best(logits.as<double>().data() + static_cast<int64_t>(r) * V)
                                                    : best(logits.as<float>().data() + static_cast<int64_t>(r) * V);
    arena_.rewind(mark);
  }
  return out;
}

std::vector<ExpertLoad> Trainer::load() const {
  constexpr std::string_view kRouter = ".gate.weight";
  std::vector<ExpertLoad> out;
  for (const Parameter& p : parameters_.list()) {
    if (p.role != Parameter::Role::router) continue;
    const auto found = slots_.find(parameters_.bytes().data() + p.first * dtype_size(parameters_.dtype()));
    if (found != slots_.end()) out.push_back({p.name.substr(0, p.name.size() - kRouter.size()), found->second});
  }
  return out;
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
