// jevons template: the exact prompt text of a conversation.
#include <iostream>
#include <iterator>
#include <memory>

#include "base/strings.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/store.h"
#include "engine/model.h"

namespace jevons {
namespace {

struct Options {
  std::string model{kDefaultModel};
};

// The conversation on stdin; a member that is not known here is a variable of the template (enable_thinking, ...).
struct Request {
  Json messages, tools, extra = Json::object();
  bool add_generation_prompt = true;
};

Request read_request() {
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  const auto json = Json::parse(text);
  if (!json.ok()) throw json.error().within("stdin");
  if (!json->is_object() || !json->find("messages"))
    throw Error(Code::invalid,
                "stdin: expected a JSON object like {\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}");
  Request request;
  for (const auto& [name, value] : json->as_object()) {
    if (name == "messages")
      request.messages = value;
    else if (name == "tools")
      request.tools = value;
    else if (name != "add_generation_prompt")
      request.extra[name] = value;
    else if (value.is_bool())
      request.add_generation_prompt = value.as_bool();
    else
      throw Error(Code::invalid, cat("stdin: add_generation_prompt must be true or false, not ", value.dump()));
  }
  return request;
}

int run(const Options& o, const Common& common) {
  const auto checkpoint = Checkpoint::open(resolve_model(o.model).value()).value();
  const auto tokenizer = checkpoint.tokenizer().value();
  const auto chat = load_chat_template(checkpoint, tokenizer);
  if (!chat.ok()) throw chat.error().within(checkpoint.path().string());
  const Request request = read_request();
  const std::string prompt =
      chat->render(request.messages, request.tools, request.add_generation_prompt, request.extra).value();
  common.json ? print_json(Json::Object{{"prompt", prompt}}) : print(prompt);
  return 0;
}

}  // namespace

Command template_command() {
  auto o = std::make_shared<Options>();
  return {.name = "template",
          .summary = "the prompt text that a conversation becomes",
          .details =
              "Reads {\"messages\":[...],\"tools\":[...],\"add_generation_prompt\":true} from stdin and writes the "
              "model's prompt byte for byte; other members are variables of the template.",
          .options = {{"MODEL", &o->model, "a name, folder or .gguf file"}},
          .examples = {R"(echo '{"messages":[{"role":"user","content":"Hi"}]}' | jevons template)",
                       "jevons template ./my-model < conversation.json"},
          .run = [o](const Common& common) { return run(*o, common); }};
}

}  // namespace jevons
