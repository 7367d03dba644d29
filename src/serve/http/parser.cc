#include "serve/http/parser.h"

#include <algorithm>
#include <charconv>

#include "base/strings.h"

namespace jevons {
namespace {

using Problem = std::optional<HttpProblem>;

bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char); }

bool is_visible(char c) { return c > 0x20 && c < 0x7f; }

bool is_value_char(char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// The items of a comma-separated list, empty ones left out.
std::vector<std::string> items(std::string_view list) {
  std::vector<std::string> out;
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    if (const auto item = trim(list.substr(0, comma)); !item.empty()) out.push_back(lower(item));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return out;
}

// Extensions of a chunk's size (RFC 9112, 7.1.1), without white space: ;name, ;name=token, ;name="text".
bool are_extensions(std::string_view text) {
  const auto take_token = [&](std::string_view ends) {
    const auto size = std::min(text.find_first_of(ends), text.size());
    const bool good = is_token(text.substr(0, size));
    text.remove_prefix(size);
    return good;
  };
  while (!text.empty()) {
    if (text[0] != ';') return false;
    text.remove_prefix(1);
    if (!take_token(";=")) return false;
    if (text.empty() || text[0] == ';') continue;
    text.remove_prefix(1);
    if (text.empty() || text[0] != '"') {
      if (!take_token(";")) return false;
      continue;
    }
    const auto close = text.find('"', 1);
    if (close == std::string_view::npos) return false;
    const auto inner = text.substr(1, close - 1);
    if (!std::all_of(inner.begin(), inner.end(), [](char c) { return is_value_char(c) && c != '\\'; })) return false;
    text.remove_prefix(close + 1);
  }
  return true;
}

// Takes the text up to `end` from the front; nothing if it is not there.
std::optional<std::string_view> take(std::string_view& text, std::string_view end) {
  const auto at = text.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const auto out = text.substr(0, at);
  text.remove_prefix(at + end.size());
  return out;
}

HttpProblem bad(std::string message) { return {400, std::move(message)}; }

bool escapes_are_complete(std::string_view text) {
  const auto hex = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
  for (auto at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1))
    if (at + 2 >= text.size() || !hex(text[at + 1]) || !hex(text[at + 2])) return false;
  return true;
}

// The target: "/path?query", "*" for OPTIONS, or the same behind "http://HOST" (host_of_target keeps HOST).
Problem parse_target(std::string_view target, HttpRequest& request, std::string_view& host_of_target) {
  const auto whole = target;
  if (target.substr(0, 7) == "http://") {
    target.remove_prefix(7);
    host_of_target = target.substr(0, std::min(target.find_first_of("/?"), target.size()));
    target.remove_prefix(host_of_target.size());
    if (host_of_target.empty()) return bad(cat("the request target ", quote(whole), " names no host"));
  }
  const bool asterisk = target == "*" && request.method == "OPTIONS" && host_of_target.empty();
  if (!asterisk && (target.empty() || target[0] != '/'))
    return bad(cat("the request target ", quote(whole), " must begin with '/'; this server is no proxy"));
  if (target.find('#') != std::string_view::npos || !escapes_are_complete(target))
    return bad(cat("the request target ", quote(whole), " has a '#' or a '%' without two hexadecimal digits"));
  const auto question = std::min(target.find('?'), target.size());
  request.path = target.substr(0, question);
  request.query = target.substr(std::min(question + 1, target.size()));
  return {};
}

Problem parse_request_line(std::string_view line, HttpHead& head, std::string_view& host_of_target) {
  const auto whole = line;
  const auto method = take(line, " "), target = take(line, " ");
  if (!method || !target || !is_token(*method) || method->size() > 32 || target->empty() ||
      !std::all_of(target->begin(), target->end(), is_visible))
    return bad(cat("the request line ", quote(whole), " is not of the form METHOD /path HTTP/1.1"));
  if (line.substr(0, 5) != "HTTP/" || line.size() != 8 || line[6] != '.')
    return bad(cat("the request line ", quote(whole), " does not end with an HTTP version"));
  if (line != "HTTP/1.1" && line != "HTTP/1.0")
    return HttpProblem{505, cat("this server speaks HTTP/1.1, not ", quote(line))};
  head.minor = line[7] - '0';
  head.request.method = *method;
  return parse_target(*target, head.request, host_of_target);
}

