#include "text/grammar/schema_formats.h"

#include "base/strings.h"

namespace jevons::grammar {
namespace {

// RFC 3339 without leap seconds.
const char kTime[] = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";

std::string date() {
  const std::string leap = "([0-9][0-9](0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)";
  return cat(
      "([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|"
      "02-(0[1-9]|1[0-9]|2[0-8]))|",
      leap, "-02-29)");
}

std::string ipv4() {
  const std::string byte = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
  return cat("(", byte, "\\.){3}", byte);
}

std::string ipv6() {  // RFC 4291
  const std::string h = "[0-9A-Fa-f]{1,4}";
  const std::string tail = cat("(", h, ":", h, "|", ipv4(), ")");
  std::string out = cat("((", h, ":){6}", tail, "|::(", h, ":){5}", tail);
  for (int before = 1; before <= 5; ++before)  // at most `before` groups, ::, then exactly 5 - before and the tail
    out +=
        cat("|(", before > 1 ? cat("(", h, ":){0,", before - 1, "}") : "", h, ")?::(", h, ":){", 5 - before, "}", tail);
  return cat(out, "|((", h, ":){0,5}", h, ")?::", h, "|((", h, ":){0,6}", h, ")?::)");
}

}  // namespace

std::string format_pattern(std::string_view format) {
  const std::string label = "[0-9A-Za-z]([0-9A-Za-z-]{0,61}[0-9A-Za-z])?";
  const std::string atom = "[0-9A-Za-z!#$%&'*+/=?^_`{|}~-]+";
  if (format == "date") return date();
  if (format == "time") return kTime;
  if (format == "date-time") return cat(date(), "[Tt]", kTime);
  if (format == "duration")
    return "P([0-9]+W|([0-9]+Y([0-9]+M([0-9]+D)?)?|[0-9]+M([0-9]+D)?|[0-9]+D)(T([0-9]+H([0-9]+M([0-9]+S)?)?|"
           "[0-9]+M([0-9]+S)?|[0-9]+S))?|T([0-9]+H([0-9]+M([0-9]+S)?)?|[0-9]+M([0-9]+S)?|[0-9]+S))";
  if (format == "email")
    return cat("(", atom, "(\\.", atom, ")*|\"([ !#-\\[\\]-~]|\\\\[ -~])*\")@(", label, "(\\.", label, ")*|\\[(",
               ipv4(), "|IPv6:(", ipv6(), "))\\])");
  if (format == "hostname") return cat(label, "(\\.", label, "){0,3}");
  if (format == "ipv4") return ipv4();
  if (format == "ipv6") return ipv6();
  if (format == "uuid") return "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}";
  if (format == "uri")  // RFC 3986: scheme, then authority or path
    return "[A-Za-z][0-9A-Za-z+.-]*:(//(([0-9A-Za-z._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?"
           "(([0-9A-Za-z._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+|\\[(" +
           ipv6() +
           ")\\])(:[0-9]{1,4})?(/([0-9A-Za-z._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)*|"
           "(/?([0-9A-Za-z._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+(/([0-9A-Za-z._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)*))"
           "(\\?([0-9A-Za-z._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?(#([0-9A-Za-z._~!$&'()*+,;=:@/"
           "?-]|%[0-9A-Fa-f]{2})*)?";
  return {};
}

}  // namespace jevons::grammar
