#include "text/text_files.h"

#include <algorithm>

#include "base/json.h"
#include "base/strings.h"
#include "text/unicode.h"

namespace jevons {
namespace {

bool is_jsonl(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  return name.ends_with(".jsonl") || name.ends_with(".jsonl.zst");
}

// Where the part of `bytes` ends that can stand alone; 0 if there is no such place.
size_t last_cut(std::string_view bytes, bool jsonl) {
  for (size_t at = bytes.size(); at-- > 1;)
    if (bytes[at - 1] == '\n' && (jsonl || (bytes[at] > ' ' && bytes[at] < 127))) return at;
  return 0;
}

Result<std::string> text_of_line(std::string_view line) {
  JEVONS_TRY(Json json, Json::parse(line));
  if (!json.is_object()) return Error(Code::invalid, cat("expected an object with \"text\", found ", json.type_name()));
  const Json* text = json.find("text");
  if (!text || !text->is_string())
    return Error(Code::invalid, "the object has no \"text\" that is a string; one such object a line is expected");
  return text->as_string();
}

size_t first_invalid(std::string_view bytes) {
  const char *const begin = bytes.data(), *const end = begin + bytes.size();
  for (const char* p = begin; p < end;) {
    const unicode::Char c = unicode::decode(p, end);
    if (!c.valid) return static_cast<size_t>(p - begin);
    p += c.length;
  }
  return bytes.size();
}

}  // namespace

Status TextPart::each_text(const std::function<void(std::string_view)>& text) const {
  if (!jsonl) {
    if (const size_t bad = first_invalid(bytes); bad < bytes.size())
      return Error(Code::invalid, cat(file.string(), ": byte ", offset + bad, " (", quote(bytes.substr(bad, 1)),
                                      ") is not UTF-8; convert the text (iconv -t UTF-8) or leave the file out"));
    return text(bytes), Status();
  }
  uint64_t number = lines;
  for (std::string_view rest = bytes; !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const Result<std::string> found = text_of_line(line);
    if (!found.ok()) return found.error().within(cat(file.string(), " line ", number));
    text(*found);
  }
  return {};
}

Result<TextFiles> TextFiles::open(const std::vector<std::string>& paths) {
  TextFiles out;
  for (const std::string& path : paths) {
    JEVONS_TRY(const ByteStream stream, ByteStream::open(path));
    out.paths_.emplace_back(path);
    out.total_ += stream.file_size();
  }
  return out;
}

// Reads until part_ has `size` bytes; false: the file ends before that.
Result<bool> TextFiles::fill(size_t size) {
  std::string& bytes = part_.bytes;
  for (size_t have = bytes.size(); have < size;) {
    bytes.resize(size);
    const Result<size_t> got = stream_->read(bytes.data() + have, size - have);
    bytes.resize(have += got.ok() ? *got : 0);
    if (!got.ok()) return got.error();
    if (*got == 0) return false;
  }
  return true;
}

// The first `size` bytes of part_ as a part of their own.
TextPart TextFiles::take(size_t size) {
  TextPart out = part_;
  out.bytes.resize(size);
  part_.bytes.erase(0, size);
  part_.offset += size;
  part_.lines += static_cast<uint64_t>(std::ranges::count(out.bytes, '\n'));
  return out;
}

Result<std::optional<TextPart>> TextFiles::next() {
  for (size_t size = kPart;;) {
    if (!stream_) {
      if (file_ == paths_.size()) return std::optional<TextPart>();
      part_ = {{}, paths_[file_], is_jsonl(paths_[file_]), 0, 0};
      JEVONS_TRY(ByteStream stream, ByteStream::open(paths_[file_++]));
      stream_.emplace(std::move(stream));
    }
    JEVONS_TRY(const bool full, fill(size));
    if (!full) {
      done_ += stream_->file_size();
      stream_.reset();
      if (!part_.bytes.empty()) return std::optional(take(part_.bytes.size()));
    } else if (const size_t cut = last_cut(part_.bytes, part_.jsonl); cut > 0) {
      return std::optional(take(cut));
    } else if ((size *= 2) > kLongestLine) {
      return Error(Code::too_large,
                   cat(part_.file.string(), ": from byte ", part_.offset, " on there is no line end for ", size / 2,
                       " bytes; break the text into lines"));
    }
  }
}

}  // namespace jevons
