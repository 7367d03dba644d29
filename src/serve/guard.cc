#include "serve/guard.h"

#include <arpa/inet.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/sha256.h"
#include "base/strings.h"
#include "serve/api/error.h"

namespace jevons {
namespace {

constexpr std::string_view kCookie = "jevons_session";

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

HttpVerdict refuse(int status, std::string message, std::string code) {
  HttpHeaders headers{{"content-type", "application/json"}};
  if (status == 401) headers.emplace_back("www-authenticate", "Bearer");
  return {.status = status,
          .headers = std::move(headers),
          .body = ApiError(status, std::move(message), std::move(code)).json().dump()};
}

std::string_view without_brackets(std::string_view host) {
  return host.size() > 2 && host.front() == '[' && host.back() == ']' ? host.substr(1, host.size() - 2) : host;
}

bool is_address(std::string_view host) {
  std::array<unsigned char, 16> bytes;
  const std::string text(without_brackets(host));
  const int family = text.size() == host.size() ? AF_INET : AF_INET6;
  return inet_pton(family, text.c_str(), bytes.data()) == 1;
}

// "NAME:PORT" or "[V6]:PORT" in two; the port is 80 if it is not there, -1 if it is no number.
std::pair<std::string, int> split_host(std::string_view host) {
  const auto colon = host.rfind(':');
  if (colon == std::string_view::npos || (host.back() == ']' && host.front() == '[')) return {lower(host), 80};
  int port = -1;
  const auto digits = host.substr(colon + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size() || port < 0) port = -1;
  return {lower(host.substr(0, colon)), port};
}

std::optional<std::string_view> cookie(const HttpRequest& request) {
  const auto* all = request.header("cookie");
  if (!all) return std::nullopt;
  for (std::string_view rest = *all; !rest.empty();) {
    auto item = rest.substr(0, rest.find(';'));
    rest.remove_prefix(std::min(item.size() + 1, rest.size()));
    item.remove_prefix(std::min(item.find_first_not_of(' '), item.size()));
    if (item.substr(0, kCookie.size()) == kCookie && item.substr(kCookie.size(), 1) == "=")
      return item.substr(kCookie.size() + 1);
  }
  return std::nullopt;
}

// Did another site's page cause this? Programs that are no browsers send neither header.
bool from_other_site(const HttpRequest& request, const std::string& host, bool open) {
  const auto* origin = request.header("origin");
  if (origin && lower(*origin) != "http://" + lower(host) && lower(*origin) != "https://" + lower(host)) return true;
  const auto* site = request.header("sec-fetch-site");
  if (!site || *site == "same-origin" || *site == "none") return false;
  const auto is = [&](std::string_view name, std::string_view value) {
    const auto* header = request.header(name);
    return header && *header == value;
  };
  const bool link = request.method == "GET" && is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document");
  return !(open && link);
}

}  // namespace

Result<Guard> Guard::make(GuardOptions options) {
  if (!is_loopback(options.host) && options.api_key.empty())
    return Error(Code::usage, cat("others could reach the server on ", options.host,
                                  ", so it needs a key there; give one (--api-key), or listen on 127.0.0.1"));
  if (!options.api_key.empty() && options.api_key.size() < 16)
    return Error(Code::usage, cat("the API key has ", options.api_key.size(), " characters; take 16 or more"));
  for (auto& name : options.allowed_hosts) name = lower(name);
  return Guard(std::move(options));
}

bool Guard::host_is_ours(std::string_view host, int port) const {
  const auto [name, its_port] = split_host(host);
  const auto& more = options_.allowed_hosts;
  if (its_port < 0) return false;
  if (std::find(more.begin(), more.end(), name) != more.end()) return true;
  if (its_port != port) return false;
  if (name == "localhost" || name == "127.0.0.1" || name == "[::1]") return true;
  if (without_brackets(name) == lower(options_.host)) return true;
  return !is_loopback(options_.host) && is_address(name);  // an address cannot be rebound; a name can
}

std::string Guard::cookie_value() const {
  Sha256 hash;
  hash.update("jevons session ");
  hash.update(options_.api_key);
  return hash.hex();
}

std::string Guard::set_cookie() const {
  if (options_.api_key.empty()) return {};
  return cat(kCookie, "=", cookie_value(), "; Path=/; HttpOnly; SameSite=Strict");
}

bool Guard::has_key(const HttpRequest& request) const {
  if (const auto* header = request.header("authorization")) {
    constexpr std::string_view kScheme = "bearer ";
    if (lower(std::string_view(*header).substr(0, kScheme.size())) == kScheme)
      return same_secret(std::string_view(*header).substr(kScheme.size()), options_.api_key);
  }
  if (const auto* header = request.header("x-api-key")) return same_secret(*header, options_.api_key);
  const auto session = cookie(request);
  return session && same_secret(*session, cookie_value());
}

HttpVerdict Guard::check(const HttpRequest& request, int port) const {
  const auto* host = request.header("host");
  if (!host || !host_is_ours(*host, port))
    return refuse(403,
                  cat("this server is not ", host ? quote(*host) : "without a name", "; ask for localhost:", port,
                      ", or allow the name with --allow-host"),
                  "host_not_allowed");
  const bool open = options_.open(request);
  if (from_other_site(request, *host, open))
    return refuse(403, "a page of another site may not use this server", "cross_site_request");
  if (!options_.api_key.empty() && !open && !has_key(request))
    return refuse(401, "the API key is missing or wrong; send it as 'Authorization: Bearer KEY' or 'x-api-key: KEY'",
                  "invalid_api_key");
  return {};
}

bool is_loopback(std::string_view host) {
  if (host == "localhost" || without_brackets(host) == "::1") return true;
  in_addr address{};
  return inet_pton(AF_INET, std::string(host).c_str(), &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
}

// Digests are compared, so neither the length nor the first difference of the secrets shows in the time.
bool same_secret(std::string_view a, std::string_view b) {
  Sha256 of_a, of_b;
  of_a.update(a);
  of_b.update(b);
  const auto x = of_a.hex(), y = of_b.hex();
  unsigned difference = 0;
  for (size_t i = 0; i < x.size(); ++i) difference |= static_cast<unsigned>(x[i] ^ y[i]);
  return difference == 0;
}

std::string generate_key() {
  std::array<unsigned char, 24> bytes;
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    throw Error(Code::io, "the system gives no random numbers (getrandom), so no key can be made");
  std::string out = "jv-";
  for (const auto byte : bytes) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

HttpHeaders security_headers() {
  return {{"x-content-type-options", "nosniff"},
          {"cross-origin-resource-policy", "same-origin"},
          {"referrer-policy", "no-referrer"}};
}

HttpHeaders page_headers() {
  return {{"content-security-policy",
           "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
           "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
          {"cross-origin-opener-policy", "same-origin"},
          {"x-frame-options", "DENY"}};
}

}  // namespace jevons
