#include "cli/trace_diff.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/file.h"
#include "base/strings.h"
#include "cli/bench_text.h"

namespace jevons {
namespace {

std::vector<std::string> trace_files(const std::string& folder) {
  std::error_code failed;
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failed))
    if (entry.path().extension() == ".npy") out.push_back(entry.path().filename().string());
  if (failed) throw Error(Code::not_found, cat(folder, ": cannot list the folder: ", failed.message()));
  if (out.empty())
    throw Error(Code::invalid, cat(folder, ": holds no trace; 'jevons logits --trace ", folder, "' writes one"));
  std::sort(out.begin(), out.end());
  return out;
}

// The numbers of an .npy file as jevons writes it (version 1, '<f4').
std::vector<float> read_npy(const std::filesystem::path& path) {
  const std::string text = read_file(path).value();
  if (text.size() < 10 || text.compare(0, 6, "\x93NUMPY") != 0 || text.find("'<f4'") == std::string::npos)
    throw Error(Code::invalid, cat(path.string(), ": is no float32 .npy file"));
  const size_t header = 10 + static_cast<unsigned char>(text[8]) + 256u * static_cast<unsigned char>(text[9]);
  if (header > text.size() || (text.size() - header) % sizeof(float) != 0)
    throw Error(Code::invalid, cat(path.string(), ": is truncated"));
  std::vector<float> out((text.size() - header) / sizeof(float));
  std::memcpy(out.data(), text.data() + header, text.size() - header);
  return out;
}

}  // namespace

int diff_traces(const std::string& a, const std::string& b, bool json) {
  const std::vector<std::string> names = trace_files(a), others = trace_files(b);
  if (names != others)
    throw Error(Code::invalid,
                cat(a, " and ", b, " hold different results (", names.size(), " and ", others.size(), " files)"));
  for (const std::string& name : names) {
    const std::vector<float> x = read_npy(std::filesystem::path(a) / name),
                             y = read_npy(std::filesystem::path(b) / name);
    if (x.size() != y.size())
      throw Error(Code::invalid, cat(name, ": has ", x.size(), " numbers in ", a, ", ", y.size(), " in ", b));
    double squares = 0, largest = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      squares += double{x[i]} * x[i];
      largest = std::max(largest, std::fabs(double{x[i]} - double{y[i]}));
    }
    const double rms = std::sqrt(squares / static_cast<double>(std::max<size_t>(x.size(), 1))),
                 relative = rms > 0 ? largest / rms : largest;
    if (json)
      print_json(Json::Object{{"name", name}, {"largest_difference", largest}, {"relative_to_rms", relative}});
    else
      print(cat(pad_right(name, 44), " ", pad_left(cat(static_cast<float>(relative)), 14), "\n"));
  }
  return 0;
}

}  // namespace jevons
