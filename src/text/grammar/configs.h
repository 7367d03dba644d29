// Configurations of the pushdown automaton, made as they are needed and remembered.
//
// A configuration is the set of places where the automaton can be after some bytes: (state, frame) pairs. A frame is
// what waits for the called rule to end: a set of (state, frame) pairs again, so that calls of one rule at one position
// share it (a graph-structured stack; without it ambiguous grammars need exponential memory). Both are interned, so a
// configuration is a number, and reading a byte is one look-up once it has been done before.
#pragma once
#include <array>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "text/grammar/automaton.h"

namespace jevons::grammar {

struct Place {
  int32_t state, frame;
  auto operator<=>(const Place&) const = default;
};

class Configs {
 public:
  static constexpr int32_t kDead = -1;  // the configuration without places
  static constexpr int32_t kEnd = -1;   // as the state of a place: the text may end here
  static constexpr int32_t kRoot = 0;   // the frame in which nothing waits

  explicit Configs(const Automaton& automaton);

  // Before anything is read.
  int32_t start();
  // Just this state over the root frame, without the rules it calls and without leaving its rule.
  int32_t alone(int32_t state);
  // Where the callers of a frame go on; kDead for the root.
  int32_t after(int32_t frame);
  int32_t step(int32_t config, uint8_t byte) {
    const int32_t known = configs_[config].next ? (*configs_[config].next)[byte] : kUnknown;
    return known != kUnknown ? known : compute(config, byte);
  }
  bool complete(int32_t config) const { return configs_[config].complete; }  // a rule over the root frame may end here
  const std::vector<Place>& places(int32_t config) const { return *configs_[config].places; }
  // The only byte that can follow, or -1 if there are several or none.
  int only_byte(int32_t config) const;
  size_t bytes() const { return bytes_; }  // memory in use, about

  // A fresh object with only these configurations; `kept` is changed to their new numbers.
  Configs shrunk(std::vector<int32_t>& kept) const;

 private:
  static constexpr int32_t kUnknown = -2;
  struct Config {
    const std::vector<Place>* places;
    bool complete = false;
    std::unique_ptr<std::array<int32_t, 256>> next{};
  };
  struct Hash {
    size_t operator()(const std::vector<Place>& places) const;
  };
  using Table = std::unordered_map<std::vector<Place>, int32_t, Hash>;

  int32_t compute(int32_t config, uint8_t byte);
  int32_t finish(std::vector<Place> places);  // leaves ended rules, enters called ones, interns
  void enter_calls(std::vector<Place>& places);
  int32_t intern(std::vector<Place> places, bool complete);
  int32_t frame(std::vector<Place> waiting);

  const Automaton* automaton_;
  Table frame_ids_, config_ids_;
  std::vector<const std::vector<Place>*> frames_;
  std::vector<Config> configs_;
  std::unordered_map<int32_t, int32_t> after_;
  std::vector<RuleId> by_rank_;
  size_t bytes_ = 0;
};

}  // namespace jevons::grammar
