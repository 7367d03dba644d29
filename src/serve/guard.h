// Who may ask the server anything: pure functions over the head of a request, before its body is read.
//
// A web page that the user visits can make the browser send requests to 127.0.0.1. Three things keep it out: the Host
// header must be a name of this server (DNS rebinding), Origin and Sec-Fetch-Site must not be another site's (forged
// requests), and no CORS header is ever sent (reading replies). On other addresses than loopback a key is needed, too.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/http.h"

namespace jevons {

struct GuardOptions {
  std::string host = "127.0.0.1";  // as given to listen()
  std::vector<std::string>
      allowed_hosts{};    // more names under which clients reach it, with any port (a proxy's, a LAN name)
  std::string api_key{};  // empty: none needed; only on loopback
  // What may be fetched without the key and followed to from other sites: the page and its assets, health.
  std::function<bool(const HttpRequest&)> open = [](const HttpRequest&) { return false; };
};

class Guard {
 public:
  // Error: an address that others can reach, without a key; a key with fewer than 16 characters.
  static Result<Guard> make(GuardOptions options);

  // For HttpOptions::admit. status 0: welcome. `port` is the one the server listens on.
  HttpVerdict check(const HttpRequest& request, int port) const;

  // The cookie that stands for the key in a browser: the page sends the key once (from the URL's fragment, as a Bearer
  // token) and gets this as the set-cookie of the reply. HttpOnly, SameSite=Strict. Empty without a key.
  std::string set_cookie() const;

 private:
  explicit Guard(GuardOptions options) : options_(std::move(options)) {}
  bool host_is_ours(std::string_view host, int port) const;
  bool has_key(const HttpRequest& request) const;
  std::string cookie_value() const;
  GuardOptions options_;
};

bool is_loopback(std::string_view host);  // 127.0.0.0/8, ::1, localhost
// The same text? In time that depends on the lengths only.
bool same_secret(std::string_view a, std::string_view b);
// "jv-" and 48 random hexadecimal digits of the system's generator.
std::string generate_key();

// Of every reply (HttpOptions::headers): no guessing of content types, no use by other sites, no referrer.
HttpHeaders security_headers();
// Of the page besides: only its own scripts, styles and connections; in nobody's frame.
HttpHeaders page_headers();

}  // namespace jevons
