#include "cli/store.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "cli/store_testing.h"

namespace jevons {
namespace {
namespace fs = std::filesystem;

TEST(Store, FollowsTheEnvironment) {
  const TemporaryStore store;
  EXPECT_EQ(store_root(), store.root);
  ::unsetenv("JEVONS_HOME");
  ::setenv("XDG_DATA_HOME", "/somewhere", 1);
  EXPECT_EQ(store_root(), "/somewhere/jevons");
  ::unsetenv("XDG_DATA_HOME");
  ::setenv("HOME", "/home/a", 1);
  EXPECT_EQ(store_root(), "/home/a/.local/share/jevons");
  ::unsetenv("HOME");
  EXPECT_THROW(store_root(), Error);
}

TEST(Store, ListsWhatIsAModel) {
  const TemporaryStore store;
  EXPECT_TRUE(stored_models().empty());
  store.file("models/b/model-00002-of-00002.gguf", "22");
  store.file("models/b/model-00001-of-00002.gguf", "1");
  store.file("models/a/config.json", "{}");
  store.file("models/junk/readme.txt", "not a model");
  const auto models = stored_models();
  ASSERT_EQ(models.size(), 2u);
  EXPECT_EQ(models[0].name, "a");
  EXPECT_EQ(models[0].path, store.root / "models/a");
  EXPECT_EQ(models[0].format, "safetensors");
  EXPECT_EQ(models[1].path, store.root / "models/b/model-00001-of-00002.gguf");
  EXPECT_EQ(models[1].bytes, 3u);
}

TEST(Store, ResolvesNamesAndPaths) {
  const TemporaryStore store;
  EXPECT_NE(resolve_model("").error().message().find("the default model is not here"), std::string::npos);
  store.file("models/tiny-llama/m.gguf", "x");
  store.file("elsewhere/config.json", "{}");
  store.file("elsewhere/file.gguf", "x");
  store.file("empty/readme", "x");
  EXPECT_EQ(*resolve_model("tiny-llama"), store.root / "models/tiny-llama/m.gguf");
  EXPECT_EQ(*resolve_model((store.root / "elsewhere/file.gguf").string()), store.root / "elsewhere/file.gguf");
  EXPECT_EQ(resolve_model("tiny-lama").error().message(), "no model \"tiny-lama\" in " +
                                                              (store.root / "models").string() +
                                                              "; did you mean tiny-llama? In the store: tiny-llama.");
  EXPECT_NE(resolve_model((store.root / "empty").string()).error().message().find("is no model"), std::string::npos);
  EXPECT_NE(resolve_model("./nowhere.gguf").error().message().find("no such file"), std::string::npos);
}

}  // namespace
}  // namespace jevons
