#include "train/corpus.h"

#include <optional>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/strings.h"

namespace jevons {
namespace {

constexpr size_t kBatch = size_t{4} << 20;  // bytes of text encoded at a time

class Encoder {
 public:
  Encoder(const Tokenizer& tokenizer, DocumentMarks marks, AtomicFile& out, Exec& exec)
      : tokenizer_(tokenizer), marks_(marks), out_(out), exec_(exec) {}
  CorpusSize size{};

  Status add(std::string&& document) {
    ++size.documents, size.bytes += static_cast<int64_t>(document.size());
    waiting_ += document.size();
    documents_.push_back(std::move(document));
    return waiting_ >= kBatch ? flush() : Status{};
  }

  Status flush() {
    check_interrupt();
    std::vector<std::vector<int32_t>> ids(documents_.size());
    std::vector<std::optional<Error>> errors(documents_.size());
    exec_.parallel_for(static_cast<int64_t>(documents_.size()), [&](int64_t d) {
      const auto i = static_cast<size_t>(d);
      try {
        ids[i] = tokenizer_.encode(documents_[i], {.parse_special = false, .add_bos = false});
      } catch (const Error& e) {
        errors[i] = e;
      }
    });
    for (const auto& error : errors)
      if (error) return *error;
    for (const auto& document : ids) {
      JEVONS_TRY_STATUS(mark(marks_.start));
      JEVONS_TRY_STATUS(out_.write(document.data(), document.size() * 4));
      size.tokens += static_cast<int64_t>(document.size());
      JEVONS_TRY_STATUS(mark(marks_.end));
    }
    documents_.clear(), waiting_ = 0;
    return {};
  }

 private:
  Status mark(int32_t id) {
    if (id < 0) return {};
    ++size.tokens;
    return out_.write(&id, 4);
  }
  const Tokenizer& tokenizer_;
  DocumentMarks marks_;
  AtomicFile& out_;
  Exec& exec_;
  std::vector<std::string> documents_;
  size_t waiting_ = 0;
};

Status copy_ids(const std::filesystem::path& file, AtomicFile& out, CorpusSize& size) {
  JEVONS_TRY(auto mapped, MappedFile::open(file));
  const size_t bytes = mapped->bytes().size();
  if (bytes % 4)
    return Error(Code::invalid, cat(file.string(), " has ", bytes, " bytes, which is no multiple of 4: a token stream ",
                                    "holds one little-endian uint32 a token"));
  size.tokens += static_cast<int64_t>(bytes / 4);
  return out.write(mapped->bytes().data(), bytes);
}

}  // namespace

Result<DocumentMarks> document_marks(const Tokenizer& tokenizer, const std::string& wanted) {
  const auto eos = tokenizer.eos().empty() ? std::nullopt : std::optional(tokenizer.eos().front());
  if (!wanted.empty()) {
    const auto id = tokenizer.find(wanted);
    if (!id) return Error(Code::invalid, cat("the tokenizer has no token ", quote(wanted)));
    return DocumentMarks{*id, -1};
  }
  if (const auto both = tokenizer.find("<|endoftext|>")) return DocumentMarks{*both, -1};
  if (tokenizer.bos()) return DocumentMarks{*tokenizer.bos(), eos && *eos != *tokenizer.bos() ? *eos : -1};
  return DocumentMarks{eos.value_or(-1), -1};
}

Result<CorpusSize> encode_corpus(const Tokenizer& tokenizer, DocumentMarks marks, const std::vector<std::string>& files,
                                 const DocumentRules& rules, const std::filesystem::path& out, Exec& exec) {
  JEVONS_TRY(AtomicFile file, AtomicFile::create(out));
  Encoder encoder(tokenizer, marks, file, exec);
  for (const std::string& name : files) {
    if (name.ends_with(".u32")) {
      JEVONS_TRY_STATUS(encoder.flush());
      JEVONS_TRY_STATUS(copy_ids(name, file, encoder.size));
    } else {
      JEVONS_TRY_STATUS(
          for_each_document(name, rules, [&](std::string&& text) { return encoder.add(std::move(text)); }));
    }
  }
  JEVONS_TRY_STATUS(encoder.flush());
  JEVONS_TRY_STATUS(file.commit());
  return encoder.size;
}

}  // namespace jevons
