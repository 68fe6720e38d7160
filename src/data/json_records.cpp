#include "data/json_records.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "base/checksum.h"
#include "base/utf8.h"
#include "data/page_giver.h"

namespace vlsi {
namespace {

constexpr std::string_view kBlank = " \t\r\n";
constexpr size_t kNowhere = std::string_view::npos;
constexpr int64_t kRecordsPerLineEntry = 1024;

/// Finds where the records of one file begin: looks at strings and brackets only, and leaves the JSON inside a record
/// to its parser.
class Scanner {
 public:
  Scanner(const MappedFile& file, std::vector<uint64_t>& offsets, std::vector<uint64_t>& lines)
      : file_(file), text_(file.text()), offsets_(offsets), lines_(lines), pages_(file) {}

  /// Returns whether the file is an array; otherwise it has a record a line.
  bool run() {
    if (text_.empty()) fail(place(), ": the file is empty, expected an array of records or one record a line");
    const size_t start = text_.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
    const size_t first = text_.find_first_not_of(kBlank, start);
    if (first == kNowhere) fail(place(), ": holds only blank lines, expected records");
    if (text_[first] == '[') {
      read_array(first);
      return true;
    }
    if (text_[first] != '{') wrong(first, "'[' of an array of records or '{' of a record");
    refuse_object(first);
    read_lines(start);
    return false;
  }

 private:
  std::string place() const { return file_.path().string(); }

  [[noreturn]] void wrong(size_t at, const char* expected) const {
    const auto line = count_lines(text_.substr(0, at)) + 1;
    std::string found = "the end of the file";
    if (at < text_.size()) {
      const auto byte = static_cast<unsigned char>(text_[at]);
      char code[16];
      std::snprintf(code, sizeof code, byte > 0x20 && byte < 0x7F ? "'%c'" : "byte 0x%02X", byte);
      found = code;
    }
    fail(place(), ", line ", line, " (byte ", at, "): found ", found, ", expected ", expected);
  }

  void add(size_t offset) {
    if (offsets_.size() % kRecordsPerLineEntry == 0) {
      line_ += count_lines(text_.substr(counted_, offset - counted_));
      counted_ = offset;
      lines_.push_back(line_);
    }
    offsets_.push_back(offset);
    pages_.give(counted_);  // lines are still to be counted behind it
  }

  size_t skip_blank(size_t at) const { return std::min(text_.find_first_not_of(kBlank, at), text_.size()); }
  bool is(char c, size_t at) const { return at < text_.size() && text_[at] == c; }

  /// The closing quote of the string that opens at `quote`.
  size_t end_of_string(size_t quote) const {
    for (size_t at = text_.find('"', quote + 1); at != kNowhere; at = text_.find('"', at + 1)) {
      size_t num_backslashes = 0;  // an odd number escapes the quote; the opening quote ends the walk back
      while (text_[at - 1 - num_backslashes] == '\\') ++num_backslashes;
      if (num_backslashes % 2 == 0) return at;
    }
    return kNowhere;
  }

