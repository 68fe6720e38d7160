#include "data/tsv_file.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cstring>

#include "base/contains.h"
#include "base/quoted.h"
#include "base/utf8.h"
#include "data/page_giver.h"

namespace vlsi {
namespace {

constexpr size_t kNotFound = std::string_view::npos;
constexpr int64_t kRowsPerLineEntry = 64;           // rows may be long
constexpr size_t kMappedAround = size_t{64} << 10;  // in front of what is touched, by the system, in one fault
constexpr size_t kLongRow = size_t{64} << 10;       // whose pages are worth a call of the system
constexpr std::string_view kMissing[] = {"",     "#N/A", "#N/A N/A", "#NA",     "-1.#IND", "-1.#QNAN",
                                         "-NaN", "-nan", "1.#IND",   "1.#QNAN", "<NA>",    "N/A",
                                         "NA",   "NULL", "NaN",      "n/a",     "nan",     "null"};

/// Goes through one row, cell by cell.
class Cells {
 public:
  /// `text` begins with the row and may go on behind it.
  explicit Cells(std::string_view text) : text_(text) {}

  /// The next cell's bytes into `cell`, unless it is null. False at the end of the row.
  bool next(std::string* cell) {
    if (done_) return false;
    if (at_ < text_.size() && text_[at_] == '"') {
      read_quoted(cell);
    } else {
      read_plain(cell);
    }
    if (at_ == text_.size() || text_[at_] != '\t') {
      done_ = true;
      if (at_ < text_.size()) at_ += text_.substr(at_).starts_with("\r\n") ? 2 : 1;
    } else {
      ++at_;
    }
    return true;
  }

  size_t end() const { return at_; }  // behind the row's line end, when it was read whole
  bool done() const { return done_; }
  bool unclosed() const { return unclosed_; }

 private:
  void read_plain(std::string* cell) {
    size_t end = text_.size();
    for (const char c : {'\t', '\n', '\r'}) end = std::min(text_.substr(0, end).find(c, at_), end);
    if (cell != nullptr) cell->append(text_.substr(at_, end - at_));
    at_ = end;
  }

  void read_quoted(std::string* cell) {
    ++at_;
    for (;;) {
      const size_t quote = text_.find('"', at_);
      unclosed_ = quote == kNotFound;
      const size_t end = std::min(quote, text_.size());
      if (cell != nullptr) cell->append(text_.substr(at_, end - at_));
      at_ = unclosed_ ? end : end + 1;
      if (unclosed_ || at_ == text_.size() || text_[at_] != '"') break;
      if (cell != nullptr) cell->push_back('"');
      ++at_;
    }
    read_plain(cell);  // what stands between the closing quote and the tab belongs to the cell
  }

