#include "train/keep.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <vector>

#include "base/strings.h"

namespace jevons {
namespace {

namespace fs = std::filesystem;

// Links every plain file of `from` into the folder `to`, which appears whole: it is made beside and renamed.
void link_files(const fs::path& from, const fs::path& to, bool with_state) {
  const fs::path partial = to.string() + ".partial";
  fs::remove_all(partial);
  fs::create_directories(partial);
  const auto link = [](const fs::path& file, const fs::path& name) {
    std::error_code failed;
    fs::create_hard_link(file, name, failed);
    if (failed) fs::copy_file(file, name);
  };
  for (const char* name : {"model.safetensors", "config.json", "generation_config.json", "tokenizer.json",
                           "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "train.json"})
    if (fs::exists(from / name)) link(from / name, partial / name);
  if (with_state) {
    fs::create_directories(partial / "training_state");
    link(from / "training_state/model.safetensors", partial / "training_state/model.safetensors");
  }
  fs::remove_all(to);
  fs::rename(partial, to);
}

Status guarded(const auto& body) {
  try {
    body();
    return {};
  } catch (const fs::filesystem_error& e) {
    return Error(Code::io, cat(e.path1().string(), ": ", e.code().message()));
  }
}

}  // namespace

Status keep_state(const fs::path& out, int64_t done, int64_t keep) {
  return guarded([&] {
    const fs::path folder = out / "checkpoints";
    link_files(out, folder / cat("step-", done), true);
    std::vector<std::pair<int64_t, fs::path>> all;
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      int64_t step = 0;
      if (!name.starts_with("step-")) continue;
      const auto [end, failed] = std::from_chars(name.data() + 5, name.data() + name.size(), step);
      if (failed == std::errc() && end == name.data() + name.size()) all.emplace_back(step, entry.path());
    }
    std::sort(all.begin(), all.end());
    for (size_t i = 0; i + static_cast<size_t>(keep) < all.size(); ++i) fs::remove_all(all[i].second);
  });
}

Status keep_best(const fs::path& out) {
  return guarded([&] { link_files(out, out / "best", false); });
}

}  // namespace jevons
