#include "text/tokenizer.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "base/strings.h"
#include "text/byte_alphabet.h"
#include "text/tokenizer_parts.h"
#include "text/unicode.h"

namespace jevons {
namespace {

struct Hash {
  using is_transparent = void;
  size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
};
using Ids = std::unordered_map<std::string_view, int32_t, Hash, std::equal_to<>>;

}  // namespace

struct Tokenizer::Impl {
  std::string bytes;             // of all tokens, one after another
  std::vector<uint32_t> starts;  // vocab_size + 1
  std::vector<bool> special;
  Ids ids;  // by bytes
  AddedTokenMatcher raw, normalized;
  bool has_normalized = false;
  std::vector<TokenizerParts::Normal> normalizers;
  PreTokenizer pre;
  Bpe bpe;
  std::optional<int32_t> bos, pad;
  std::vector<int32_t> eos;
  bool adds_bos = false;
  int missing = 0;

  std::string_view token(size_t id) const {
    return std::string_view(bytes).substr(starts[id], starts[id + 1] - starts[id]);
  }

  // Scratch memory is lent to one encode() at a time.
  mutable std::mutex lock;
  mutable std::vector<std::unique_ptr<Bpe::Scratch>> idle;
  std::unique_ptr<Bpe::Scratch> borrow() const {
    const std::lock_guard guard(lock);
    if (idle.empty()) return std::make_unique<Bpe::Scratch>();
    auto scratch = std::move(idle.back());
    idle.pop_back();
    return scratch;
  }
  void give_back(std::unique_ptr<Bpe::Scratch> scratch) const {
    const std::lock_guard guard(lock);
    idle.push_back(std::move(scratch));
  }

