#include "cli/sse_client.h"

#include <curl/curl.h>

#include <memory>

#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/strings.h"

namespace jevons {
namespace {

// Whether a choice of a chunk brings text, of a thought or of the answer.
bool has_text(const Json& choice) {
  const Json* delta = choice.find("delta");
  for (const char* name : {"content", "reasoning_content"})
    if (const Json* text = delta ? delta->find(name) : nullptr; text && text->is_string() && !text->as_string().empty())
      return true;
  return false;
}

// One request and what its stream has said so far.
struct Stream {
  std::unique_ptr<CURL, void (*)(CURL*)> handle{curl_easy_init(), curl_easy_cleanup};
  const std::string* body = nullptr;
  double begun = 0, last = 0;
  std::string line, refused;
  int64_t events = 0;
  StreamTimes times;

  void take(std::string_view data) {
    for (const char c : data) {
      if (c != '\n') {
        line += c;
        continue;
      }
      if (line.starts_with("data: {"))
        event(std::string_view(line).substr(6));
      else if (refused.size() < 500 && !line.starts_with("data:") && !line.starts_with(":"))
        refused += line;
      line.clear();
    }
  }

  void event(std::string_view text) {
    const Result<Json> json = Json::parse(text);
    if (!json.ok()) return;
    if (const Json* usage = json->find("usage"))
      if (const Json* tokens = usage->is_object() ? usage->find("completion_tokens") : nullptr)
        times.tokens = tokens->as_int();
    const Json* choices = json->find("choices");
    if (!choices || choices->as_array().empty() || !has_text(choices->as_array()[0])) return;
    const double now = now_seconds();
    if (events++ == 0)
      times.first = now - begun;
    else
      times.gaps.push_back(now - last);
    last = now;
  }
};

size_t on_data(char* data, size_t, size_t size, void* stream) {
  static_cast<Stream*>(stream)->take({data, size});
  return size;
}

void check(const Stream& s, CURLcode code, const std::string& url) {
  long status = 0;
  curl_easy_getinfo(s.handle.get(), CURLINFO_RESPONSE_CODE, &status);
  if (code != CURLE_OK) throw Error(Code::io, cat(url, ": ", curl_easy_strerror(code), "; is the server running?"));
  if (status != 200) throw Error(Code::invalid, cat(url, ": answered ", status, ": ", s.refused, s.line));
  if (s.events == 0) throw Error(Code::invalid, cat(url, ": the stream held no text"));
}

}  // namespace

std::vector<StreamTimes> stream_all(const std::string& url, const std::string& api_key,
                                    const std::vector<std::string>& bodies) {
  std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(
      curl_slist_append(nullptr, "Content-Type: application/json"), curl_slist_free_all);
  if (!api_key.empty()) curl_slist_append(headers.get(), cat("Authorization: Bearer ", api_key).c_str());
  std::vector<Stream> streams(bodies.size());
  std::unique_ptr<CURLM, CURLMcode (*)(CURLM*)> multi(curl_multi_init(), curl_multi_cleanup);
  for (size_t i = 0; i < bodies.size(); ++i) {
    Stream& s = streams[i];
    CURL* h = s.handle.get();
    curl_easy_setopt(h, CURLOPT_URL, url.c_str());
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE, static_cast<long>(bodies[i].size()));
    curl_easy_setopt(h, CURLOPT_POSTFIELDS, bodies[i].c_str());
    curl_easy_setopt(h, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, &on_data);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, &s);
    curl_easy_setopt(h, CURLOPT_PRIVATE, &s);
    curl_multi_add_handle(multi.get(), h);
    s.begun = now_seconds();
  }
  for (int running = 1; running > 0;) {
    curl_multi_perform(multi.get(), &running);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      Stream* s = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &s);
      check(*s, message->data.result, url);
      s->times.end = now_seconds() - s->begun;
      if (s->times.tokens == 0) s->times.tokens = s->events;
    }
    check_interrupt();
    if (running > 0) curl_multi_poll(multi.get(), nullptr, 0, 100, nullptr);
  }
  std::vector<StreamTimes> out;
  for (Stream& s : streams) {
    curl_multi_remove_handle(multi.get(), s.handle.get());
    out.push_back(std::move(s.times));
  }
  return out;
}

}  // namespace jevons
