#include "data/dataset.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <numeric>
#include <random>

#include "base/checksum.h"
#include "base/utf8.h"
#include "data/table_record.h"

namespace vlsi {
namespace {

constexpr std::string_view kBlank = " \t\r\n";
constexpr size_t kNowhere = std::string_view::npos;
constexpr int64_t kRecordsPerLineEntry = 1024;
constexpr double kMaxEpochRecords = 1e9;  // an order takes 16 bytes a record

/// Finds where the records of one file begin: looks at strings and brackets only, and leaves the JSON inside a record
/// to its parser.
class Scanner {
 public:
  Scanner(const MappedFile& file, std::vector<uint64_t>& offsets, std::vector<uint64_t>& lines)
      : file_(file), text_(file.text()), offsets_(offsets), lines_(lines) {}

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
    if ((end == kNowhere || end > line_end) && next < text_.size() && text_[next] != '{') {
      wrong(next, "'{' of the next record: the file must be an array of records or hold one record a line");
    }
  }

  const MappedFile& file_;
  std::string_view text_;
  std::vector<uint64_t>& offsets_;
  std::vector<uint64_t>& lines_;
  uint64_t line_ = 1, counted_ = 0;  // the line of byte `counted_`
};

/// The line of a record costs a search, so only a read that failed pays for it: it is repeated with the whole place.
template <class Read>
auto read_at(const RecordFile& file, int64_t record, const Read& read) {
  try {
    return read(file.path().string());
  } catch (const Error&) {
    return read(file.place(record));
  }
}

/// mt19937_64 and seed_seq give the same numbers everywhere, the standard library's distributions do not.
std::mt19937_64 generator(uint64_t seed, int64_t epoch, uint32_t stream) {
  const auto word = [](uint64_t value, int shift) { return static_cast<uint32_t>(value >> shift); };
  const auto turn = static_cast<uint64_t>(epoch);
  std::seed_seq sequence{word(seed, 0), word(seed, 32), word(turn, 0), word(turn, 32), stream};
  return std::mt19937_64(sequence);
}

/// Uniform in [0, bound); draws that would favour small values are drawn again.
uint64_t draw(std::mt19937_64& random, uint64_t bound) {
  const uint64_t highest = std::numeric_limits<uint64_t>::max();
  const uint64_t limit = highest - highest % bound;
  uint64_t value = random();
  while (value >= limit) value = random();
  return value % bound;
}

/// Fisher-Yates from the front: the first `count` places become a random choice in random order.
template <class T>
void shuffle_front(std::vector<T>& values, int64_t count, std::mt19937_64& random) {
  for (int64_t i = 0; i < count; ++i) std::swap(values[i], values[i + draw(random, values.size() - i)]);
}

int64_t records_of(int64_t size, double weight) { return std::llround(static_cast<double>(size) * weight); }

}  // namespace

RecordFile::RecordFile(const std::filesystem::path& path, const std::filesystem::path& images,
                       std::shared_ptr<DecodedRowsCache> cache)
    : images_(images.empty() ? path.parent_path() : images) {
  if (path.extension() == ".parquet") {
    parquet_ = std::make_shared<const ParquetFile>(path, std::move(cache));
    file_ = parquet_->file();
    return;
  }
  if (path.extension() == ".tsv") {
    table_ = std::make_shared<const TsvFile>(path);
    file_ = table_->file();
    return;
  }
  file_ = MappedFile::open(path);
  is_array_ = Scanner(*file_, offsets_, lines_).run();
  offsets_.shrink_to_fit();
}

FileFingerprint RecordFile::fingerprint() const {
  Checksum checksum;
  if (parquet_) {
    checksum.update(parquet_->footer());
  } else {
    checksum.update(file_->bytes());
  }
  return {path().filename().string(), static_cast<int64_t>(file_->bytes().size()), hexadecimal(checksum.value())};
}

int64_t RecordFile::size() const {
  if (table_) return table_->size();
  return parquet_ ? parquet_->size() : static_cast<int64_t>(offsets_.size());
}

std::vector<ParquetFile::Stretch> RecordFile::stretches() const {
  return parquet_ ? parquet_->stretches() : std::vector<ParquetFile::Stretch>();
}

std::string_view RecordFile::text_of(int64_t record) const {
  TORCH_CHECK(record >= 0 && record < size(), "record ", record, " of ", size());
  const auto text = file_->text();
  const uint64_t begin = offsets_[record];
  if (!is_array_) return text.substr(begin, std::min<size_t>(text.find('\n', begin), text.size()) - begin);
  // Between two records stand one comma and blanks, behind the last one the bracket: the index has seen to that.
  auto rest = text.substr(begin, (record + 1 < size() ? offsets_[record + 1] : text.size()) - begin);
  rest = rest.substr(0, rest.find_last_not_of(kBlank));
  return rest.substr(0, rest.find_last_not_of(kBlank) + 1);
}

