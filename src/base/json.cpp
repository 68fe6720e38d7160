#include "base/json.h"

#include <set>

#include "base/atomic_file.h"
#include "base/mapped_file.h"

namespace vlsi {
namespace {

constexpr int kMaxDepth = 512;

std::string line_and_column(std::string_view text, size_t byte) {
  byte = std::min(byte, text.size());
  size_t line = 1, line_start = 0;
  for (size_t i = 0; i < byte; ++i) {
    if (text[i] == '\n') ++line, line_start = i + 1;
  }
  return concat("line ", line, ", column ", byte - line_start + 1);
}

/// What nlohmann's parse callback cannot say by itself: duplicate keys and depth.
class Watch {
 public:
  bool operator()(int depth, Json::parse_event_t event, Json& parsed) {
    using Event = Json::parse_event_t;
    if (depth > kMaxDepth) throw Error(concat("nesting is deeper than ", kMaxDepth));
    switch (event) {
      case Event::object_start: keys_.emplace_back(); break;
      case Event::object_end: keys_.pop_back(); break;
      case Event::key:
        if (!keys_.back().insert(parsed.get<std::string>()).second) {
          throw Error("key '" + parsed.get<std::string>() + "' stands twice");
        }
        break;
      default: break;
    }
    return true;
  }

 private:
  std::vector<std::set<std::string>> keys_;
};

template <class T>
constexpr const char* kExpected = "a value";
template <>
constexpr const char* kExpected<bool> = "true or false";
template <>
constexpr const char* kExpected<int64_t> = "an integer";
template <>
constexpr const char* kExpected<double> = "a number";
template <>
constexpr const char* kExpected<std::string> = "a string";

[[noreturn]] void fail_type(const Json& value, const std::string& key, const std::string& place, const char* expected) {
  fail(place, ": key '", key, "' is ", describe(value), ", expected ", expected);
}

void convert(const Json& value, const std::string& key, const std::string& place, bool& out) {
  if (!value.is_boolean()) fail_type(value, key, place, kExpected<bool>);
  out = value.get<bool>();
}
void convert(const Json& value, const std::string& key, const std::string& place, int64_t& out) {
  if (!value.is_number_integer()) fail_type(value, key, place, kExpected<int64_t>);
  if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) {
    fail(place, ": key '", key, "' is ", value.dump(), ", which is too large");
  }
  out = value.get<int64_t>();
}
void convert(const Json& value, const std::string& key, const std::string& place, double& out) {
  if (!value.is_number()) fail_type(value, key, place, kExpected<double>);
  out = value.get<double>();
}
void convert(const Json& value, const std::string& key, const std::string& place, std::string& out) {
  if (!value.is_string()) fail_type(value, key, place, kExpected<std::string>);
  out = value.get<std::string>();
}
void convert(const Json& value, const std::string&, const std::string&, Json& out) { out = value; }

template <class T>
void convert(const Json& value, const std::string& key, const std::string& place, std::vector<T>& out) {
  if (!value.is_array()) fail_type(value, key, place, "an array");
  for (size_t i = 0; i < value.size(); ++i) {
    T item{};
    convert(value[i], concat(key, '[', i, ']'), place, item);
    out.push_back(std::move(item));
  }
}

}  // namespace

Json parse_json(std::string_view text, const std::string& place) {
  const std::string_view mark = "\xEF\xBB\xBF";
  const std::string_view body = text.starts_with(mark) ? text.substr(mark.size()) : text;
  Watch watch;
  try {
    return Json::parse(body, [&watch](int depth, Json::parse_event_t event, Json& parsed) { return watch(depth, event, parsed); });
  } catch (const Json::parse_error& error) {
    // Its text is "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ...".
    const std::string what = error.what();
    const auto colon = what.find(": ");
    fail("reading ", place, ": ", line_and_column(body, error.byte > 0 ? error.byte - 1 : 0), ": not JSON: ",
         colon == std::string::npos ? what : what.substr(colon + 2));
  } catch (const Error& error) {
    fail("reading ", place, ": ", error.what());
  }
}

Json read_json(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  return parse_json(file->text(), path.string());
}

void write_json(const std::filesystem::path& path, const OrderedJson& value) { write_file(path, value.dump(2) + "\n"); }

std::string describe(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null: return "null";
    case Json::value_t::boolean: return value.get<bool>() ? "true" : "false";
    case Json::value_t::string: return "a string";
    case Json::value_t::array: return "an array";
    case Json::value_t::object: return "an object";
    default: return "the number " + value.dump();
  }
}

template <class T>
std::optional<T> find(const Json& object, const std::string& key, const std::string& place) {
  if (!object.is_object()) fail(place, ": is ", describe(object), ", expected an object");
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::nullopt;
  T value{};
  convert(*found, key, place, value);
  return value;
}

template std::optional<bool> find(const Json&, const std::string&, const std::string&);
template std::optional<int64_t> find(const Json&, const std::string&, const std::string&);
template std::optional<double> find(const Json&, const std::string&, const std::string&);
template std::optional<std::string> find(const Json&, const std::string&, const std::string&);
template std::optional<Json> find(const Json&, const std::string&, const std::string&);
template std::optional<std::vector<int64_t>> find(const Json&, const std::string&, const std::string&);
template std::optional<std::vector<double>> find(const Json&, const std::string&, const std::string&);
template std::optional<std::vector<std::string>> find(const Json&, const std::string&, const std::string&);
template std::optional<std::vector<Json>> find(const Json&, const std::string&, const std::string&);

}  // namespace vlsi
