// json.dumps: the tojson filter of chat templates.
#include <algorithm>
#include <cmath>

#include "base/strings.h"
#include "text/jinja_text.h"
#include "text/jinja_value.h"

namespace jevons::jinja {
namespace {

std::string number(const Value& value) {
  if (!value.is_real()) return cat(value.as_int());
  if (std::isnan(value.as_real())) return "NaN";
  if (std::isinf(value.as_real())) return value.as_real() < 0 ? "-Infinity" : "Infinity";
  return real_text(value.as_real());
}

class Dumper {
 public:
  explicit Dumper(const DumpStyle& style) : style_(style) {}
  std::string take() { return std::move(out_); }

  void value(const Value& value, int depth) {
    if (value.is_none())
      out_ += "null";
    else if (value.is_bool())
      out_ += value.as_bool() ? "true" : "false";
    else if (value.is_number())
      out_ += number(value);
    else if (value.is_text())
      string(value.text());
    else if (const Dict* dict = value.dict())
      object(*dict, depth);
    else if (const List* list = value.list(); list && list->kind <= List::Kind::tuple)
      array(*list, depth);
    else
      throw Error(Code::invalid, cat("tojson: a value of type ", value.type_name(), " is not JSON serializable",
                                     value.is_undefined() ? cat(" (", value.reason(), ")") : ""));
  }

 private:
  void string(std::string_view text) {
    out_ += '"';
    for (size_t at = 0; at < text.size();) {
      const size_t bytes = code_point_bytes(text, at);
      const std::string_view one = text.substr(at, bytes);
      const char c = text[at];
      if (c == '"' || c == '\\')
        (out_ += '\\') += c;
      else if (c == '\n')
        out_ += "\\n";
      else if (c == '\r')
        out_ += "\\r";
      else if (c == '\t')
        out_ += "\\t";
      else if (c == '\b')
        out_ += "\\b";
      else if (c == '\f')
        out_ += "\\f";
      else if (static_cast<unsigned char>(c) < 0x20)
        unit(static_cast<unsigned char>(c));
      else if (!style_.ascii || (bytes == 1 && c != 0x7F))
        out_ += one;
      else
        escape(decode_utf8(one)[0]);
      at += bytes;
    }
    out_ += '"';
  }

  void unit(char32_t code) {
    out_ += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out_ += "0123456789abcdef"[code >> shift & 15];
  }

  void escape(char32_t code) {
    if (code < 0x10000) return unit(code);
    unit(0xD800 + ((code - 0x10000) >> 10));
    unit(0xDC00 + ((code - 0x10000) & 0x3FF));
  }

  void line(int depth) {
    if (!style_.indent) return;
    out_ += '\n';
    for (int i = 0; i < depth; ++i) out_ += *style_.indent;
  }

  void separator(bool first, int depth) {
    if (!first) out_ += style_.item_separator;
    line(depth + 1);
  }

  void array(const List& list, int depth) {
    out_ += '[';
    for (size_t i = 0; i < list.items.size(); ++i) {
      separator(i == 0, depth);
      value(list.items[i], depth + 1);
    }
    if (!list.items.empty()) line(depth);
    out_ += ']';
  }

  static std::string key(const Value& key) {
    if (key.is_text()) return key.text();
    if (key.is_bool()) return key.as_bool() ? "true" : "false";
    if (key.is_none()) return "null";
    if (key.is_number()) return number(key);
    throw Error(Code::invalid, cat("tojson: a ", key.type_name(), " cannot be a key"));
  }

  void object(const Dict& dict, int depth) {
    std::vector<const std::pair<Value, Value>*> items;
    for (const auto& item : dict.items) items.push_back(&item);
    if (style_.sort_keys)
      std::stable_sort(items.begin(), items.end(), [](auto* a, auto* b) { return compare(a->first, b->first) < 0; });
    out_ += '{';
    for (size_t i = 0; i < items.size(); ++i) {
      separator(i == 0, depth);
      string(key(items[i]->first));
      out_ += style_.key_separator;
      value(items[i]->second, depth + 1);
    }
    if (!items.empty()) line(depth);
    out_ += '}';
  }

  const DumpStyle& style_;
  std::string out_;
};

}  // namespace

std::string dump_json(const Value& value, const DumpStyle& style) {
  Dumper dumper(style);
  dumper.value(value, 0);
  return dumper.take();
}

}  // namespace jevons::jinja
