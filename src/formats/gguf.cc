#include "formats/gguf.h"

#include <algorithm>
#include <regex>

#include "base/strings.h"

namespace jevons {
namespace {

constexpr uint64_t kMaxMetadata = 1 << 20, kMaxTensors = 1 << 20, kMaxDims = 4;
constexpr uint64_t kMaxStrings = 1 << 22, kMaxNumbers = 1 << 24;  // of one array; published ones have below 2^20
constexpr std::string_view kTypeNames[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                           "bool", "string", "array", "u64", "i64", "f64"};

// Reads forward through bytes; every read is checked against the end and an error tells the offset.
class Cursor {
 public:
  explicit Cursor(Bytes bytes) : bytes_(bytes) {}
  uint64_t at() const { return at_; }
  uint64_t left() const { return bytes_.size() - at_; }

  template <class T>
  T read(const char* what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }
  Bytes take(uint64_t size, const char* what) {
    if (size > left())
      throw Error(Code::invalid, cat("byte ", at_, ": ", what, " needs ", size, " bytes, but the file has ", left(),
                                     " left; it may be truncated"));
    const Bytes out = bytes_.subspan(static_cast<size_t>(at_), static_cast<size_t>(size));
    at_ += size;
    return out;
  }
  std::string_view string(const char* what) {
    const Bytes text = take(read<uint64_t>(what), what);
    return {reinterpret_cast<const char*>(text.data()), text.size()};
  }

