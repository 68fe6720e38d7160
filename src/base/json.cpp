// Strict parsing with positions, and typed access.
#include "base/json.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <type_traits>

#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "base/utf8.h"

namespace vlsi {
namespace {

constexpr size_t kDepthLimit = 512;

/// Reads characters for the parser, and tells its owner how far it has come.
class TrackedIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  TrackedIterator(const char* current, const char** reached) : current_(current), reached_(reached) {}
  reference operator*() const { return *current_; }
  TrackedIterator& operator++() {
    *reached_ = ++current_;
    return *this;
  }
  TrackedIterator operator++(int) {
    const auto before = *this;
    ++*this;
    return before;
  }
  bool operator==(const TrackedIterator& other) const { return current_ == other.current_; }
  bool operator!=(const TrackedIterator& other) const { return current_ != other.current_; }

 private:
  const char* current_;
  const char** reached_;
};

/// Builds the value from the parser's events, refusing duplicate keys and deep nesting as they are met.
class Builder {
 public:
  Builder(std::string_view text, const std::string& place) : text_(text), place_(place), reached_(text.data()) {}

  Json build() {
    // The parser takes a zero byte for the end of the text, and would not see what follows it.
    if (const auto zero = text_.find('\0'); zero != text_.npos) fail_at(zero, "zero byte");
    const char* end = text_.data() + text_.size();
    Json::sax_parse(TrackedIterator(text_.data(), &reached_), TrackedIterator(end, &reached_), this);
    return std::move(root_);
  }

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(int64_t value) { return add(value); }
  bool number_unsigned(uint64_t value) { return add(value); }
  bool number_float(double value, const std::string&) { return add(value); }
  bool string(std::string& value) { return add(std::move(value)); }
  bool binary(Json::binary_t& value) { return add(std::move(value)); }
  bool start_object(size_t) { return open(Json::object()); }
  bool start_array(size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& name) {
    auto& object = open_.back()->get_ref<Json::object_t&>();
    const auto [entry, is_new] = object.try_emplace(std::move(name));
    if (!is_new) fail_at(position() - 1, concat("key ", Json(entry->first).dump(), " stands twice"));
    member_ = &entry->second;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const Json::exception& error) {
    // "[json.exception.…] parse error at line 1, column 2: what; last read: 'text'": the position is ours to say, and
    // the text may be of any length and content.
    std::string message = error.what();
    if (const auto tag = message.find("] "); tag != message.npos) message.erase(0, tag + 2);
    if (message.starts_with("parse error at ")) message.erase(0, message.find(": ") + 2);
    if (const auto read = message.find("; last read: '"); read != message.npos) message.erase(read);
    message.resize(std::min<size_t>(message.size(), 160));
    fail_at(position == 0 ? 0 : position - 1, message);
  }

 private:
  size_t position() const { return static_cast<size_t>(reached_ - text_.data()); }

  template <class T>
  Json* put(T&& value) {
    Json* place = &root_;
    if (!open_.empty() && open_.back()->is_array()) {
      place = &open_.back()->get_ref<Json::array_t&>().emplace_back();
    } else if (!open_.empty()) {
      place = member_;
    }
    *place = Json(std::forward<T>(value));
    return place;
  }

  template <class T>
  bool add(T&& value) {
    put(std::forward<T>(value));
    return true;
  }

