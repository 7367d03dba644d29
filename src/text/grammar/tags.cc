// Free text with constrained parts, as a grammar: the text automaton recognises the tags' beginnings (Aho and Corasick,
// 1975), and a recognised beginning can only go on into its tag's grammar.
#include <algorithm>
#include <array>
#include <deque>

#include "base/strings.h"
#include "text/grammar/builder.h"

namespace jevons {
namespace {

using grammar::Budget;
using grammar::Nfa;
using grammar::RuleId;
using grammar::RuleImports;

class TagGrammar {
 public:
  TagGrammar(const std::vector<Grammar::Tag>& tags, const Grammar::TagOptions& options)
      : tags_(tags), options_(options) {
    for (const auto& tag : tags) starts_.push_back(imports_.add(tag.grammar));
  }

  GrammarPtr build() {
    auto first = phase(!options_.required);
    // Behind a tag: more of the same, or the end.
    if (options_.several) {
      const auto later = phase(true);
      connect(later, later.start);
      connect(first, later.start);
    } else {
      const int32_t end = nfa_.add(budget_);
      nfa_.states[end].final = true;
      connect(first, end);
    }
    return imports_.finish(std::move(nfa_), budget_);
  }

 private:
  struct Phase {
    int32_t start;
    std::vector<int32_t> begun;  // per tag, the state behind its beginning
  };

  // Text (or white space) up to the beginning of a tag.
  Phase phase(bool may_end) {
    Phase out{nfa_.add(budget_), {}};
    std::vector<std::array<int32_t, 256>> next;
    std::vector<int32_t> states{out.start};
    std::vector<bool> begun{false};
    next.emplace_back().fill(-1);
    for (const auto& tag : tags_) {
      size_t at = 0;
      for (const char c : tag.begin) {
        const auto byte = static_cast<uint8_t>(c);
        if (next[at][byte] < 0) {
          next[at][byte] = static_cast<int32_t>(next.size());
          states.push_back(nfa_.add(budget_));
          begun.push_back(false);
          next.emplace_back().fill(-1);
        }
        at = next[at][byte];
      }
      begun[at] = true;
      out.begun.push_back(states[at]);
    }
    if (options_.text)
      complete_transitions(next);
    else
      for (const char c : std::string_view(" \n\r\t")) next[0][static_cast<uint8_t>(c)] = 0;
    for (size_t s = 0; s < next.size(); ++s) {
      if (begun[s]) continue;
      nfa_.states[states[s]].final = may_end && (options_.text || s == 0);
      for (int lo = 0; lo < 256;) {
        int hi = lo;
        while (hi < 255 && next[s][hi + 1] == next[s][lo]) ++hi;
        if (next[s][lo] >= 0)
          nfa_.edge(states[s], states[next[s][lo]], static_cast<uint8_t>(lo), static_cast<uint8_t>(hi));
        lo = hi + 1;
      }
    }
    return out;
  }

  static void complete_transitions(std::vector<std::array<int32_t, 256>>& next) {
    std::vector<int32_t> fail(next.size());
    std::deque<int32_t> order{0};
    while (!order.empty()) {
      const int32_t s = order.front();
      order.pop_front();
      for (int b = 0; b < 256; ++b) {
        const int32_t other = s == 0 ? 0 : next[fail[s]][b];
        if (next[s][b] < 0) {
          next[s][b] = other;
        } else {
          fail[next[s][b]] = other;
          order.push_back(next[s][b]);
        }
      }
    }
  }

  void connect(const Phase& from, int32_t to) {
    for (size_t t = 0; t < tags_.size(); ++t) {
      int32_t at = nfa_.add(budget_);
      nfa_.states[from.begun[t]].calls.push_back({starts_[t], tags_[t].end.empty() ? to : at});
      for (size_t i = 0; i < tags_[t].end.size(); ++i) {
        const int32_t next = i + 1 == tags_[t].end.size() ? to : nfa_.add(budget_);
        nfa_.edge(at, next, static_cast<uint8_t>(tags_[t].end[i]), static_cast<uint8_t>(tags_[t].end[i]));
        at = next;
      }
    }
  }

  const std::vector<Grammar::Tag>& tags_;
  const Grammar::TagOptions& options_;
  Budget budget_;
  RuleImports imports_{"text and tags"};
  std::vector<RuleId> starts_;  // by tag
  Nfa nfa_;
};

}  // namespace

Result<GrammarPtr> Grammar::with_tags(const std::vector<Tag>& tags, const TagOptions& options) {
  if (tags.empty()) return Error(Code::invalid, "text with tags needs at least one tag");
  for (size_t i = 0; i < tags.size(); ++i) {
    if (tags[i].begin.empty()) return Error(Code::invalid, "a tag's beginning must not be empty");
    if (!tags[i].grammar) return Error(Code::invalid, cat("tag ", quote(tags[i].begin), " has no grammar"));
    for (size_t k = 0; k < tags.size(); ++k)
      if (i != k && tags[i].begin.find(tags[k].begin) != std::string::npos)
        return Error(Code::invalid, cat("the tag beginning ", quote(tags[i].begin), " contains another one, ",
                                        quote(tags[k].begin), ": they must be told apart"));
  }
  try {
    return TagGrammar(tags, options).build();
  } catch (const Error& error) {
    return error;
  }
}

Result<GrammarPtr> Grammar::after(std::string_view trigger, const GrammarPtr& grammar) {
  return with_tags({{std::string(trigger), grammar, ""}}, {.required = true, .several = false});
}

}  // namespace jevons