 private:
  Bytes bytes_;
  uint64_t at_ = 0;
};

Gguf::Type read_type(Cursor& in) {
  const uint64_t where = in.at();
  const uint32_t type = in.read<uint32_t>("a value's type");
  if (type >= std::size(kTypeNames))
    throw Error(Code::invalid, cat("byte ", where, ": unknown metadata type ", type, ", expected 0 to ",
                                   std::size(kTypeNames) - 1, "; the file is damaged"));
  return static_cast<Gguf::Type>(type);
}

Gguf::Array read_array(Cursor& in) {
  const uint64_t where = in.at();
  Gguf::Array array{read_type(in), in.read<uint64_t>("an array's length"), {}};
  if (array.type == Gguf::Type::array)
    throw Error(Code::unsupported, cat("byte ", where, ": arrays of arrays are not read"));
  if (const uint64_t limit = array.type == Gguf::Type::string ? kMaxStrings : kMaxNumbers; array.count > limit)
    throw Error(Code::invalid,
                cat("byte ", where, ": an array of ", array.count, " elements; at most ", limit, " are accepted"));
  if (array.type == Gguf::Type::string) {
    Cursor probe = in;
    if (array.count > probe.left() / 8)
      throw Error(Code::invalid, cat("byte ", where, ": an array of ", array.count, " strings cannot fit in the ",
                                     probe.left(), " bytes left"));
    for (uint64_t i = 0; i < array.count; ++i) probe.string("a string");
    array.bytes = in.take(probe.at() - in.at(), "an array");
    return array;
  }
  const uint64_t size = static_cast<uint64_t>(gguf_type_size(array.type));
  if (array.count > in.left() / size)
    throw Error(Code::invalid, cat("byte ", where, ": an array of ", array.count, " numbers cannot fit in the ",
                                   in.left(), " bytes left"));
  array.bytes = in.take(array.count * size, "an array");
  return array;
}

Gguf::Value read_value(Cursor& in, Gguf::Type type) {
  switch (type) {
    case Gguf::Type::string:
      return in.string("a string value");
    case Gguf::Type::array:
      return read_array(in);
    case Gguf::Type::boolean:
      return in.read<uint8_t>("a boolean") != 0;
    case Gguf::Type::f32:
      return static_cast<double>(in.read<float>("a number"));
    case Gguf::Type::f64:
      return in.read<double>("a number");
    case Gguf::Type::u8:
      return uint64_t{in.read<uint8_t>("a number")};
    case Gguf::Type::u16:
      return uint64_t{in.read<uint16_t>("a number")};
    case Gguf::Type::u32:
      return uint64_t{in.read<uint32_t>("a number")};
    case Gguf::Type::u64:
      return in.read<uint64_t>("a number");
    case Gguf::Type::i8:
      return int64_t{in.read<int8_t>("a number")};
    case Gguf::Type::i16:
      return int64_t{in.read<int16_t>("a number")};
    case Gguf::Type::i32:
      return int64_t{in.read<int32_t>("a number")};
    case Gguf::Type::i64:
      return in.read<int64_t>("a number");
  }
  throw Error(Code::invalid, "unknown type");
}

struct TensorFacts {
  TensorEntry entry;
  uint64_t offset = 0, bytes = 0;
};

TensorFacts read_tensor(Cursor& in) {
  TensorFacts out;
  TensorEntry& entry = out.entry;
  entry.name = std::string(in.string("a tensor's name"));
  const auto fail = [&](const std::string& why) {
    return Error(Code::invalid, cat("tensor ", quote(entry.name), " ", why));
  };
  const uint32_t dims = in.read<uint32_t>("a tensor's rank");
  if (dims < 1 || dims > kMaxDims) throw fail(cat("has ", dims, " dimensions, expected 1 to 4"));
  int64_t count = 1;
  for (uint32_t d = 0; d < dims; ++d) {
    const uint64_t size = in.read<uint64_t>("a dimension");
    if (size == 0 || size > INT64_MAX || __builtin_mul_overflow(count, static_cast<int64_t>(size), &count))
      throw fail("has an impossible shape");
    entry.shape.insert(entry.shape.begin(), static_cast<int64_t>(size));
  }
  const uint32_t type = in.read<uint32_t>("a tensor's type");
  out.offset = in.read<uint64_t>("a tensor's offset");
  entry.pack = pack_from_gguf(type);
  int64_t block = 1, unit = 0;
  if (entry.pack) {
    const PackInfo& info = pack_info(*entry.pack);
    entry.stored_type = info.name;
    block = info.block_values, unit = info.block_bytes;
  } else if (type >= 24 && type <= 27) {
    constexpr std::string_view names[] = {"i8", "i16", "i32", "i64"};
    entry.stored_type = names[type - 24];
    unit = int64_t{1} << (type - 24);
  } else {
    throw Error(Code::unsupported,
                cat("tensor ", quote(entry.name), " has ggml type ", type, ", which this program does not read"));
  }
  if (entry.shape.back() % block != 0)
    throw fail(cat("has rows of ", entry.shape.back(), " numbers, ", entry.stored_type, " needs multiples of ", block));
  int64_t bytes = 0;
  if (__builtin_mul_overflow(count / block, unit, &bytes)) throw fail("has an impossible size");
  out.bytes = static_cast<uint64_t>(bytes);
  return out;
}

std::string describe(const Gguf::Value& value) {
  constexpr std::string_view names[] = {"an unsigned integer", "an integer", "a number",
                                        "a boolean",           "a string",   "an array"};
  return std::string(names[value.index()]);
}

[[noreturn]] void wrong(std::string_view key, const char* expected, const Gguf::Value& found) {
  throw Error(Code::invalid, cat("metadata ", quote(key), ": expected ", expected, ", found ", describe(found)));
}

}  // namespace

int64_t gguf_type_size(Gguf::Type type) {
  constexpr int64_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return sizes[static_cast<size_t>(type)];
}

GgufNumber gguf_number(Gguf::Type type, const std::byte* at) {
  const auto get = [&]<class T>(T value) -> GgufNumber {
    std::memcpy(&value, at, sizeof value);
    if constexpr (std::is_floating_point_v<T>)
      return static_cast<double>(value);
    else if constexpr (std::is_signed_v<T>)
      return int64_t{value};
    else
      return uint64_t{value};
  };
  switch (type) {
    case Gguf::Type::u8:
    case Gguf::Type::boolean:
      return get(uint8_t{});
    case Gguf::Type::i8:
      return get(int8_t{});
    case Gguf::Type::u16:
      return get(uint16_t{});
    case Gguf::Type::i16:
      return get(int16_t{});
    case Gguf::Type::u32:
      return get(uint32_t{});
    case Gguf::Type::i32:
      return get(int32_t{});
    case Gguf::Type::f32:
      return get(float{});
    case Gguf::Type::u64:
      return get(uint64_t{});
    case Gguf::Type::i64:
      return get(int64_t{});
    case Gguf::Type::f64:
      return get(double{});
    case Gguf::Type::string:
    case Gguf::Type::array:
      break;
  }
  throw Error(Code::invalid, "expected a number, found a string or an array");
}

void gguf_bad_number(uint64_t index, const GgufNumber& found, size_t bytes) {
  throw Error(
      Code::invalid,
      cat("element ", index, " of the array is ", std::visit([](auto n) { return cat(n); }, found),
          std::holds_alternative<double>(found) ? ", a float" : "", ", expected an integer of ", 8 * bytes, " bits"));
}

std::vector<std::string_view> Gguf::Array::strings() const {
  if (type != Type::string) throw Error(Code::invalid, "expected an array of strings, found one of numbers");
  Cursor in(bytes);
  std::vector<std::string_view> out(static_cast<size_t>(count));
  for (std::string_view& text : out) text = in.string("a string");
  return out;
}

Result<Gguf> Gguf::parse(Bytes bytes, std::shared_ptr<const MappedFile> file) {
  try {
    Cursor in(bytes);
    if (bytes.size() < 24 || std::memcmp(bytes.data(), "GGUF", 4) != 0)
      return Error(Code::invalid, "does not begin with the letters GGUF; it is no GGUF file or truncated");
    in.take(4, "the magic");
    const uint32_t version = in.read<uint32_t>("the version");
    if (version != 2 && version != 3)
      return Error(Code::unsupported, cat("has GGUF version ", version, "; versions 2 and 3 are read"));
    const uint64_t tensors = in.read<uint64_t>("the tensor count"), pairs = in.read<uint64_t>("the metadata count");
    if (tensors > kMaxTensors || pairs > kMaxMetadata)
      return Error(Code::invalid,
                   cat("byte 8: counts of ", tensors, " tensors and ", pairs, " metadata values are impossible"));
    Gguf out;
    for (uint64_t i = 0; i < pairs; ++i) {
      const std::string_view key = in.string("a metadata key");
      const Type type = read_type(in);
      if (!out.keys_.emplace(key, out.metadata_.size()).second)
        return Error(Code::invalid, cat("the metadata key ", quote(key), " appears twice"));
      out.metadata_.emplace_back(key, read_value(in, type));
    }
    const int64_t alignment = out.integer("general.alignment").value_or(32);
    if (alignment < 1 || alignment > 1 << 20 || (alignment & (alignment - 1)) != 0)
      return Error(Code::invalid, cat("general.alignment is ", alignment, ", expected a power of two up to 1048576"));
    std::vector<TensorFacts> facts;
    for (uint64_t i = 0; i < tensors; ++i) facts.push_back(read_tensor(in));
    const uint64_t unit = static_cast<uint64_t>(alignment), data = (in.at() + unit - 1) / unit * unit;
    for (TensorFacts& tensor : facts) {
      TensorEntry& entry = tensor.entry;
      if (tensor.offset % unit != 0)
        return Error(Code::invalid, cat("tensor ", quote(entry.name), " begins at offset ", tensor.offset,
                                        ", which is not aligned to ", unit));
      if (data > bytes.size() || tensor.offset > bytes.size() - data ||
          tensor.bytes > bytes.size() - data - tensor.offset)
        return Error(Code::invalid, cat("tensor ", quote(entry.name), " needs bytes ", data + tensor.offset, " to ",
                                        data + tensor.offset + tensor.bytes, ", but the file has ", bytes.size(),
                                        "; it may be truncated"));
      entry.bytes = bytes.subspan(static_cast<size_t>(data + tensor.offset), static_cast<size_t>(tensor.bytes));
      entry.file = file;
      if (!out.index_.emplace(entry.name, out.tensors_.size()).second)
        return Error(Code::invalid, cat("the tensor ", quote(entry.name), " appears twice"));
      out.tensors_.push_back(std::move(entry));
    }
    std::vector<const TensorEntry*> order;
    for (const TensorEntry& t : out.tensors_) order.push_back(&t);
    std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->bytes.data() < b->bytes.data(); });
    for (size_t i = 1; i < order.size(); ++i)
      if (order[i - 1]->bytes.data() + order[i - 1]->bytes.size() > order[i]->bytes.data())
        return Error(Code::invalid,
                     cat("the tensors ", quote(order[i - 1]->name), " and ", quote(order[i]->name), " overlap"));
    if (file) out.files_.push_back(std::move(file));
    return out;
  } catch (const Error& e) {
    return e;
  }
}