  bool open(Json value) {
    if (open_.size() == kDepthLimit) fail_at(position() - 1, concat("nesting deeper than ", kDepthLimit));
    open_.push_back(put(std::move(value)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  /// Lines and columns count from 1, columns in bytes.
  [[noreturn]] void fail_at(size_t offset, std::string_view message) const {
    auto before = text_.substr(0, offset);
    if (before.starts_with(kByteOrderMark)) before.remove_prefix(kByteOrderMark.size());
    const auto line = 1 + count_lines(before);
    const auto line_start = before.rfind('\n') + 1;  // npos + 1 is 0
    fail(place_, ":", line, ":", 1 + before.size() - line_start, ": ", message);
  }

  std::string_view text_;
  const std::string& place_;
  const char* reached_;
  Json root_;
  std::vector<Json*> open_;  // a value in it stays where it is: its container grows only after it is closed
  Json* member_ = nullptr;
};

template <class T>
struct Element {
  static constexpr bool is_list = false;
};
template <class T>
struct Element<std::vector<T>> {
  static constexpr bool is_list = true;
  using Type = T;
};

/// Nothing when the value is not a T.
template <class T>
std::optional<T> as(const Json& value) {
  if constexpr (std::is_same_v<T, Json>) {
    return value;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (value.is_boolean()) return value.get<bool>();
  } else if constexpr (std::is_same_v<T, int64_t>) {
    if (value.is_number_unsigned() && value.get<uint64_t>() > std::numeric_limits<int64_t>::max()) return std::nullopt;
    if (value.is_number_integer()) return value.get<int64_t>();
  } else if constexpr (std::is_same_v<T, double>) {
    if (value.is_number()) return value.get<double>();
  } else {
    static_assert(std::is_same_v<T, std::string>);
    if (value.is_string()) return value.get<std::string>();
  }
  return std::nullopt;
}

template <class T>
constexpr const char* expected() {
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  if constexpr (std::is_same_v<T, int64_t>) return "an integer";
  if constexpr (std::is_same_v<T, double>) return "a number";
  return "a string";
}

template <class T>
T convert(const Json& value, const std::string& place, const auto& key) {
  if (auto result = as<T>(value)) return *std::move(result);
  const bool too_large = std::is_same_v<T, int64_t> && value.is_number_unsigned();
  fail(place, ": key '", key(), "' is ", value.is_number() ? value.dump() : describe(value), ", expected ",
       expected<T>(), too_large ? " of at most 9223372036854775807" : "");
}

}  // namespace

Json parse_json(std::string_view text, const std::string& place) { return Builder(text, place).build(); }

Json read_json(const std::filesystem::path& path) { return parse_json(MappedFile::open(path)->text(), path.string()); }

void write_json(const std::filesystem::path& path, const OrderedJson& value) {
  std::string text;
  try {
    text = value.dump(2);
  } catch (const OrderedJson::exception&) {
    fail("write ", path.string(), ": a string in it is not UTF-8");
  }
  write_file(path, text + '\n');
}

std::string describe(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null: return "nothing";
    case Json::value_t::object: return "an object";
    case Json::value_t::array: return "an array";
    case Json::value_t::string: return "a string";
    case Json::value_t::boolean: return "a boolean";
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned: return "an integer";
    case Json::value_t::number_float: return "a number";
    default: return "binary data";
  }
}

template <class T>
std::optional<T> Find<T>::operator()(const Json& object, const std::string& key, const std::string& place) const {
  if (!object.is_object()) fail(place, ": is ", describe(object), ", expected an object with key '", key, "'");
  const auto entry = object.find(key);
  if (entry == object.end() || entry->is_null()) return std::nullopt;
  if constexpr (Element<T>::is_list) {
    if (!entry->is_array()) fail(place, ": key '", key, "' is ", describe(*entry), ", expected an array");
    T list;
    list.reserve(entry->size());
    for (const Json& element : *entry) {
      list.push_back(
          convert<typename Element<T>::Type>(element, place, [&] { return concat(key, "[", list.size(), "]"); }));
    }
    return list;
  } else {
    return convert<T>(*entry, place, [&] { return key; });
  }
}

template struct Find<bool>;
template struct Find<int64_t>;
template struct Find<double>;
template struct Find<std::string>;
template struct Find<Json>;
template struct Find<std::vector<int64_t>>;
template struct Find<std::vector<double>>;
template struct Find<std::vector<std::string>>;
template struct Find<std::vector<Json>>;

void check_format(const Json& json, int64_t expected, const std::string& place, const std::string& remedy) {
  const auto format = find<int64_t>(json, "format", place).value_or(1);
  if (format == expected) return;
  fail(place, ": key 'format' is ", format, ", expected ", expected, ": it is of another version of the program; ",
       remedy);
}

}  // namespace vlsi
