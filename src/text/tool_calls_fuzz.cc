// Fuzz target: an answer in one of the forms of tool calls, whole and cut in pieces: the fields are the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "text/tool_calls.h"

namespace {

std::string fields(const std::vector<jevons::ToolEvent>& events) {
  std::string out;
  for (const auto& e : events) {
    if (e.kind == jevons::ToolEvent::Kind::begin) out += "\x01" + e.text + "\x02";
    if (e.kind == jevons::ToolEvent::Kind::end) out += e.whole ? "\x03" : "\x04";
    if (e.kind == jevons::ToolEvent::Kind::text || e.kind == jevons::ToolEvent::Kind::arguments) out += e.text;
  }
  return out;
}

}  // namespace

// The first byte chooses the form, the second the size of the pieces.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace jevons;
  if (size < 2) return 0;
  const auto format = static_cast<ToolFormat>(data[0] % 5);
  const size_t piece = 1 + data[1] % 16;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  ToolCallParser whole(format, {"f"}), cut(format, {"f"});
  std::string a = fields(whole.push(text)), b;
  a += fields(whole.finish());
  for (size_t at = 0; at < text.size(); at += piece) b += fields(cut.push(text.substr(at, piece)));
  b += fields(cut.finish());
  if (a != b) std::abort();
  return 0;
}