const Gguf::Value* Gguf::find(std::string_view key) const {
  const auto found = keys_.find(key);
  return found == keys_.end() ? nullptr : &metadata_[found->second].second;
}

std::optional<int64_t> Gguf::integer(std::string_view key) const {
  const Value* value = find(key);
  if (!value) return std::nullopt;
  if (const auto* n = std::get_if<uint64_t>(value); n && *n <= INT64_MAX) return static_cast<int64_t>(*n);
  if (const auto* n = std::get_if<int64_t>(value)) return *n;
  wrong(key, "an integer", *value);
}

std::optional<double> Gguf::number(std::string_view key) const {
  const Value* value = find(key);
  if (!value) return std::nullopt;
  if (const auto* n = std::get_if<double>(value)) return *n;
  return static_cast<double>(*integer(key));
}

std::optional<bool> Gguf::boolean(std::string_view key) const {
  const Value* value = find(key);
  if (!value) return std::nullopt;
  if (const auto* b = std::get_if<bool>(value)) return *b;
  wrong(key, "a boolean", *value);
}

std::optional<std::string_view> Gguf::text(std::string_view key) const {
  const Value* value = find(key);
  if (!value) return std::nullopt;
  if (const auto* s = std::get_if<std::string_view>(value)) return *s;
  wrong(key, "a string", *value);
}

