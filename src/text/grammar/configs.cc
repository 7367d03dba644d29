#include "text/grammar/configs.h"

#include <algorithm>
#include <map>

namespace jevons::grammar {
namespace {

void sort_unique(std::vector<Place>& places) {
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
}

}  // namespace

size_t Configs::Hash::operator()(const std::vector<Place>& places) const {
  uint64_t h = places.size();
  for (const Place& p : places) {
    h ^= static_cast<uint64_t>(static_cast<uint32_t>(p.state)) << 32 | static_cast<uint32_t>(p.frame);
    h *= 0x9e3779b97f4a7c15;
    h ^= h >> 29;
  }
  return h;
}

Configs::Configs(const Automaton& automaton) : automaton_(&automaton), by_rank_(automaton.rules.size()) {
  for (size_t r = 0; r < automaton.rules.size(); ++r) by_rank_[automaton.rules[r].rank] = static_cast<RuleId>(r);
  frame({});
}

int32_t Configs::start() {
  std::vector<Place> places{{automaton_->rules[automaton_->start].start, kRoot}};
  const bool complete = automaton_->states[places[0].state].final;
  enter_calls(places);
  return intern(std::move(places), complete);
}

int32_t Configs::alone(int32_t state) { return intern({{state, kRoot}}, false); }

int32_t Configs::after(int32_t frame) {
  if (frame == kRoot) return kDead;
  const auto known = after_.find(frame);
  if (known != after_.end()) return known->second;
  const int32_t config = finish(*frames_[frame]);
  after_[frame] = config;
  return config;
}

int32_t Configs::compute(int32_t config, uint8_t byte) {
  std::vector<Place> to;
  for (const Place& p : *configs_[config].places) {
    if (p.state == kEnd) continue;
    for (const auto& e : automaton_->edges(p.state))
      if (e.lo <= byte && byte <= e.hi) to.push_back({e.to, p.frame});
  }
  const int32_t next = to.empty() ? kDead : finish(std::move(to));
  auto& table = configs_[config].next;
  if (!table) {
    table = std::make_unique<std::array<int32_t, 256>>();
    table->fill(kUnknown);
    bytes_ += sizeof *table;
  }
  return (*table)[byte] = next;
}

int32_t Configs::finish(std::vector<Place> places) {
  bool complete = false;
  sort_unique(places);
  std::vector<Place> all = places;
  for (std::vector<Place> fresh = places; !fresh.empty();) {
    std::vector<Place> popped;
    for (const Place& p : fresh) {
      if (!automaton_->states[p.state].final) continue;
      complete |= p.frame == kRoot;
      popped.insert(popped.end(), frames_[p.frame]->begin(), frames_[p.frame]->end());
    }
    sort_unique(popped);
    fresh.clear();
    std::set_difference(popped.begin(), popped.end(), all.begin(), all.end(), std::back_inserter(fresh));
    all.insert(all.end(), fresh.begin(), fresh.end());
    std::sort(all.begin(), all.end());
  }
  enter_calls(all);
  return intern(std::move(all), complete);
}

// Calls in the order of the rules' ranks: when a rule is entered, everyone who calls it here is known.
void Configs::enter_calls(std::vector<Place>& places) {
  std::map<int32_t, std::vector<Place>> waiting;  // by rank
  const auto collect = [&](const Place& p) {
    for (const auto& call : automaton_->calls(p.state))
      waiting[automaton_->rules[call.rule].rank].push_back({call.to, p.frame});
  };
  for (const Place& p : places) collect(p);
  while (!waiting.empty()) {
    auto node = waiting.extract(waiting.begin());
    sort_unique(node.mapped());
    const Place entered{automaton_->rules[by_rank_[node.key()]].start, frame(std::move(node.mapped()))};
    places.push_back(entered);
    collect(entered);
  }
  // Places that can only go on through the rules they call need not be kept; nor those that only wait to end.
  std::erase_if(places, [&](const Place& p) {
    return automaton_->states[p.state].edges == automaton_->states[p.state].edges_end;
  });
  sort_unique(places);
}

int32_t Configs::intern(std::vector<Place> places, bool complete) {
  if (complete) places.push_back({kEnd, kRoot});  // part of the identity
  const auto [at, fresh] = config_ids_.emplace(std::move(places), static_cast<int32_t>(configs_.size()));
  if (fresh) {
    bytes_ += 128 + at->first.size() * sizeof(Place);
    configs_.push_back({&at->first, complete});
  }
  return at->second;
}

int32_t Configs::frame(std::vector<Place> waiting) {
  const auto [at, fresh] = frame_ids_.emplace(std::move(waiting), static_cast<int32_t>(frames_.size()));
  if (fresh) {
    bytes_ += 96 + at->first.size() * sizeof(Place);
    frames_.push_back(&at->first);
  }
  return at->second;
}

int Configs::only_byte(int32_t config) const {
  int only = -1;
  for (const Place& p : places(config)) {
    if (p.state == kEnd) continue;
    for (const auto& e : automaton_->edges(p.state)) {
      if (e.lo != e.hi || (only >= 0 && only != e.lo)) return -1;
      only = e.lo;
    }
  }
  return only;
}

// Frames wait for frames made before them, so copying in order of number needs no recursion.
Configs Configs::shrunk(std::vector<int32_t>& kept) const {
  std::vector<bool> needed(frames_.size());
  for (const int32_t c : kept)
    for (const Place& p : places(c)) needed[p.frame] = true;
  for (size_t f = frames_.size(); f-- > 0;)
    if (needed[f])
      for (const Place& p : *frames_[f]) needed[p.frame] = true;
  Configs out(*automaton_);
  std::vector<int32_t> ids(frames_.size());
  const auto moved = [&](std::vector<Place> places) {
    for (Place& p : places) p.frame = ids[p.frame];
    std::sort(places.begin(), places.end());
    return places;
  };
  for (size_t f = 0; f < frames_.size(); ++f)
    if (needed[f]) ids[f] = out.frame(moved(*frames_[f]));
  for (int32_t& c : kept) {
    std::vector<Place> copy = places(c);
    std::erase_if(copy, [](const Place& p) { return p.state == kEnd; });
    c = out.intern(moved(std::move(copy)), complete(c));
  }
  return out;
}

}  // namespace jevons::grammar