Problem parse_field(std::string_view line, HttpHeaders& headers) {
  const auto colon = std::min(line.find(':'), line.size());
  const auto name = line.substr(0, colon);
  if (colon == line.size() || !is_token(name))
    return bad(
        cat("the header line ", quote(line), " is not of the form name: value (no folding, no space before ':')"));
  const auto value = trim(line.substr(colon + 1));
  if (!std::all_of(value.begin(), value.end(), is_value_char))
    return bad(cat("the header ", quote(name), " contains a control character"));
  headers.emplace_back(lower(name), value);
  return {};
}

// The one value of a header that may occur once; nothing if it does not occur.
Problem single(const HttpHeaders& headers, std::string_view name, std::optional<std::string_view>& value) {
  for (const auto& [key, text] : headers) {
    if (key != name) continue;
    if (value) return bad(cat("the header ", name, " occurs twice"));
    value = text;
  }
  return {};
}

Problem body_framing(HttpHead& head) {
  std::optional<std::string_view> length, coding;
  if (auto p = single(head.request.headers, "content-length", length)) return p;
  if (auto p = single(head.request.headers, "transfer-encoding", coding)) return p;
  if (coding && (length || head.minor == 0))
    return bad("the header transfer-encoding may come neither with content-length nor with HTTP/1.0");
  if (coding && lower(*coding) != "chunked")
    return HttpProblem{501, cat("the transfer coding ", quote(*coding), " is not known here; chunked is")};
  head.chunked = coding.has_value();
  if (length) {
    const char* end = length->data() + length->size();
    const auto [at, error] = std::from_chars(length->data(), end, head.length);
    if (length->empty() || !std::isdigit(static_cast<unsigned char>(length->front())) || error != std::errc{} ||
        at != end)
      return bad(cat("the header content-length has the value ", quote(*length), "; expected a number"));
  }
  return {};
}

Problem connection_headers(HttpHead& head, std::string_view host_of_target) {
  std::optional<std::string_view> host, encoding, expect;
  if (auto p = single(head.request.headers, "host", host)) return p;
  if (auto p = single(head.request.headers, "content-encoding", encoding)) return p;
  if (auto p = single(head.request.headers, "expect", expect)) return p;
  if (!host && head.minor == 1) return bad("the header host is missing");
  if (!host_of_target.empty() && (!host || lower(*host) != lower(host_of_target)))
    return bad(cat("the request target names the host ", quote(host_of_target), ", the header host another"));
  if (encoding && lower(*encoding) != "identity")
    return HttpProblem{415,
                       cat("the content encoding ", quote(*encoding), " is not known here; send the body as it is")};
  if (expect && lower(*expect) != "100-continue")
    return HttpProblem{417, cat("the expectation ", quote(*expect), " cannot be met; only 100-continue can")};
  head.expects_go = expect && head.minor == 1;
  head.keep_alive = head.minor == 1;
  for (const auto& [name, value] : head.request.headers) {
    if (name != "connection") continue;
    for (const std::string& option : items(value)) {
      if (!is_token(option)) return bad(cat("the header connection holds ", quote(option), ", which is no name"));
      head.keep_alive &= option != "close";
    }
  }
  return {};
}

}  // namespace

Problem parse_http_head(std::string_view text, HttpHead& head) {
  head = {};
  std::string_view host_of_target;
  auto line = take(text, "\r\n");
  if (!line) return bad("the request has no complete first line");
  if (auto p = parse_request_line(*line, head, host_of_target)) return p;
  while (line = take(text, "\r\n"), line && !line->empty())
    if (auto p = parse_field(*line, head.request.headers)) return p;
  if (!line || !text.empty()) return bad("the headers do not end with an empty line");
  if (auto p = connection_headers(head, host_of_target)) return p;
  return body_framing(head);
}

RequestParser::State RequestParser::fail(int status, std::string message) {
  problem_ = {status, std::move(message)};
  return state_ = State::failed;
}

RequestParser::State RequestParser::feed(std::string_view& input) {
  if (state_ == State::head) {
    feed_head(input);
    return state_;
  }
  while (state_ == State::body && !input.empty())
    if (part_ == Part::data)
      feed_data(input);
    else
      feed_line(input);
  return state_;
}

