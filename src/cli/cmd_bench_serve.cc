// jevons bench serve: concurrent chats against a running server, beside another one.
//
// A round at C clients: C different chats are sent at once to one server, then to the other, each streamed to a fixed
// number of tokens. Reported are the medians over the rounds of tokens/s of all streams together (from the first
// request to the last end), of the time to the first event, and the 99th percentile of the gaps between events.
#include <algorithm>

#include "base/clock.h"
#include "base/progress.h"
#include "cli/bench_peer.h"
#include "cli/bench_text.h"
#include "cli/sse_client.h"

namespace jevons {
namespace {

struct Options {
  std::string url, peer, model, api_key;
  int clients = 0, tokens = 64, prompt = 25, rounds = 3;
};

struct Side {
  std::vector<double> speed, first, gaps;  // one a round, one a stream, one an event
};

// Chats differ from the first word on, so no server can share a prefix between them.
std::string body_of(const Options& o, int round, int client) {
  std::string prompt = cat(round * 1000 + client, ". Continue this list of things in a long story: ");
  for (int i = 0; i < o.prompt; ++i) prompt += cat("thing ", (round * 7919 + client * 104729 + i * 31) % 1000, ", ");
  Json body = Json::Object{{"messages", Json::Array{Json::Object{{"role", "user"}, {"content", prompt}}}},
                           {"stream", true},
                           {"stream_options", Json::Object{{"include_usage", true}}},
                           {"temperature", 0},
                           {"ignore_eos", true},
                           {"max_tokens", o.tokens}};
  if (!o.model.empty()) body["model"] = o.model;
  return body.dump();
}

void measure(const Options& o, const std::string& url, int clients, int round, Side& side) {
  std::vector<std::string> bodies;
  for (int i = 0; i < clients; ++i) bodies.push_back(body_of(o, round, i));
  const std::vector<StreamTimes> streams = stream_all(url + "/v1/chat/completions", o.api_key, bodies);
  double end = 0, tokens = 0;
  for (const StreamTimes& s : streams) {
    end = std::max(end, s.end), tokens += static_cast<double>(s.tokens);
    side.first.push_back(s.first);
    side.gaps.insert(side.gaps.end(), s.gaps.begin(), s.gaps.end());
  }
  side.speed.push_back(tokens / end);
}

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
}

Json json_of(const Side& s) {
  return Json::Object{{"tokens_per_s", Json(Json::Array(s.speed.begin(), s.speed.end()))},
                      {"median_tokens_per_s", median(s.speed)},
                      {"median_first_s", median(s.first)},
                      {"p99_gap_s", quantile(s.gaps, 0.99)}};
}

std::string cells(const Side& s) {
  return cat(pad_left(fixed(median(s.speed), 1), 10), pad_left(fixed(1e3 * median(s.first), 0), 10),
             pad_left(fixed(1e3 * quantile(s.gaps, 0.99), 0), 10));
}

int run(const Options& o, const Common& common) {
  const std::vector<int> clients = o.clients > 0 ? std::vector<int>{o.clients} : std::vector<int>{1, 2, 4, 8, 16};
  Json rows = Json::array();
  Side warm;
  measure(o, o.url, 1, 0, warm);
  if (!o.peer.empty()) measure(o, o.peer, 1, 0, warm);
  if (!common.json)
    print(cat("clients  tokens/s  first ms  gap99 ms", o.peer.empty() ? "" : "  | peer: the same            ratio",
              "\n"));
  Progress progress("measuring", clients.size() * static_cast<size_t>(o.rounds), "rounds");
  uint64_t done = 0;
  int round = 1;  // over all rows: no chat comes twice
  for (const int count : clients) {
    Side own, peer;
    for (int i = 0; i < o.rounds; ++i, ++round) {
      measure(o, o.url, count, round, own);
      if (!o.peer.empty()) measure(o, o.peer, count, round, peer);
      progress.set(++done);
    }
    const double ratio = o.peer.empty() ? 0 : median_ratio(own.speed, peer.speed);
    if (common.json)
      rows.push_back(
          Json::Object{{"clients", count}, {"own", json_of(own)}, {"peer", json_of(peer)}, {"ratio", ratio}});
    else
      print(cat(pad_left(cat(count), 7), cells(own),
                o.peer.empty() ? "" : cat("  |", cells(peer), pad_left(fixed(ratio, 2), 8)), "\n"));
  }
  if (common.json) print_json(Json::Object{{"url", o.url}, {"peer", o.peer}, {"max_tokens", o.tokens}, {"rows", rows}});
  return 0;
}

}  // namespace

Command bench_serve_command() {
  auto o = std::make_shared<Options>();
  return {
      .name = "bench serve",
      .summary = "concurrent chats on a running server, beside a peer",
      .details = "Both servers must run and speak /v1/chat/completions (jevons serve, llama-server, vllm).",
      .options = {{"URL", &o->url, "address of the server, as in http://127.0.0.1:8080", {.required = true}},
                  {"--peer", &o->peer, "address of another server to alternate with", {.value = "URL"}},
                  {"--model", &o->model, "name of the model in the requests; none if not given"},
                  {"--api-key", &o->api_key, "key of both servers"},
                  {"--clients", &o->clients, "chats at a time; 0: 1, 2, 4, 8 and 16 in turn", {.min = 0, .max = 10000}},
                  {"-n,--tokens", &o->tokens, "tokens of every answer", {.min = 1, .max = 100000}},
                  {"-p,--prompt",
                   &o->prompt,
                   "list entries in every prompt, about four tokens each",
                   {.min = 0, .max = 100000}},
                  {"-r,--rounds", &o->rounds, "rounds of which the median counts", {.min = 1, .max = 1000}}},
      .examples = {"jevons bench serve http://127.0.0.1:8080",
                   "jevons bench serve http://127.0.0.1:8080 --peer http://127.0.0.1:9090 --clients 8"},
      .run = [o](const Common& common) { return run(*o, common); }};
}

}  // namespace jevons
