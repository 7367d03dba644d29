// jevons completion: the completion script of a shell.
#include <memory>

#include "cli/command.h"
#include "cli/completion.h"
#include "cli/output.h"

namespace jevons {

Command completion_command() {
  auto shell = std::make_shared<std::string>();
  return {
      .name = "completion",
      .summary = "completion script for bash, zsh or fish",
      .options = {{"SHELL", shell.get(), "bash, zsh or fish", {.required = true, .choices = {"bash", "zsh", "fish"}}}},
      .examples = {"source <(jevons completion bash)", "source <(jevons completion zsh)",
                   "jevons completion fish > ~/.config/fish/completions/jevons.fish"},
      .run = [shell](const Common& common) {
        const std::vector<Command> commands = all_commands();
        const std::string script = *shell == "bash"  ? bash_completion(commands)
                                   : *shell == "zsh" ? zsh_completion(commands)
                                                     : fish_completion(commands);
        if (common.json)
          print_json(Json::Object{{"shell", *shell}, {"script", script}});
        else
          print(script);
        return 0;
      }};
}

}  // namespace jevons
