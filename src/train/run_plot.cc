// The curves of a run as text: Braille dots, two across and four down in every character.
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/strings.h"
#include "text/unicode.h"
#include "train/run_page.h"

namespace jevons {
namespace {

constexpr int kRows = 12, kMargin = 9;  // of the large chart; columns of its y labels
constexpr const char* kBars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

struct Curve {
  std::vector<double> x, y;
  bool large = false;  // drawn as bullets
};

struct Range {
  double low = INFINITY, high = -INFINITY;
  void add(double v) {
    if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
  }
  double part(double v) const { return high > low ? (v - low) / (high - low) : 0.5; }
};

Curve curve_of(const Json& object, const char* x, const char* y) {
  Curve out;
  const Json *xs = object.find(x), *ys = object.find(y);
  for (size_t i = 0; xs && ys && i < ys->size(); ++i)
    if (!ys->as_array()[i].is_null())
      out.x.push_back(xs->as_array()[i].as_double()), out.y.push_back(ys->as_array()[i].as_double());
  return out;
}

std::string pad(const std::string& text, size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

std::string chart(const std::vector<Curve>& curves, int columns) {
  Range x, y;
  for (const Curve& c : curves)
    for (size_t i = 0; i < c.x.size(); ++i) x.add(c.x[i]), y.add(c.y[i]);
  const int width = std::max(10, columns - kMargin - 1);
  std::vector<std::vector<uint32_t>> cells(kRows, std::vector<uint32_t>(static_cast<size_t>(width), 0));
  constexpr uint32_t kDots[4][2] = {{1, 8}, {2, 16}, {4, 32}, {64, 128}};
  const auto across = [&](double v) { return x.part(v) * (2 * width - 1); };
  const auto down = [&](double v) { return (1 - y.part(v)) * (4 * kRows - 1); };
  const auto put = [&](double column, double row, bool large) {
    const long dx = std::lround(column), dy = std::lround(row);
    uint32_t& cell = cells[static_cast<size_t>(dy / 4)][static_cast<size_t>(dx / 2)];
    if (large)
      cell = 0x25cf;
    else if (cell < 0x100)
      cell |= kDots[dy % 4][dx % 2];
  };
  for (const Curve& c : curves)
    for (size_t i = 0; i < c.x.size(); ++i) {
      const double dx = across(c.x[i]), dy = down(c.y[i]);
      put(dx, dy, c.large);
      if (c.large || i == 0) continue;
      const double fx = across(c.x[i - 1]), fy = down(c.y[i - 1]);  // the line from the point before
      const double points = std::ceil(std::max(std::fabs(dx - fx), std::fabs(dy - fy)));
      for (double p = 1; p < points; ++p) put(fx + (dx - fx) * p / points, fy + (dy - fy) * p / points, false);
    }
  std::string out;
  for (int row = 0; row < kRows; ++row) {
    const bool labelled = row % 4 == 0 || row == kRows - 1;
    const double value = y.high - (y.high - y.low) * row / (kRows - 1);
    out += pad(labelled ? fixed(value, 3) : "", kMargin - 1) + (labelled ? " ┤" : " │");
    for (uint32_t cell : cells[static_cast<size_t>(row)])
      unicode::append_utf8(out, cell < 0x100 ? 0x2800 + cell : cell);
    out += '\n';
  }
  const std::string first = cat("step ", fixed(x.low, 0)), last = fixed(x.high, 0);
  return out + std::string(kMargin + 1, ' ') + first +
         pad(last, static_cast<size_t>(std::max<int>(1, width - static_cast<int>(first.size())))) + "\n";
}

// One line of bars: the means of equal parts.
std::string spark(const std::string& name, const Curve& c, int columns, const std::string& unit) {
  if (c.y.empty()) return "";
  const size_t width = static_cast<size_t>(std::clamp(columns - 46, 10, 60));
  Range range;
  std::vector<double> means;
  for (size_t i = 0; i < std::min(width, c.y.size()); ++i) {
    const size_t n = std::min(width, c.y.size()), begin = i * c.y.size() / n, end = (i + 1) * c.y.size() / n;
    double sum = 0;
    for (size_t j = begin; j < end; ++j) sum += c.y[j];
    means.push_back(sum / static_cast<double>(end - begin)), range.add(means.back());
  }
  std::string out = name + std::string(14 - std::min<size_t>(13, name.size()), ' ');
  for (double v : means) out += kBars[std::lround(range.part(v) * 7)];
  const auto shown = [](double v) {
    return v != 0 && std::fabs(v) < 0.01 ? cat(static_cast<float>(v)) : fixed(v, v < 100 ? 3 : 0);
  };
  return out + cat("  ", shown(c.y.back()), unit, " now, ", shown(range.low), " to ", shown(range.high), "\n");
}

std::string loads(const Json& load) {
  std::string out;
  const Json::Array &names = load.at("layers").as_array(), &all = load.at("load").as_array();
  for (size_t l = 0; l < names.size(); ++l) {
    const Json::Array& shares = all[l].as_array().back().as_array();
    double top = 0;
    for (const Json& share : shares) top = std::max(top, share.as_double() * static_cast<double>(shares.size()));
    std::string bars;
    for (const Json& share : shares) {
      const double relative = share.as_double() * static_cast<double>(shares.size());
      bars += kBars[std::clamp<long>(std::lround(relative / 2 * 7), 0, 7)];
    }
    out += cat("experts  ", names[l].as_string(), "  ", bars, "  fullest ", fixed(top, 2), " times its share\n");
  }
  return out;
}

}  // namespace

Result<std::string> plot_run(const std::filesystem::path& log, int columns) {
  JEVONS_TRY(const Json run, summarise_run(log));
  const Json& steps = run.at("steps");
  const bool bits = steps.find("bits_per_byte") != nullptr;
  const Curve loss = curve_of(steps, "step", bits ? "bits_per_byte" : "loss");
  if (loss.y.empty()) return Error(Code::invalid, cat(log.string(), " holds no steps yet"));
  Curve held_out;
  held_out.large = true;
  const char* key = bits ? "held_out_bits_per_byte" : "held_out_loss";
  for (const Json& e : run.at("evaluations").as_array())
    if (const Json* value = e.find(key)) {
      held_out.x.push_back(e.at("step").as_double()), held_out.y.push_back(value->as_double());
    }
  std::string out = cat(bits ? "bits per byte" : "loss, nats a token", ": ⠶ training",
                        held_out.y.empty() ? "" : ", ● held out", "\n");
  out += chart({loss, held_out}, columns);
  out += spark("learning rate", curve_of(steps, "step", "lr"), columns, "");
  out += spark("gradient norm", curve_of(steps, "step", "grad_norm"), columns, "");
  out += spark("tokens/s", curve_of(steps, "step", "tokens_per_s"), columns, "");
  return out + loads(run.at("load"));
}

}  // namespace jevons
