// A store in a temporary folder, for tests: JEVONS_HOME points there while it lives.
#pragma once
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace jevons {

class TemporaryStore {
 public:
  TemporaryStore() {
    std::string pattern = (std::filesystem::temp_directory_path() / "jevons-store-XXXXXX").string();
    root = ::mkdtemp(pattern.data());
    for (const char* name : {"JEVONS_HOME", "XDG_DATA_HOME", "HOME"}) {
      if (const char* value = std::getenv(name)) before_[name] = value;
    }
    ::setenv("JEVONS_HOME", root.c_str(), 1);
  }
  ~TemporaryStore() {
    for (const char* name : {"JEVONS_HOME", "XDG_DATA_HOME", "HOME"}) ::unsetenv(name);
    for (const auto& [name, value] : before_) ::setenv(name.c_str(), value.c_str(), 1);
    std::filesystem::remove_all(root);
  }
  TemporaryStore(const TemporaryStore&) = delete;
  TemporaryStore& operator=(const TemporaryStore&) = delete;

  std::filesystem::path file(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = root / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  std::filesystem::path root;

 private:
  std::map<std::string, std::string> before_;
};

}  // namespace jevons
