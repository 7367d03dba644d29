#include "cli/bench_peer.h"

#include <sys/wait.h>

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "base/strings.h"

namespace jevons {

double median(std::vector<double> v) {
  if (v.empty()) return 0;
  std::sort(v.begin(), v.end());
  return v.size() % 2 ? v[v.size() / 2] : (v[v.size() / 2 - 1] + v[v.size() / 2]) / 2;
}

double median_ratio(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> ratios;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) ratios.push_back(a[i] / b[i]);
  return median(ratios);
}

Json run_peer(const std::string& command, char opens) {
  FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) throw Error(Code::io, cat("cannot start ", command));
  std::string text;
  char buffer[4096];
  for (size_t got; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, got);
  const int status = ::pclose(pipe);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw Error(Code::invalid, cat("the peer failed; try it by hand: ", command));
  Result<Json> json = Json::parse(text.substr(std::min(text.size(), text.find(opens))));
  if (!json.ok()) throw json.error().within(cat("the output of ", command));
  return std::move(*json);
}

std::string shell_word(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace jevons