  void encode_text(std::string_view text, bool specials, Bpe::Scratch& scratch, std::vector<int32_t>& out) const;
};

namespace {

std::string normalise(std::string_view text, const std::vector<TokenizerParts::Normal>& steps) {
  std::string out(text);
  for (const auto step : steps) out = step == TokenizerParts::Normal::nfc ? unicode::nfc(out) : unicode::nfd(out);
  return out;
}

// Fills the token table: added tokens are their own bytes, others what the alphabet says, or themselves outside it.
Status fill_tokens(Tokenizer::Impl& impl, const TokenizerParts& parts, std::vector<bool>& in_alphabet) {
  size_t count = parts.tokens.size();
  for (const AddedToken& t : parts.added) count = std::max(count, static_cast<size_t>(t.id) + 1);
  impl.special.assign(count, false);
  in_alphabet.assign(count, false);
  std::vector<const AddedToken*> added(count);
  for (const AddedToken& t : parts.added) {
    if (added[t.id]) return Error(Code::invalid, cat("added_tokens: the id ", t.id, " appears twice"));
    added[t.id] = &t;
    impl.special[t.id] = t.special;
  }
  impl.starts.reserve(count + 1);
  impl.starts.push_back(0);
  for (size_t id = 0; id < count; ++id) {
    if (id < parts.tokens.size() && !parts.tokens[id].empty())
      in_alphabet[id] = append_bytes(impl.bytes, parts.tokens[id]);
    if (added[id]) {
      impl.bytes.resize(impl.starts.back());
      impl.bytes += added[id]->content;
    } else if (id < parts.tokens.size() && !in_alphabet[id]) {
      impl.bytes += parts.tokens[id];
    }
    impl.starts.push_back(static_cast<uint32_t>(impl.bytes.size()));
  }
  for (const bool want : {true, false})
    for (size_t id = 0; id < count; ++id)
      if ((added[id] != nullptr) == want && !impl.token(id).empty())
        impl.ids.emplace(impl.token(id), static_cast<int32_t>(id));
  return {};
}

Result<std::vector<Bpe::Merge>> resolve(const TokenizerParts& parts, const Ids& ids) {
  std::vector<Bpe::Merge> out;
  out.reserve(parts.merges.size());
  std::string joined;
  for (const auto& [left, right] : parts.merges) {
    joined = left + right;
    int32_t found[3];
    size_t n = 0;
    for (const std::string_view text : {std::string_view(left), std::string_view(right), std::string_view(joined)}) {
      const auto it = ids.find(text);
      if (it == ids.end())
        return Error(Code::invalid, cat("merges: entry ", out.size(), " (", quote(left), " ", quote(right),
                                        ") needs the token ", quote(text), ", which the vocabulary does not have"));
      found[n++] = it->second;
    }
    out.push_back({found[0], found[1], found[2]});
  }
  return out;
}

Status fill_bpe(Tokenizer::Impl& impl, const TokenizerParts& parts, const std::vector<bool>& in_alphabet) {
  Ids ids;
  ids.reserve(parts.tokens.size());
  for (size_t id = 0; id < parts.tokens.size(); ++id)
    if (!parts.tokens[id].empty() && !ids.emplace(parts.tokens[id], static_cast<int32_t>(id)).second)
      return Error(Code::invalid, cat("vocab: the token ", quote(parts.tokens[id]), " appears twice"));
  JEVONS_TRY(const std::vector<Bpe::Merge> merges, resolve(parts, ids));
  int32_t unk = -1;
  if (parts.unk) {
    const auto found = ids.find(*parts.unk);
    if (found == ids.end())
      return Error(Code::invalid, cat("unk_token: ", quote(*parts.unk), " is not in the vocabulary"));
    unk = found->second;
  }
  std::array<int32_t, 256> bytes;
  for (int b = 0; b < 256; ++b) {
    const char byte = static_cast<char>(b);
    std::string letter;
    append_letters(letter, std::string_view(&byte, 1));
    const auto found = ids.find(letter);
    bytes[b] = found == ids.end() ? unk : found->second;
    impl.missing += found == ids.end();
  }
  std::vector<std::string_view> words;
  if (parts.ignore_merges) {
    words.resize(parts.tokens.size());
    for (size_t id = 0; id < words.size(); ++id)
      if (in_alphabet[id] && !impl.special[id]) words[id] = impl.token(id);
  }
  impl.bpe = Bpe(merges, bytes, words);
  return {};
}

}  // namespace

Result<Tokenizer> assemble(TokenizerParts parts) {
  auto impl = std::make_shared<Tokenizer::Impl>();
  std::vector<bool> in_alphabet;
  JEVONS_TRY_STATUS(fill_tokens(*impl, parts, in_alphabet));
  JEVONS_TRY_STATUS(fill_bpe(*impl, parts, in_alphabet));
  std::vector<AddedToken> raw, normalized;
  for (AddedToken& t : parts.added) {
    if (t.normalized) t.content = normalise(t.content, parts.normalizers);
    (t.normalized ? normalized : raw).push_back(std::move(t));
  }
  impl->has_normalized = !normalized.empty();
  impl->raw = AddedTokenMatcher(std::move(raw));
  impl->normalized = AddedTokenMatcher(std::move(normalized));
  impl->normalizers = std::move(parts.normalizers);
  impl->pre = std::move(parts.pre);
  impl->bos = parts.bos, impl->pad = parts.pad;
  std::sort(parts.eos.begin(), parts.eos.end());
  parts.eos.erase(std::unique(parts.eos.begin(), parts.eos.end()), parts.eos.end());
  impl->eos = std::move(parts.eos);
  impl->adds_bos = parts.adds_bos;
  const auto count = static_cast<int32_t>(impl->special.size());
  for (const auto& id : {impl->bos, impl->pad})
    if (id && (*id < 0 || *id >= count))
      return Error(Code::invalid, cat("the bos or pad token id ", *id, " lies outside the vocabulary of ", count));
  for (const int32_t id : impl->eos)
    if (id < 0 || id >= count)
      return Error(Code::invalid, cat("the eos token id ", id, " lies outside the vocabulary of ", count));
  return Tokenizer(std::move(impl));
}

Tokenizer Tokenizer::without_text(int32_t vocab_size) {
  TokenizerParts parts;
  parts.tokens.resize(static_cast<size_t>(vocab_size));
  return assemble(std::move(parts)).value();
}

void Tokenizer::Impl::encode_text(std::string_view text, bool specials, Bpe::Scratch& scratch,
                                  std::vector<int32_t>& out) const {
  std::string changed;
  if (!normalizers.empty()) text = changed = normalise(text, normalizers);
  const auto words = [&](std::string_view part) {
    pre.each_word(part, [&](std::string_view word) { bpe.encode(word, scratch, out); });
  };
  if (!has_normalized) return words(text);
  normalized.split(text, specials, words, [&](int32_t id) { out.push_back(id); });
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  std::vector<int32_t> out;
  out.reserve(text.size() / 3 + 8);
  if (options.add_bos && impl_->bos) out.push_back(*impl_->bos);
  auto scratch = impl_->borrow();
  impl_->raw.split(
      text, options.parse_special,
      [&](std::string_view part) { impl_->encode_text(part, options.parse_special, *scratch, out); },
      [&](int32_t id) { out.push_back(id); });
  impl_->give_back(std::move(scratch));
  return out;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string out;
  for (const int32_t id : ids)
    if (const std::string_view bytes = token_bytes(id); !(skip_special && is_special(id))) out += bytes;
  return out;
}

std::string_view Tokenizer::token_bytes(int32_t id) const {
  if (id < 0 || id >= vocab_size())
    throw Error(Code::invalid, cat("token id ", id, " lies outside the vocabulary of ", vocab_size()));
  return impl_->token(static_cast<size_t>(id));
}

bool Tokenizer::is_special(int32_t id) const { return id >= 0 && id < vocab_size() && impl_->special[id]; }

std::optional<int32_t> Tokenizer::find(std::string_view bytes) const {
  const auto found = impl_->ids.find(bytes);
  return found == impl_->ids.end() ? std::nullopt : std::optional(found->second);
}

int32_t Tokenizer::vocab_size() const { return static_cast<int32_t>(impl_->special.size()); }
std::optional<int32_t> Tokenizer::bos() const { return impl_->bos; }
std::optional<int32_t> Tokenizer::pad() const { return impl_->pad; }
const std::vector<int32_t>& Tokenizer::eos() const { return impl_->eos; }
bool Tokenizer::adds_bos() const { return impl_->adds_bos; }
int Tokenizer::missing_bytes() const { return impl_->missing; }

std::string StreamDecoder::push(int32_t id) {
  const std::string_view bytes = tokenizer_.token_bytes(id);
  if (skip_special_ && tokenizer_.is_special(id)) return {};
  held_ += bytes;
  // Only the last character may still grow: find a lead byte in the last three whose sequence is cut off.
  size_t whole = held_.size();
  for (size_t back = 1; back <= 3 && back <= held_.size(); ++back) {
    const char* p = held_.data() + held_.size() - back;
    const auto lead = static_cast<unsigned char>(*p);
    if (lead < 0x80) break;
    if (lead < 0xc2) continue;
    const uint32_t need = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 1;
    const unicode::Char c = unicode::decode(p, held_.data() + held_.size());
    if (!c.valid && need > back && c.length == back) whole = held_.size() - back;
    break;
  }
  std::string out = held_.substr(0, whole);
  held_.erase(0, whole);
  return out;
}

std::string StreamDecoder::flush() { return std::exchange(held_, {}); }

}  // namespace jevons
