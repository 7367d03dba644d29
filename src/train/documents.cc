#include "train/documents.h"

#include "base/json.h"
#include "base/strings.h"
#include "formats/byte_stream.h"
#include "text/unicode.h"

namespace jevons {
namespace {

constexpr size_t kMaxDocument = size_t{256} << 20;

// Lines of a stream, their end included.
class Lines {
 public:
  Lines(ByteStream& stream, const std::filesystem::path& file) : stream_(stream), file_(file.string()) {}
  int64_t number() const { return number_; }
  std::string where() const { return cat(file_, " line ", number_); }
  // False: there are no more.
  Result<bool> next(std::string& line) {
    line.clear();
    for (;;) {
      const size_t end = buffer_.find('\n', at_);
      if (end != std::string::npos || (last_ && at_ < buffer_.size())) {
        const size_t stop = end == std::string::npos ? buffer_.size() : end + 1;
        line.append(buffer_, at_, stop - at_);
        at_ = stop, ++number_;
        return true;
      }
      if (last_) return false;
      line.append(buffer_, at_, buffer_.size() - at_);
      if (line.size() > kMaxDocument) return Error(Code::too_large, cat(file_, " line ", number_ + 1, ": too long"));
      buffer_.resize(kRead), at_ = 0;
      JEVONS_TRY(const size_t count, stream_.read(buffer_.data(), kRead));
      buffer_.resize(count);
      if (count > 0) continue;
      last_ = true;
      if (!line.empty()) return ++number_, true;
    }
  }

 private:
  static constexpr size_t kRead = size_t{1} << 18;
  ByteStream& stream_;
  std::string file_, buffer_;
  size_t at_ = 0;
  int64_t number_ = 0;
  bool last_ = false;
};

// ".txt" of "a.txt" and of "a.txt.zst".
std::string bare_extension(std::filesystem::path file) {
  if (file.extension() == ".zst") file.replace_extension();
  return file.extension().string();
}

Status check_utf8(const std::string& line, const Lines& lines) {
  if (unicode::is_valid(line)) return {};
  return Error(Code::invalid, cat(lines.where(), ": is not UTF-8 text: ", quote(line, 40),
                                  "; convert the file (iconv -f latin1 -t utf8) or leave it out"));
}

Status read_text(Lines& lines, const DocumentRules& rules, const std::function<Status(std::string&&)>& each) {
  std::string line, document;
  const auto give = [&]() -> Status {
    while (document.ends_with('\n')) document.pop_back();
    if (document.empty()) return {};
    JEVONS_TRY_STATUS(each(std::move(document)));
    document.clear();
    return {};
  };
  for (;;) {
    JEVONS_TRY(const bool more, lines.next(line));
    if (!more) return give();
    JEVONS_TRY_STATUS(check_utf8(line, lines));
    std::string_view bare = line;
    while (bare.ends_with('\n') || bare.ends_with('\r')) bare.remove_suffix(1);
    if (!rules.end.empty() && bare == rules.end) {
      JEVONS_TRY_STATUS(give());
      continue;
    }
    document += line;
    if (document.size() > kMaxDocument)
      return Error(Code::too_large, cat(lines.where(), ": the document is longer than ", kMaxDocument,
                                        " bytes; separate documents with lines ", quote(rules.end)));
  }
}

Status read_objects(Lines& lines, const DocumentRules& rules, const std::function<Status(std::string&&)>& each) {
  std::string line;
  for (;;) {
    JEVONS_TRY(const bool more, lines.next(line));
    if (!more) return {};
    if (line.find_first_not_of(" \t\r\n") == std::string::npos) continue;
    Result<Json> json = Json::parse(line);
    if (!json.ok()) return json.error().within(lines.where());
    const Json* text = json->is_object() ? json->find(rules.field) : nullptr;
    if (!text || !text->is_string())
      return Error(Code::invalid,
                   cat(lines.where(), ": expected an object with the text ", quote(rules.field), ", found ",
                       json->is_object() ? "one without it" : json->type_name(), "; data.text_field names the field"));
    if (!text->as_string().empty()) JEVONS_TRY_STATUS(each(std::string(text->as_string())));
  }
}

}  // namespace

Status check_data_file(const std::filesystem::path& file) {
  const std::string kind = bare_extension(file);
  if (kind != ".txt" && kind != ".md" && kind != ".jsonl" && file.extension() != ".u32")
    return Error(Code::invalid,
                 cat(file.string(), ": expected a name that ends with .txt, .md, .jsonl (each also with ",
                     ".zst) or .u32 (token ids); rename it to what it holds"));
  JEVONS_TRY([[maybe_unused]] auto mapped, MappedFile::open(file));
  return {};
}

Status for_each_document(const std::filesystem::path& file, const DocumentRules& rules,
                         const std::function<Status(std::string&&)>& each) {
  JEVONS_TRY_STATUS(check_data_file(file));
  JEVONS_TRY(ByteStream stream, ByteStream::open(file));
  Lines lines(stream, file);
  return bare_extension(file) == ".jsonl" ? read_objects(lines, rules, each) : read_text(lines, rules, each);
}

}  // namespace jevons
