// jevons bench tokenizer: how fast text becomes token ids and ids become text, on one thread, beside another program.
//
// Time is processor time. Both take the text in the same pieces (64 KiB and on to the end of the line) and report a
// hash of all ids, so what is compared is the same work with the same result.
#include <algorithm>
#include <ctime>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "cli/bench_peer.h"
#include "cli/bench_text.h"
#include "cli/store.h"
#include "text/tokenizer_file.h"

namespace jevons {
namespace {

constexpr size_t kPiece = 65536;

struct Options {
  std::string model, file, peer;
  int rounds = 5;
};

struct Speeds {
  std::vector<double> encode, decode;  // bytes of text a second, one a round
};

// Processor time of this process: other load does not stretch it.
double cpu_seconds() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

std::vector<std::string_view> pieces_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const size_t line = text.find('\n', std::min(kPiece, text.size()));
    const size_t size = line == std::string_view::npos ? text.size() : line + 1;
    out.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return out;
}

// FNV-1a over the ids, four bytes each.
uint64_t hash_of(const std::vector<std::vector<int32_t>>& ids) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const auto& piece : ids)
    for (const int32_t id : piece) hash = (hash ^ static_cast<uint32_t>(id)) * 0x100000001b3;
  return hash;
}

std::vector<std::vector<int32_t>> measure_self(const Tokenizer& tokenizer, std::string_view text, Speeds& speeds) {
  const std::vector<std::string_view> pieces = pieces_of(text);
  std::vector<std::vector<int32_t>> ids;
  const double start = cpu_seconds();
  for (const std::string_view piece : pieces) ids.push_back(tokenizer.encode(piece));
  const double encoded = cpu_seconds();
  size_t bytes = 0;
  for (const auto& piece : ids) bytes += tokenizer.decode(piece).size();
  const double decoded = cpu_seconds();
  check_interrupt();
  speeds.encode.push_back(static_cast<double>(text.size()) / (encoded - start));
  speeds.decode.push_back(static_cast<double>(bytes) / (decoded - encoded));
  return ids;
}

void measure_peer(const Options& o, const std::string& model, uint64_t hash, Speeds& speeds) {
  const Json out = run_peer(cat(o.peer, " ", shell_word(model), " ", shell_word(o.file)), '{');
  speeds.encode.push_back(out.at("encode_bytes_per_second").as_double());
  speeds.decode.push_back(out.at("decode_bytes_per_second").as_double());
  if (out.at("hash").as_string() != cat(hash))
    throw Error(Code::invalid, cat("the peer gives other ids: their hash is ", out.at("hash").as_string(), ", ours ",
                                   hash, "; speeds of different work are not compared"));
}

Json json_of(const std::vector<double>& own, const std::vector<double>& peer) {
  const auto list = [](const std::vector<double>& v) { return Json(Json::Array(v.begin(), v.end())); };
  return Json::Object{{"bytes_per_second", list(own)},
                      {"median", median(own)},
                      {"peer_bytes_per_second", list(peer)},
                      {"ratio", median_ratio(own, peer)}};
}

std::string line_of(const char* what, const std::vector<double>& own, const std::vector<double>& peer) {
  const auto mega = [](double v) { return pad_left(fixed(v / 1e6, 1), 8); };
  return cat(pad_right(what, 8), mega(median(own)), " MB/s",
             peer.empty() ? "" : cat("   peer ", mega(median(peer)), "   ratio ", fixed(median_ratio(own, peer), 2)),
             "\n");
}

int run(const Options& o, const Common& common) {
  const std::filesystem::path model = resolve_tokenizer(o.model).value();
  const Tokenizer tokenizer = load_tokenizer(model).value();
  const std::string text = read_file(o.file).value();
  if (text.empty()) throw Error(Code::invalid, cat(o.file, " is empty; give a text of a few megabytes"));
  Speeds own, peer;
  std::vector<std::vector<int32_t>> ids;
  Progress progress("measuring", static_cast<uint64_t>(o.rounds), "rounds");
  for (int round = 0; round < o.rounds; ++round) {
    ids = measure_self(tokenizer, text, own);
    if (!o.peer.empty()) measure_peer(o, model.string(), hash_of(ids), peer);
    progress.set(static_cast<uint64_t>(round + 1));
  }
  int64_t count = 0;
  for (const auto& piece : ids) count += static_cast<int64_t>(piece.size());
  if (common.json) {
    print_json(Json::Object{{"model", model.string()},
                            {"file", o.file},
                            {"bytes", static_cast<int64_t>(text.size())},
                            {"ids", count},
                            {"hash", cat(hash_of(ids))},
                            {"rounds", o.rounds},
                            {"encode", json_of(own.encode, peer.encode)},
                            {"decode", json_of(own.decode, peer.decode)}});
    return 0;
  }
  print(cat(text.size(), " bytes, ", count, " ids, one thread, processor time\n",
            line_of("encode", own.encode, peer.encode), line_of("decode", own.decode, peer.decode)));
  return 0;
}

}  // namespace

Command bench_tokenizer_command() {
  auto o = std::make_shared<Options>();
  return {.name = "bench tokenizer",
          .summary = "speed of text to token ids and back, beside a peer",
          .options = {{"FILE", &o->file, "a text, best of a few megabytes", {.required = true}},
                      {"MODEL", &o->model, "a name, folder or file; the default model if not given"},
                      {"--peer",
                       &o->peer,
                       "a command to alternate with; it gets MODEL and FILE and prints one JSON object "
                       "(tools/bench_tokenizers.py)",
                       {.value = "COMMAND"}},
                      {"-r,--rounds", &o->rounds, "rounds of which the median counts", {.min = 1, .max = 1000}}},
          .examples = {"jevons bench tokenizer book.txt",
                       "jevons bench tokenizer book.txt ./Qwen3-8B --peer 'python3 tools/bench_tokenizers.py'"},
          .run = [o](const Common& common) { return run(*o, common); }};
}

}  // namespace jevons
