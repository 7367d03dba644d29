// Fuzz target: bodies of all APIs. The first byte says of which, and whether wrong values are 400 or 422. Whatever
// comes is read or refused with a sentence and a status of 400 to 499; what is refused can be sent as JSON.
#include <cstdint>
#include <string_view>

#include "serve/api/routes.h"

namespace {

using namespace jevons;

void check(const ApiError& error) {
  JEVONS_CHECK(error.status >= 400 && error.status < 500, error.message);
  JEVONS_CHECK(!error.message.empty(), "a refusal without a word");
  JEVONS_CHECK(Json::parse(error.json().dump()).ok(), error.message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  HttpRequest request;
  request.body.assign(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    const Json body = json_body(request);
    Fields fields(body, data[0] & 0x80 ? 422 : 400);
    api_bodies()[(data[0] & 0x7f) % api_bodies().size()].read(fields);
  } catch (const ApiError& error) {
    check(error);
  } catch (const Error& error) {
    check(api_error(error));
  }
  return 0;
}
