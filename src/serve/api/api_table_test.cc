// docs/api-table.md is made from the routes themselves. To renew it: JEVONS_WRITE_DOCS=1 serve_test.
#include <cstdlib>

#include "base/file.h"
#include "serve/api/api_testing.h"

namespace jevons {
namespace {

TEST_F(ApiTest, TheTableInTheDocsIsCurrent) {
  const std::filesystem::path file = std::filesystem::path(JEVONS_SOURCE_DIR) / "docs/api-table.md";
  const std::string text =
      "<!-- Made by serve_test from the routes; JEVONS_WRITE_DOCS=1 build/release/serve_test renews it. -->\n\n"
      "# Routes and parameters\n\nWhat is not listed is named in the reply's `warnings`.\n\n" +
      api_table(*router_);
  if (std::getenv("JEVONS_WRITE_DOCS")) std::ofstream(file) << text;
  EXPECT_EQ(read_file(file).value(), text);
}

TEST_F(ApiTest, OpenApiDescribesEveryRoute) {
  const Json spec = call("GET", "/openapi.json").json;
  for (const Route& route : router_->routes()) EXPECT_TRUE(spec.at("paths").find(route.path)) << route.path;
  EXPECT_TRUE(spec.at("paths").at("/v1/messages").at("post").find("requestBody"));
}

}  // namespace
}  // namespace jevons