std::string RecordFile::place(int64_t record) const {
  if (table_) return table_->place(record);
  if (parquet_) return parquet_->place(record);
  const int64_t known = record / kRecordsPerLineEntry;
  const uint64_t from = offsets_[known * kRecordsPerLineEntry];
  const uint64_t line = lines_[known] + count_lines(file_->text().substr(from, offsets_[record] - from));
  return concat(path().string(), ", record ", record + 1, " (line ", line, ")");
}

Json RecordFile::json(int64_t record) const {
  if (table_) return table_->row(record);
  if (parquet_) return parquet_->row(record, ParquetFile::Columns::kAll);
  const auto text = text_of(record);
  return read_at(*this, record, [&](const std::string& place) { return parse_json(text, place); });
}

Conversation RecordFile::read(int64_t record, bool answers_required) const {
  if (parquet_) return conversation_of_row(*parquet_, record, images_, place(record), answers_required);
  if (table_) {
    return read_at(*this, record, [&](const std::string& place) {
      return conversation_of_row(*table_, record, images_, place, answers_required);
    });
  }
  const auto text = text_of(record);
  return read_at(*this, record, [&](const std::string& place) {
    return parse_conversation(parse_json(text, place), images_, place, std::to_string(record + 1), answers_required);
  });
}

Mixture::Mixture(const std::vector<DataSource>& sources) {
  if (sources.empty()) fail("data: no files are given, expected at least one");
  const auto cache = std::make_shared<DecodedRowsCache>();
  for (const auto& source : sources) {
    const auto name = source.path.string();
    if (!std::isfinite(source.weight) || source.weight <= 0) {
      fail("data: weight of ", name, " is ", source.weight, ", expected a finite number above 0");
    }
    files_.emplace_back(source.path, source.images, cache);
    weights_.push_back(source.weight);
    stretches_.push_back(files_.back().stretches());
    double total = 0;
    for (size_t i = 0; i < files_.size(); ++i) total += static_cast<double>(files_[i].size()) * weights_[i];
    if (total > kMaxEpochRecords) {
      fail("data: with weight ", source.weight, " of ", name, " an epoch has ", total, " records, expected at most ",
           kMaxEpochRecords);
    }
  }
}

int64_t Mixture::size() const {
  int64_t total = 0;
  for (size_t i = 0; i < files_.size(); ++i) total += records_of(files_[i].size(), weights_[i]);
  return total;
}

std::vector<Mixture::Record> Mixture::order(uint64_t seed, int64_t epoch, bool shuffle) const {
  std::vector<Record> order;
  order.reserve(size());
  for (int32_t file = 0; file < std::ssize(files_); ++file) {
    const int64_t num_records = files_[file].size();
    int64_t left = records_of(num_records, weights_[file]);
    for (; left >= num_records; left -= num_records) {
      for (int64_t record = 0; record < num_records; ++record) order.push_back({file, record});
    }
    if (left == 0) continue;
    std::vector<int64_t> chosen(num_records);
    std::iota(chosen.begin(), chosen.end(), 0);
    auto random = generator(seed, epoch, file);
    shuffle_front(chosen, left, random);
    std::sort(chosen.begin(), chosen.begin() + left);
    for (int64_t i = 0; i < left; ++i) order.push_back({file, chosen[i]});
  }
  if (shuffle) {
    auto random = generator(seed, epoch, std::numeric_limits<uint32_t>::max());
    const auto has_stretches = [](const auto& stretches) { return !stretches.empty(); };
    if (std::any_of(stretches_.begin(), stretches_.end(), has_stretches)) {
      shuffle_stretches(order, random);
    } else {
      shuffle_front(order, std::ssize(order), random);
    }
  }
  return order;
}

void Mixture::shuffle_stretches(std::vector<Record>& order, std::mt19937_64& random) const {
  struct Run {
    int64_t begin, end, num_bytes;  // records in `order`
  };
  std::vector<Run> runs;
  const int64_t num_records = std::ssize(order);
  for (int64_t begin = 0, end = 0; begin < num_records; begin = end) {
    const auto [file, first] = order[begin];
    const auto& stretches = stretches_[file];
    const auto stretch = std::upper_bound(stretches.begin(), stretches.end(), first,
                                          [](int64_t record, const auto& one) { return record < one.end; });
    end = begin + 1;
    while (stretch != stretches.end() && end < num_records && order[end].file == file &&
           order[end].record < stretch->end && order[end].record > order[end - 1].record) {
      ++end;
    }
    runs.push_back({begin, end, stretch == stretches.end() ? 0 : stretch->num_bytes});
  }
  shuffle_front(runs, std::ssize(runs), random);
  std::vector<Record> result, reach;
  result.reserve(order.size());
  int64_t num_bytes = 0;
  const auto mix = [&] {
    shuffle_front(reach, std::ssize(reach), random);
    result.insert(result.end(), reach.begin(), reach.end());
    reach.clear();
    num_bytes = 0;
  };
  for (const auto& run : runs) {
    if (num_bytes > 0 && num_bytes + run.num_bytes > kMixedBytes) mix();
    reach.insert(reach.end(), order.begin() + run.begin, order.begin() + run.end);
    num_bytes += run.num_bytes;
  }
  mix();
  order = std::move(result);
}

}  // namespace vlsi
