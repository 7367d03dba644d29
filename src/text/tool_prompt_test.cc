#include "text/tool_prompt.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace jevons {
namespace {

ChatTemplate published_template(const std::string& name) {
  std::ifstream file(std::filesystem::path(JEVONS_SOURCE_DIR) / "tests/golden/templates" / (name + ".jinja"));
  const Json specials = Json::Object{{"bos_token", "<s>"}, {"eos_token", "</s>"}};
  return ChatTemplate::parse({std::istreambuf_iterator<char>(file), {}}, specials).value();
}

const Json& tools() {
  static const Json all = Json::parse(R"([{"type":"function","function":{"name":"get_weather",
      "description":"Weather of a place","parameters":{"type":"object","properties":{"place":{"type":"string"}}}}}])")
                              .value();
  return all;
}

const Json& conversation() {
  static const Json all = Json::parse(R"([{"role":"user","content":"How warm?"},
      {"role":"assistant","content":null,"tool_calls":[
        {"id":"call_1","type":"function","function":{"name":"get_weather","arguments":"{\"place\": \"Ulm\"}"}}]},
      {"role":"tool","tool_call_id":"call_1","content":"17 degrees"}])")
                              .value();
  return all;
}

TEST(ToolPrompt, WhoDescribesTools) {
  for (const char* name : {"Qwen2.5-Instruct", "QwQ-32B", "Qwen3", "Llama-3.1-Instruct", "Llama-3.2-Instruct"})
    EXPECT_TRUE(tool_use(published_template(name)).describes) << name;
  for (const char* name : {"SmolLM2-Instruct", "DeepSeek-V3", "DeepSeek-R1", "DeepSeek-V3.1", "Llama-3-Instruct"})
    EXPECT_FALSE(tool_use(published_template(name)).describes) << name;
}

// Whatever the template: the prompt has the tool, the call in the model's form, and the result.
TEST(ToolPrompt, EveryTemplateSaysAll) {
  for (const char* name :
       {"Qwen2.5-Instruct", "QwQ-32B", "Qwen3", "Llama-3.1-Instruct", "Llama-3.2-Instruct", "Llama-3.3-Instruct",
        "Llama-3-Instruct", "DeepSeek-V2-Lite-Chat", "DeepSeek-V2.5", "DeepSeek-V3", "DeepSeek-R1", "DeepSeek-V3.1",
        "DeepSeek-R1-Distill-Qwen", "DeepSeek-R1-0528-Qwen3", "SmolLM2-Instruct", "Qwen2-Instruct"}) {
    const ChatTemplate chat = published_template(name);
    const ToolUse use = tool_use(chat);
    const Json messages = tool_messages(conversation(), tools(), use);
    const Result<std::string> prompt = chat.render(messages, tools(), true, {}, 0);
    ASSERT_TRUE(prompt.ok()) << name << ": " << prompt.error().message();
    for (const char* words : {"Weather of a place", "\"place\": \"Ulm\"", "17 degrees", "How warm?"})
      EXPECT_NE(prompt->find(words), std::string::npos) << name << " lacks " << words << "\n" << *prompt;
    ToolCallParser parser(use.format, {"get_weather"});
    size_t begin = prompt->find("How warm?");
    if (use.format == ToolFormat::llama) begin = prompt->rfind("{\"name\"");
    std::string got;
    for (const ToolEvent& e : parser.push(prompt->substr(begin)))
      if (e.kind == ToolEvent::Kind::arguments) got += e.text;
    EXPECT_EQ(got, "{\"place\": \"Ulm\"}") << name << "\n" << *prompt;
  }
}

TEST(ToolPrompt, TheSystemMessageIsKept) {
  Json messages = conversation();
  messages.as_array().insert(messages.as_array().begin(), Json::Object{{"role", "system"}, {"content", "Be brief."}});
  const Json out = tool_messages(messages, tools(), tool_use(published_template("DeepSeek-V3.1")));
  const std::string& system = out.as_array().front().at("content").as_string();
  EXPECT_TRUE(system.starts_with("Be brief.\n\n## Tools\n")) << system;
  EXPECT_NE(system.find("<｜tool▁call▁begin｜>tool_call_name<｜tool▁sep｜>tool_call_arguments"), std::string::npos);
  EXPECT_EQ(tool_messages(messages, {}, tool_use(published_template("DeepSeek-V3.1"))).as_array().front(),
            messages.as_array().front());
}

TEST(ToolPrompt, ResultsOfSeveralCallsAreOneMessage) {
  const Json messages = Json::parse(R"([{"role":"assistant","content":"Two.","tool_calls":[
      {"function":{"name":"f","arguments":{"a":1}}},{"function":{"name":"g"}}]},
      {"role":"tool","content":"x"},{"role":"tool","content":"y"},{"role":"user","content":"z"}])")
                            .value();
  const Json out = tool_messages(messages, {}, {});
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(out.as_array()[0].at("content").as_string(),
            "Two.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\":1}}\n</tool_call>\n<tool_call>\n"
            "{\"name\": \"g\", \"arguments\": {}}\n</tool_call>");
  EXPECT_EQ(out.as_array()[1].at("content").as_string(),
            "<tool_response>\nx\n</tool_response>\n<tool_response>\ny\n</tool_response>");
}

}  // namespace
}  // namespace jevons
