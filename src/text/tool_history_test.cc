#include "text/tool_history.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "text/tool_calls.h"

namespace jevons {
namespace {

std::string published_template(const std::string& name) {
  std::ifstream file(std::filesystem::path(JEVONS_SOURCE_DIR) / "tests/golden/templates" / (name + ".jinja"));
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Published {
  const char* name;
  ToolFormat format;
  bool argument_text, null_content;
};

const Published kPublished[] = {
    {"Qwen2.5-Instruct", ToolFormat::hermes, false, false},
    {"QwQ-32B", ToolFormat::hermes, false, false},
    {"Qwen3", ToolFormat::hermes, false, false},
    {"Llama-3.1-Instruct", ToolFormat::llama, false, false},
    {"Llama-3.2-Instruct", ToolFormat::llama, false, false},
    {"Llama-3.3-Instruct", ToolFormat::llama, false, false},
    {"DeepSeek-V2.5", ToolFormat::deepseek, true, true},
    {"DeepSeek-V3", ToolFormat::deepseek, true, true},
    {"DeepSeek-R1", ToolFormat::deepseek, true, false},
    {"DeepSeek-R1-Distill-Qwen", ToolFormat::deepseek, true, true},
    {"DeepSeek-R1-Distill-Llama", ToolFormat::deepseek, true, true},
    {"DeepSeek-R1-0528-Qwen3", ToolFormat::deepseek, true, false},
    {"DeepSeek-V3.1", ToolFormat::deepseek_plain, true, false},
};

// A call of the protocol goes through a published template and is read from its text as the same call.
TEST(ToolHistory, PublishedTemplatesAndBack) {
  const std::string arguments = R"({"place": "Zürich", "days": [1, 2.5, null]})";
  for (const Published& p : kPublished) {
    const std::string source = published_template(p.name);
    EXPECT_EQ(tool_format(source), p.format) << p.name;
    const ChatTemplate chat = ChatTemplate::parse(source, {}).value();
    const ToolHistory history = tool_history(chat);
    ASSERT_TRUE(history.writes_calls) << p.name;
    EXPECT_EQ(history.argument_text, p.argument_text) << p.name;
    EXPECT_EQ(history.null_content, p.null_content) << p.name;

    const Json function = Json::Object{{"name", "get_weather"}, {"arguments", arguments}};
    const Json call = Json::Object{{"id", "call_1"}, {"type", "function"}, {"function", function}};
    const Json messages =
        Json::Array{Json::Object{{"role", "user"}, {"content", "?"}},
                    Json::Object{{"role", "assistant"}, {"content", Json()}, {"tool_calls", Json::Array{call}}}};
    const std::string prompt = chat.render(with_tool_history(messages, history), {}, false, {}, 0).value();
    ToolCallParser parser(p.format, {"get_weather"});
    std::string got;
    for (const ToolEvent& e : parser.push(prompt.substr(p.format == ToolFormat::llama ? prompt.rfind("{\"name\"") : 0)))
      if (e.kind == ToolEvent::Kind::arguments) got += e.text;
    EXPECT_EQ(Json::parse(got).value(), Json::parse(arguments).value()) << p.name << prompt;
  }
}

TEST(ToolHistory, TemplatesWithoutCalls) {
  for (const char* name : {"Qwen2-Instruct", "SmolLM2-Instruct", "Llama-3-Instruct", "DeepSeek-V2-Lite-Chat"}) {
    EXPECT_EQ(tool_format(published_template(name)), ToolFormat::none) << name;
    EXPECT_FALSE(tool_history(ChatTemplate::parse(published_template(name), {}).value()).writes_calls) << name;
  }
}

TEST(ToolHistory, ArgumentsThatAreNoJsonStayText) {
  const Json messages = Json::parse(R"([{"role":"assistant","content":"x","tool_calls":[
      {"function":{"name":"f","arguments":"{broken"}},{"function":{"name":"f","arguments":{"a":1}}},{"function":{}}]}])")
                            .value();
  EXPECT_EQ(with_tool_history(messages, {true, false, true}), messages);
}

}  // namespace
}  // namespace jevons
