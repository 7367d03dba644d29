#include "text/deepseek_prompt.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/strings.h"
#include "text/chat_template.h"

namespace jevons {
namespace {

const std::string kFolder = JEVONS_SOURCE_DIR "/tests/golden/templates/";

// The templates themselves are held to jinja2 by chat_template_test.
TEST(DeepSeekPrompt, EqualsThePublishedTemplates) {
  const Json conversations = Json::parse(read_file(kFolder + "conversations.json").value()).value();
  const Json specials = Json::parse(R"({"bos_token":"<｜begin▁of▁sentence｜>"})").value();
  const std::pair<DeepSeekFormat, const char*> formats[] = {{DeepSeekFormat::v3, "DeepSeek-V3"},
                                                            {DeepSeekFormat::r1, "DeepSeek-R1"},
                                                            {DeepSeekFormat::v3_1, "DeepSeek-V3.1"}};
  for (const auto& [format, name] : formats) {
    const auto chat = ChatTemplate::parse(read_file(kFolder + name + ".jinja").value(), specials).value();
    size_t texts = 0;
    for (const Json& conversation : conversations.as_array()) {
      const bool generate = conversation.at("add_generation_prompt").as_bool();
      const Json* thinking = conversation.at("extra").find("thinking");
      const auto expected =
          chat.render(conversation.at("messages"), conversation.at("tools"), generate, conversation.at("extra"));
      const auto native =
          deepseek_prompt(format, conversation.at("messages"), generate, thinking && thinking->as_bool());
      ASSERT_EQ(native.ok(), expected.ok()) << name << " " << conversation.dump() << "\n"
                                            << (native.ok() ? *native : native.error().message());
      if (!native.ok()) continue;
      EXPECT_EQ(*native, *expected) << name << " " << conversation.dump();
      ++texts;
    }
    EXPECT_GE(texts, 200u);
  }
}

TEST(DeepSeekPrompt, ErrorsNameTheField) {
  const auto error = [](const char* messages) {
    return deepseek_prompt(DeepSeekFormat::r1, Json::parse(messages).value(), true).error().message();
  };
  EXPECT_EQ(error(R"({})"), "messages: expected an array, found object");
  EXPECT_EQ(error(R"([{"role":"user","content":3}])"), "messages[0].content: expected a text, found integer");
  EXPECT_EQ(error(R"([{"content":"x"}])"), "messages[0].role: expected a text, found nothing");
  EXPECT_EQ(
      error(
          R"([{"role":"assistant","content":null,"tool_calls":[{"type":"function","function":{"name":"f","arguments":{}}}]}])"),
      "messages[0].tool_calls[0].function.arguments: expected a text, found object");
}

}  // namespace
}  // namespace jevons
