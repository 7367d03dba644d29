// Fuzz target: a template as foreign bytes, parsed and rendered over a fixed conversation within small limits.
#include <cstdint>
#include <string_view>

#include "text/jinja_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace jevons;
  static const Json variables =
      Json::parse(R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"é 🙂 <think>x</think>y"},
        {"role":"assistant","content":null,"tool_calls":[{"type":"function","function":{"name":"f","arguments":{"a":[1,2.5,true]}}}]},
        {"role":"tool","content":"{}"}],"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],
        "bos_token":"<s>","eos_token":"</s>","add_generation_prompt":true,"n":null,"i":7,"l":[3,1,2],"s":"Hello"})")
          .value();
  const jinja::Limits limits{.source_bytes = 1 << 16, .nesting = 100, .steps = 50'000, .output_bytes = 1 << 16};
  const auto parsed = jinja::Template::parse(std::string_view(reinterpret_cast<const char*>(data), size), limits);
  if (parsed.ok()) (void)parsed->render(variables, 0).ok();
  return 0;
}
