// Encoding speed: tokenizer_bench TOKENIZER.json TEXT [REPEATS] prints MB/s, one thread; with --ids the ids go to
// stdout as int32. Text is taken in the same chunks of 64 KiB (whole lines) as tools/bench_tokenizers.py takes it.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/clock.h"
#include "base/file.h"
#include "base/strings.h"
#include "text/tokenizer.h"

int main(int argc, char** argv) try {
  using namespace jevons;
  if (argc < 3) return std::fputs("usage: tokenizer_bench TOKENIZER.json TEXT [REPEATS | --ids]\n", stderr), 2;
  const double start = now_seconds();
  const Tokenizer tokenizer = Tokenizer::from_json(read_file(argv[1]).value()).value();
  const double loaded = now_seconds();
  const std::string text = read_file(argv[2]).value();
  const bool ids = argc > 3 && !std::strcmp(argv[3], "--ids");
  const int repeats = argc > 3 && !ids ? std::atoi(argv[3]) : 1;
  for (int i = 0; i < repeats; ++i) {
    const double begin = now_seconds();
    size_t count = 0;
    for (size_t at = 0; at < text.size();) {
      size_t end = text.find('\n', std::min(at + 65536, text.size()));
      end = end == std::string::npos ? text.size() : end + 1;
      const auto out = tokenizer.encode(std::string_view(text).substr(at, end - at));
      if (ids) std::fwrite(out.data(), 4, out.size(), stdout);
      count += out.size();
      at = end;
    }
    const double seconds = now_seconds() - begin;
    std::fprintf(stderr, "%s: load %.3f s, %zu bytes, %zu ids, %.1f MB/s\n", argv[1], loaded - start, text.size(),
                 count, 1e-6 * static_cast<double>(text.size()) / seconds);
  }
  return 0;
} catch (const jevons::Error& error) {
  return std::fprintf(stderr, "tokenizer_bench: %s\n", error.what()), 1;
}