const Gguf::Array* Gguf::array(std::string_view key) const {
  const Value* value = find(key);
  if (!value) return nullptr;
  if (const auto* a = std::get_if<Array>(value)) return a;
  wrong(key, "an array", *value);
}

Result<std::string> Gguf::architecture() const {
  try {
    if (const auto name = text("general.architecture")) return std::string(*name);
    return Error(Code::invalid, "the metadata general.architecture is missing");
  } catch (const Error& e) {
    return e;
  }
}

const TensorEntry* Gguf::find_tensor(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

Status Gguf::add(Gguf&& part) {
  for (TensorEntry& tensor : part.tensors_) {
    if (!index_.emplace(tensor.name, tensors_.size()).second)
      return Error(Code::invalid, cat("the tensor ", quote(tensor.name), " is in two parts"));
    tensors_.push_back(std::move(tensor));
  }
  files_.insert(files_.end(), part.files_.begin(), part.files_.end());
  return {};
}

Result<Gguf> Gguf::open(const std::filesystem::path& path) {
  const auto open_one = [](const std::filesystem::path& one) -> Result<Gguf> {
    JEVONS_TRY(auto file, MappedFile::open(one));
    const Bytes bytes = file->bytes();
    Result<Gguf> parsed = Gguf::parse(bytes, std::move(file));
    if (!parsed.ok()) return parsed.error().within(one.string());
    return parsed;
  };
  const std::string name = path.filename().string();
  if (name.empty())
    return Error(Code::not_found, cat(quote(path.string()), " names no file; give the path of a .gguf file"));
  static const std::regex split("(.*)-([0-9]{5})-of-([0-9]{5})\\.gguf");
  std::smatch match;
  if (!std::regex_match(name, match, split)) return open_one(path);
  const int count = std::stoi(match[3]), own = std::stoi(match[2]);
  if (own < 1 || own > count)
    return Error(Code::invalid, cat(path.string(), ": the name says part ", own, " of ", count, "; rename the file"));
  const auto part = [&](int i) {
    return path.parent_path() / cat(match[1].str(), "-", cat(100000 + i).substr(1), "-of-", match[3].str(), ".gguf");
  };
  JEVONS_TRY(Gguf out, open_one(part(1)));
  try {
    if (const auto told = out.integer("split.count"); told && *told != count)
      return Error(Code::invalid, cat(part(1).string(), ": split.count is ", *told, ", the name says ", count));
    for (int i = 2; i <= count; ++i) {
      JEVONS_TRY(Gguf next, open_one(part(i)));
      if (const auto told = next.integer("split.no"); told && *told != i - 1)
        return Error(Code::invalid, cat(part(i).string(), ": split.no is ", *told, ", expected ", i - 1,
                                        "; the parts are mixed up or renamed"));
      if (Status added = out.add(std::move(next)); !added.ok()) return added.error().within(part(i).string());
    }
    if (const auto told = out.integer("split.tensors.count");
        told && *told != static_cast<int64_t>(out.tensors_.size()))
      return Error(Code::invalid,
                   cat(path.string(), ": split.tensors.count is ", *told, ", the parts hold ", out.tensors_.size()));
  } catch (const Error& e) {
    return e.within(path.string());
  }
  return out;
}

}  // namespace jevons