  std::string_view text_;
  size_t at_ = 0;
  bool done_ = false, unclosed_ = false;
};

/// The line's end, where it has neither quotes nor other line ends; kNotFound where it needs a closer look.
size_t plain_line_end(std::string_view text, size_t begin) {
  const size_t end = std::min(text.find('\n', begin), text.size());
  const auto line = text.substr(begin, end - begin);
  const bool plain = line.find('"') == kNotFound && line.find('\r') >= line.size() - (line.ends_with('\r') ? 1 : 0);
  return plain ? end : kNotFound;
}

std::string place_at(const MappedFile& file, size_t offset) {
  return concat(file.path().string(), ", line ", count_lines(file.text().substr(0, offset)) + 1);
}

}  // namespace

TsvFile::TsvFile(const std::filesystem::path& path) : file_(MappedFile::open(path)) {
  const auto text = file_->text();
  size_t at = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  PageGiver pages(*file_);
  bool header = true;
  uint64_t line = 1;
  while (at < text.size()) {
    if (text[at] == '\n' || text[at] == '\r') {
      line += text[at++] == '\n';
      continue;
    }
    const size_t plain_end = plain_line_end(text, at);
    Cells cells(plain_end == kNotFound ? text.substr(at) : text.substr(at, plain_end - at));
    if (header) {
      while (cells.next(nullptr)) continue;
      if (cells.unclosed()) fail(place_at(*file_, at), ": the header opens a quote that is never closed");
      read_header(text.substr(at, cells.end()));
      header = false;
    } else {
      size_t count = 0, begin = 0;
      while (cells.next(nullptr)) {
        if (++count > columns_.size()) {
          fail(place_at(*file_, at), ": the row has more than ", columns_.size(), " cells, the number of the columns");
        }
        if (cells.unclosed()) {
          fail(place_at(*file_, at), ": cell '", columns_[count - 1], "' opens a quote that is never closed");
        }
        const size_t bytes = cells.end() - begin;
        if (bytes > kMostCellBytes) {
          fail(place_at(*file_, at), ": cell '", columns_[count - 1], "' has ", bytes, " bytes, expected at most ",
               kMostCellBytes);
        }
        begin = cells.end();
      }
      if (size() % kRowsPerLineEntry == 0) lines_.push_back(line);
      offsets_.push_back(at);
    }
    line += plain_end == kNotFound ? count_lines(text.substr(at, cells.end())) : 1;
    at = plain_end == kNotFound ? at + cells.end() : plain_end + 1;
    pages.give(std::min(at, text.size()));
  }
  if (offsets_.empty()) fail(path.string(), ": holds no rows, expected a header and at least one");
  offsets_.shrink_to_fit();
}

void TsvFile::read_header(std::string_view line) {
  Cells cells(line);
  std::string name;
  while (cells.next(&name)) {
    if (find_invalid_utf8(name) != kNotFound) fail(path().string(), ": a column's name is no UTF-8");
    if (name.empty()) fail(path().string(), ": column ", columns_.size() + 1, " has no name");
    if (column(name)) fail(path().string(), ": column ", quoted(name), " is there twice");
    columns_.push_back(std::move(name));
    name.clear();
  }
}

std::optional<size_t> TsvFile::column(std::string_view name) const {
  const auto found = std::find(columns_.begin(), columns_.end(), name);
  return found == columns_.end() ? std::nullopt : std::optional(static_cast<size_t>(found - columns_.begin()));
}

std::string_view TsvFile::text_of(int64_t row) const {
  TORCH_CHECK(row >= 0 && row < size(), "row ", row, " of ", size());
  return file_->text().substr(offsets_[row]);
}

std::string TsvFile::place(int64_t row) const {
  const int64_t known = row / kRowsPerLineEntry;
  const uint64_t from = offsets_[known * kRowsPerLineEntry];
  const uint64_t line = lines_[known] + count_lines(file_->text().substr(from, offsets_[row] - from));
  return concat(path().string(), ", row ", row + 1, " (line ", line, ")");
}

void TsvFile::give_back(int64_t row) const {
  const size_t begin = offsets_[row], end = row + 1 < size() ? offsets_[row + 1] : file_->text().size();
  if (end - begin < kLongRow) return;
  const size_t first = begin - std::min(begin, kMappedAround);
  release(file_->bytes().subspan(first, end - first));
}

std::string TsvFile::cell(int64_t row, size_t column) const {
  Cells cells(text_of(row));
  std::string text;
  size_t i = 0;
  while (i < column && cells.next(nullptr)) ++i;
  if (i == column) cells.next(&text);
  give_back(row);
  return text;
}

bool TsvFile::has(int64_t row, size_t column) const {
  const auto text = text_of(row);
  Cells cells(text);
  for (size_t i = 0; i < column; ++i) {
    if (!cells.next(nullptr)) return false;
  }
  if (cells.done()) return false;
  // A missing cell, with quotes and what ends it, is shorter than this part of one that goes on.
  constexpr size_t kLongestMissing = 16;
  std::string value;
  Cells(text.substr(cells.end(), kLongestMissing)).next(&value);
  return !is_missing(value);
}

Json TsvFile::row(int64_t row, const std::vector<size_t>& left_out) const {
  Cells cells(text_of(row));
  Json values = Json::object();
  for (size_t column = 0; column < columns_.size(); ++column) {
    const bool wanted = !contains(left_out, column);
    std::string text;
    if (!cells.next(wanted ? &text : nullptr)) break;
    if (!wanted || is_missing(text)) continue;
    if (find_invalid_utf8(text) != kNotFound) text = replace_invalid_utf8(text);
    values[columns_[column]] = std::move(text);
  }
  give_back(row);
  return values;
}

std::optional<int64_t> TsvFile::find_index(const std::string& index) const {
  std::call_once(indices_read_, [&] {
    const auto index_column = column("index");
    for (int64_t i = 0; index_column && i < size(); ++i) indices_.emplace(cell(i, *index_column), i);
  });
  const auto found = indices_.find(index);
  return found == indices_.end() ? std::nullopt : std::optional(found->second);
}

bool TsvFile::is_missing(std::string_view text) {
  constexpr size_t kLongest = 8;
  return text.size() <= kLongest && contains(kMissing, text);
}

}  // namespace vlsi
