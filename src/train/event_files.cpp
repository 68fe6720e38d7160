#include "train/event_files.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/mean_and_deviation.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;
static_assert(std::endian::native == std::endian::little, "numbers are written as they are in memory");

// Protobuf's wire format: https://protobuf.dev/programming-guides/encoding. A field is (number << 3 | kind), then its
// value. The messages and their field numbers are of tensorboard/compat/proto/event.proto and summary.proto.
enum Wire : uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

template <class Number>
std::string raw(Number number) {
  std::string bytes(sizeof number, '\0');
  std::memcpy(bytes.data(), &number, sizeof number);
  return bytes;
}

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

std::string field(uint64_t number, Wire wire) { return varint(number << 3 | wire); }
std::string bytes_field(uint64_t number, std::string_view bytes) {
  return concat(field(number, kBytes), varint(bytes.size()), bytes);
}

/// message Event: wall_time = 1, step = 2, and `what`, one of its other fields.
std::string event(double wall_time, int64_t step, const std::string& what) {
  return field(1, kFixed64) + raw(wall_time) + field(2, kVarint) + varint(static_cast<uint64_t>(step)) + what;
}

/// Event.file_version = 3.
std::string version() { return bytes_field(3, "brain.Event:2"); }
/// Event.session_log = 7, a SessionLog whose status = 1 is START = 1.
std::string session_start() { return bytes_field(7, field(1, kVarint) + varint(1)); }

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

bool is_list_of_numbers(const OrderedJson& value) {
  return value.is_array() && !value.empty() &&
         std::all_of(value.begin(), value.end(), [](const auto& item) { return item.is_number() || item.is_null(); });
}

/// The numbers of a line that are drawn as curves.
std::vector<TaggedNumber> curves_of(const OrderedJson& line) {
  std::vector<TaggedNumber> values;
  const auto add = [&](const std::string& tag, const OrderedJson& value) {
    if (value.is_number()) values.push_back({tag, value.get<float>()});
  };
  for (const auto& [key, value] : line.items()) {
    if (key == "iteration") continue;
    add(key, value);
    if (!is_list_of_numbers(value)) continue;
    if (line.contains("matches")) {  // one a match, and their places are other layers in each line
      const bool has_null = std::any_of(value.begin(), value.end(), [](const auto& item) { return item.is_null(); });
      if (!has_null) add(key, mean_and_deviation(value.get<std::vector<double>>()).mean);
    } else {
      for (size_t i = 0; i < value.size(); ++i) add(concat(key, '/', i + 1), value[i]);
    }
  }
  return values;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static const auto table = [] {
    std::array<uint32_t, 256> of_byte{};
    for (uint32_t byte = 0; byte < 256; ++byte) {
      uint32_t value = byte;
      for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82F63B78u : 0);
      of_byte[byte] = value;
    }
    return of_byte;
  }();
  uint32_t value = ~0u;
  for (const char byte : bytes) value = value >> 8 ^ table[(value ^ static_cast<uint8_t>(byte)) & 0xFF];
  return ~value;
}

std::string tf_record(const std::string& bytes) {
  const auto masked = [](std::string_view of) { return raw(std::rotr(crc32c(of), 15) + 0xA282EAD8u); };
  const std::string length = raw(static_cast<uint64_t>(bytes.size()));
  return length + masked(length) + bytes + masked(bytes);
}

std::string summary_event(double wall_time, int64_t step, std::span<const TaggedNumber> values) {
  std::string summary;  // message Summary: value = 1, a Value of tag = 1 and simple_value = 2
  for (const auto& [tag, value] : values)
    summary += bytes_field(1, bytes_field(1, tag) + field(2, kFixed32) + raw(value));
  return event(wall_time, step, bytes_field(5, summary));
}

void EventFiles::append(const OrderedJson& line) {
  const auto step = line.at("step").get<std::string>();
  const auto iteration = line.at("iteration").get<int64_t>();
  // Readers drop what is of a start's iteration and later. The line of the validation data has that of the training's
  // last one, which stands.
  if (step != step_) open(step, iteration + (line.contains("validation_loss") ? 1 : 0));
  write(summary_event(now(), iteration, curves_of(line)));
}

void EventFiles::open(const std::string& step, int64_t iteration) {
  make_directories(folder_ / step);
  // Readers take the files of a folder in the order of their names.
  auto seconds = static_cast<int64_t>(now());
  while (fs::exists(path_ = folder_ / step / concat("events.out.tfevents.", seconds, ".vlsi"))) ++seconds;
  file_ = std::ofstream(path_, std::ios::binary);
  write(event(now(), 0, version()));
  write(event(now(), iteration, session_start()));
  step_ = step;
}

void EventFiles::write(const std::string& event) {
  const auto record = tf_record(event);
  file_.write(record.data(), static_cast<std::streamsize>(record.size()));
  if (!file_.flush()) fail("writing events to ", path_.string(), ": ", std::strerror(errno));
}

}  // namespace vlsi
