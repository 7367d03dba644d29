#include "cli/completion.h"

#include <algorithm>
#include <set>

#include "base/strings.h"

namespace jevons {
namespace {

// Positional arguments that may be a name in the store.
bool takes_model(const Command& command) {
  return std::ranges::any_of(command.options, [](const Option& option) {
    const std::string& name = option.names()[0];
    return name.starts_with("MODEL") || name == "NAME" || name == "IN";
  });
}

std::vector<Option> options_of(const Command& command, Common& common) {
  std::vector<Option> options;
  for (const auto& list : {command.options, common_options(common)}) {
    for (const Option& option : list) {
      if (!option.positional()) options.push_back(option);
    }
  }
  return options;
}

std::string join(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

// The first words, and for each the second words: {"list": {}, "bench": {"run", "machine"}}, in the table's order.
struct Word {
  std::string word, summary;
  std::vector<std::string> second;
};
std::vector<Word> first_words(const std::vector<Command>& commands) {
  std::vector<Word> words;
  for (const Command& command : commands) {
    const size_t space = command.name.find(' ');
    const std::string word = command.name.substr(0, space);
    auto at = std::ranges::find(words, word, &Word::word);
    if (at == words.end()) at = words.insert(words.end(), {word, command.summary, {}});
    if (space != command.name.npos) at->second.push_back(command.name.substr(space + 1));
  }
  return words;
}

// What shells of the Bourne family put into single quotes.
std::string single_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace

std::string bash_completion(const std::vector<Command>& commands) {
  std::string out =
      "# bash completion for jevons; load it with:  source <(jevons completion bash)\n"
      "_jevons() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} options='' names='' models=''\n"
      "  COMPREPLY=()\n"
      "  if [ \"$COMP_CWORD\" = 1 ]; then\n";
  std::vector<std::string> first;
  for (const Word& word : first_words(commands)) first.push_back(word.word);
  out += cat("    COMPREPLY=($(compgen -W '", join(first, " "),
             " help --help --version' -- \"$cur\"))\n    return\n  fi\n",
             "  case \"${COMP_WORDS[1]} ${COMP_WORDS[2]:-}\" in\n");
  std::vector<const Command*> longest_first;
  for (const Command& command : commands) longest_first.push_back(&command);
  std::ranges::stable_sort(longest_first, {},
                           [](const Command* command) { return command->name.find(' ') == std::string::npos; });
  for (const Command* command : longest_first) {
    Common common;
    std::string names, choices;
    for (const Option& option : options_of(*command, common)) {
      names += (names.empty() ? "" : " ") + join(option.names(), " ");
      if (option.rules().choices.empty()) continue;
      choices += cat("      case $prev in ", join(option.names(), "|"), ") COMPREPLY=($(compgen -W '",
                     join(option.rules().choices, " "), "' -- \"$cur\")); return ;; esac\n");
    }
    const bool two = command->name.find(' ') != std::string::npos;
    out += cat("    ", two ? "'" + command->name + "'" : command->name + "\\ *", ")\n      options='", names,
               " --help'\n");
    if (takes_model(*command)) out += "      models=1\n";
    out += choices + "      ;;\n";
  }
  out += "  esac\n  if [ \"$COMP_CWORD\" = 2 ]; then\n    case ${COMP_WORDS[1]} in\n";
  for (const Word& word : first_words(commands)) {
    if (!word.second.empty()) out += cat("      ", word.word, ") names='", join(word.second, " "), "' ;;\n");
  }
  return out + "      help) names='" + join(first, " ") +
         "' ;;\n"
         "    esac\n"
         "  fi\n"
         "  case $cur in\n"
         "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$cur\")) ;;\n"
         "    *)\n"
         "      if [ -n \"$models\" ]; then names+=\" $(\"${COMP_WORDS[0]}\" list --names --quiet 2>/dev/null)\"; fi\n"
         "      COMPREPLY=($(compgen -W \"$names\" -- \"$cur\"))\n"
         "      ;;\n"
         "  esac\n"
         "}\n"
         "complete -o default -F _jevons jevons\n";
}

std::string zsh_completion(const std::vector<Command>& commands) {
  const auto entry = [](const std::string& word, const std::string& text) {
    std::string escaped;
    for (const char c : word) escaped += c == ':' ? std::string("\\:") : std::string(1, c);
    return single_quoted(escaped + ":" + text);
  };
  std::string out =
      "#compdef jevons\n"
      "# zsh completion for jevons; load it with:  source <(jevons completion zsh)\n"
      "_jevons() {\n"
      "  local -a entries models\n"
      "  if (( CURRENT == 2 )); then\n"
      "    entries=(";
  for (const Word& word : first_words(commands)) out += cat("\n      ", entry(word.word, word.summary));
  out += "\n      'help:this list')\n    _describe 'command' entries\n    return\n  fi\n";
  for (const Word& word : first_words(commands)) {
    if (word.second.empty()) continue;
    out += cat("  if (( CURRENT == 3 )) && [[ $words[2] == ", word.word, " ]]; then\n    entries=(",
               join(word.second, " "), ")\n    _describe 'command' entries\n  fi\n");
  }
  out += "  case \"$words[2] ${words[3]:-}\" in\n";
  for (const bool two : {true, false}) {
    for (const Command& command : commands) {
      if ((command.name.find(' ') != std::string::npos) != two) continue;
      Common common;
      std::string list, choices;
      for (const Option& option : options_of(command, common)) {
        for (const std::string& name : option.names()) list += cat("\n        ", entry(name, option.help()));
        if (option.rules().choices.empty()) continue;
        choices += cat("      case $words[CURRENT-1] in ", join(option.names(), "|"), ") compadd ",
                       join(option.rules().choices, " "), "; return ;; esac\n");
      }
      out += cat("    ", two ? "'" + command.name + "'" : command.name + "\\ *", ")\n", choices, "      entries=(",
                 list, ")\n");
      if (takes_model(command)) out += "      models=(${(f)\"$($words[1] list --names --quiet 2>/dev/null)\"})\n";
      out += "      ;;\n";
    }
  }
  return out +
         "  esac\n"
         "  if [[ $words[CURRENT] == -* ]]; then\n"
         "    _describe 'option' entries\n"
         "  else\n"
         "    (( $#models )) && compadd -a models\n"
         "    _files\n"
         "  fi\n"
         "}\n"
         "compdef _jevons jevons\n";
}

std::string fish_completion(const std::vector<Command>& commands) {
  const auto quoted = [](std::string_view text) {
    std::string plain = "'";
    for (const char c : text) plain += c == '\'' || c == '\\' ? cat("\\", c) : std::string(1, c);
    return plain + "'";
  };
  std::string out = "# fish completion for jevons; load it with:  jevons completion fish | source\n";
  for (const Word& word : first_words(commands)) {
    out += cat("complete -c jevons -n __fish_use_subcommand -f -a ", word.word, " -d ", quoted(word.summary), "\n");
    if (word.second.empty()) continue;
    out += cat("complete -c jevons -n '__fish_seen_subcommand_from ", word.word, "' -f -a ",
               quoted(join(word.second, " ")), "\n");
  }
  for (const Command& command : commands) {
    std::string condition = "'";
    const size_t space = command.name.find(' ');
    condition += "__fish_seen_subcommand_from " + command.name.substr(0, space);
    if (space != command.name.npos) condition += "; and __fish_seen_subcommand_from " + command.name.substr(space + 1);
    condition += "'";
    Common common;
    for (const Option& option : options_of(command, common)) {
      out += "complete -c jevons -n " + condition;
      for (const std::string& name : option.names())
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      if (!option.flag()) out += " -r";
      if (!option.rules().choices.empty()) out += " -f -a " + quoted(join(option.rules().choices, " "));
      out += cat(" -d ", quoted(option.help()), "\n");
    }
    if (takes_model(command))
      out += cat("complete -c jevons -n ", condition, " -a '(jevons list --names --quiet 2>/dev/null)'\n");
  }
  return out;
}

}  // namespace jevons