void RequestParser::feed_head(std::string_view& input) {
  const auto before = text_.size();
  const auto room = std::min(input.size(), header_bytes_ - before);
  text_ += input.substr(0, room);
  const auto end = text_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
  // A bare line end is refused as soon as it is seen, so that a sender who waits for an answer gets one.
  for (auto at = text_.find('\n', before); at < std::min(end, text_.size()); at = text_.find('\n', at + 1))
    if (at == 0 || text_[at - 1] != '\r')
      return void(fail(400, "a line of the headers ends without a carriage return"));
  if (end == std::string::npos) {
    input.remove_prefix(room);
    if (text_.size() == header_bytes_)
      fail(431, cat("the headers are larger than ", header_bytes_, " bytes; send fewer or shorter ones"));
    return;
  }
  input.remove_prefix(end + 4 - before);
  text_.resize(end + 4);
  if (text_.starts_with("\r\n")) text_.erase(0, 2);  // one empty line in front is allowed (RFC 9112, 2.2)
  if (auto p = parse_http_head(text_, head_)) return void(fail(p->status, std::move(p->message)));
  text_.clear();
  state_ = State::admit;
}

RequestParser::State RequestParser::admit(uint64_t body_bytes) {
  body_bytes_ = body_bytes;
  left_ = head_.length;
  part_ = head_.chunked ? Part::size_line : Part::data;
  if (left_ > body_bytes)
    return fail(413, cat("the body has ", left_, " bytes; at most ", body_bytes, " are accepted here"));
  return state_ = left_ == 0 && !head_.chunked ? State::done : State::body;
}

void RequestParser::feed_data(std::string_view& input) {
  const auto count = static_cast<size_t>(std::min<uint64_t>(left_, input.size()));
  head_.request.body += input.substr(0, count);
  input.remove_prefix(count);
  left_ -= count;
  if (left_ > 0) return;
  if (head_.chunked)
    part_ = Part::data_end;
  else
    state_ = State::done;
}

void RequestParser::feed_line(std::string_view& input) {
  const auto count = std::min(input.find('\n'), input.size() - 1) + 1;
  text_ += input.substr(0, count);
  input.remove_prefix(count);
  if (text_.size() > 1024) return void(fail(400, "a line of the chunked body is longer than 1024 bytes"));
  if (text_.back() != '\n') return;
  if (text_.size() < 2 || text_[text_.size() - 2] != '\r')
    return void(fail(400, "a line of the chunked body ends without a carriage return"));
  text_.resize(text_.size() - 2);
  line_complete();
  text_.clear();
}

void RequestParser::line_complete() {
  if (part_ == Part::size_line) return chunk_size(text_);
  if (part_ == Part::data_end) {
    if (!text_.empty()) return void(fail(400, "a chunk of the body is longer than its size says"));
    part_ = Part::size_line;
    return;
  }
  if (text_.empty()) return void(state_ = State::done);
  HttpHeaders trailer;  // checked and dropped (RFC 9112, 7.1.2)
  if (auto p = parse_field(text_, trailer)) return void(fail(p->status, std::move(p->message)));
  if ((trailer_bytes_ += text_.size()) > header_bytes_) fail(431, "the trailers of the chunked body are too large");
}

void RequestParser::chunk_size(std::string_view line) {
  uint64_t size = 0;
  const auto [at, error] = std::from_chars(line.data(), line.data() + line.size(), size, 16);
  const std::string_view rest(at, static_cast<size_t>(line.data() + line.size() - at));
  if (line.empty() || line[0] == '-' || error == std::errc::invalid_argument || !are_extensions(rest))
    return void(fail(400, cat("the chunk size ", quote(line), " is not a hexadecimal number")));
  if (error != std::errc{} || size > body_bytes_ - head_.request.body.size())
    return void(fail(413, cat("the chunked body is larger than the ", body_bytes_, " bytes that are accepted here")));
  left_ = size;
  part_ = size == 0 ? Part::trailer : Part::data;
}

void RequestParser::next() {
  state_ = State::head;
  text_.clear();
  trailer_bytes_ = 0;
  head_ = {};
}

}  // namespace jevons