  /// Past the object that opens at `begin`; kNowhere when the text ends inside it.
  size_t end_of_object(size_t begin) const {
    int64_t depth = 0;
    for (size_t at = begin; at < text_.size(); ++at) {
      const char c = text_[at];
      if (c == '"') {
        at = end_of_string(at);
        if (at == kNowhere) return kNowhere;
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if (c == '}' || c == ']') {
        if (--depth == 0) return at + 1;
      }
    }
    return kNowhere;
  }

  void read_array(size_t open) {
    size_t at = skip_blank(open + 1);
    if (is(']', at)) fail(place(), ": the array is empty, expected records");
    while (true) {
      if (!is('{', at)) wrong(at, "'{' of a record");
      add(at);
      const size_t end = end_of_object(at);
      if (end == kNowhere) {
        fail(place(), ", line ", count_lines(text_.substr(0, at)) + 1, " (byte ", at, "): the file ends inside record ",
             offsets_.size(), ", expected '}' and ']'");
      }
      at = skip_blank(end);
      if (is(']', at)) break;
      if (!is(',', at)) wrong(at, "',' or ']' after a record");
      at = skip_blank(at + 1);
    }
    at = skip_blank(at + 1);
    if (at != text_.size()) wrong(at, "nothing after the array");
  }

  void read_lines(size_t begin) {
    while (begin < text_.size()) {
      const size_t end = std::min(text_.find('\n', begin), text_.size());
      const size_t first = text_.find_first_not_of(" \t\r", begin);
      if (first < end) add(first);
      begin = end + 1;
    }
  }

  /// One object over several lines is a file of another kind. A line of records that is cut off looks alike, but the
  /// next line opens a record.
  void refuse_object(size_t first) const {
    const size_t line_end = std::min(text_.find('\n', first), text_.size());
    const size_t end = end_of_object(first);
    const size_t next = skip_blank(line_end);
    if (end != kNowhere && skip_blank(end) == text_.size()) {
      const Json all = Json::parse(text_.substr(first, end - first), nullptr, /*allow_exceptions=*/false);
      if (all.is_object()) refuse_inner_list(all, place());
    }
    if ((end == kNowhere || end > line_end) && next < text_.size() && text_[next] != '{') {
      wrong(next, "'{' of the next record: the file must be an array of records or hold one record a line");
    }
  }

  const MappedFile& file_;
  std::string_view text_;
  std::vector<uint64_t>& offsets_;
  std::vector<uint64_t>& lines_;
  uint64_t line_ = 1, counted_ = 0;  // the line of byte `counted_`
  PageGiver pages_;
};

/// The line of a record costs a search, so only a read that failed pays for it: it is repeated with the whole place.
template <class Read>
auto read_at(const JsonRecords& records, int64_t record, const Read& read) {
  try {
    return read(records.file()->path().string());
  } catch (const Error&) {
    return read(records.place(record));
  }
}

}  // namespace

void refuse_inner_list(const Json& object, const std::string& place) {
  for (const char* of_record : {"conversations", "messages", "texts", "instruction", "question"}) {
    if (object.contains(of_record)) return;
  }
  for (const char* key : {"data", "questions", "annotations"}) {
    const auto list = object.find(key);
    if (list == object.end() || !list->is_array() || list->empty() || !list->front().is_object()) continue;
    fail(place, ": is an object with a list of ", list->size(), " objects under '", key,
         "', expected an array of records or one record a line: write that list alone into a file");
  }
}

JsonRecords::JsonRecords(const std::filesystem::path& path) : file_(MappedFile::open(path)) {
  is_array_ = Scanner(*file_, offsets_, lines_).run();
  offsets_.shrink_to_fit();
}

std::string_view JsonRecords::text_of(int64_t record) const {
  TORCH_CHECK(record >= 0 && record < size(), "record ", record, " of ", size());
  const auto text = file_->text();
  const uint64_t begin = offsets_[record];
  if (!is_array_) return text.substr(begin, std::min<size_t>(text.find('\n', begin), text.size()) - begin);
  // Between two records stand one comma and blanks, behind the last one the bracket: the index has seen to that.
  auto rest = text.substr(begin, (record + 1 < size() ? offsets_[record + 1] : text.size()) - begin);
  rest = rest.substr(0, rest.find_last_not_of(kBlank));
  return rest.substr(0, rest.find_last_not_of(kBlank) + 1);
}

std::string JsonRecords::place(int64_t record) const {
  const int64_t known = record / kRecordsPerLineEntry;
  const uint64_t from = offsets_[known * kRecordsPerLineEntry];
  const uint64_t line = lines_[known] + count_lines(file_->text().substr(from, offsets_[record] - from));
  return concat(file_->path().string(), ", record ", record + 1, " (line ", line, ")");
}

Json JsonRecords::json(int64_t record) const {
  const auto text = text_of(record);
  return read_at(*this, record, [&](const std::string& place) { return parse_json(text, place); });
}

Conversation JsonRecords::read(int64_t record, const std::filesystem::path& images, bool answers_required) const {
  const auto text = text_of(record);
  return read_at(*this, record, [&](const std::string& place) {
    return parse_conversation(parse_json(text, place), images, place, std::to_string(record + 1), answers_required);
  });
}

uint64_t JsonRecords::checksum() const { return checksum_of(*file_); }

void JsonRecords::for_each(const std::vector<std::string>&, const Visit& visit) const {
  PageGiver pages(*file_);
  const auto values_of = [&](int64_t record) -> std::optional<Json> {
    try {
      auto values = parse_json(text_of(record), file_->path().string());
      if (values.is_object()) return values;
      return std::nullopt;
    } catch (const Error&) {
      return std::nullopt;
    }
  };
  for (int64_t record = 0; record < size(); ++record) {
    const auto values = values_of(record);
    visit(record, values ? &*values : nullptr);
    pages.give(offsets_[record]);
  }
}

}  // namespace vlsi
