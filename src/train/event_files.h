// TensorBoard's event files of a run: the numbers of metrics.jsonl, where people look first.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"

namespace vlsi {

/// One folder a step of the run, `folder`/<step>/, with a file of its own for every start; made with their first line.
class EventFiles {
 public:
  explicit EventFiles(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// The numbers of a line of metrics.jsonl, under their keys, at its `iteration`; of a list, each under "key/place",
  /// counted from 1, or, in a line with `matches`, their mean. Lists of lists and nulls are left out. Error when it
  /// cannot be written.
  ///
  /// The first line of a step has readers drop what earlier starts wrote from its iteration on.
  void append(const OrderedJson& line);

 private:
  void open(const std::string& step, int64_t iteration);
  void write(const std::string& event);

  const std::filesystem::path folder_;
  std::filesystem::path path_;
  std::string step_;  // whose file is open
  std::ofstream file_;
};

/// CRC-32C (Castagnoli) of `bytes`.
uint32_t crc32c(std::string_view bytes);

/// A record of a TFRecord file: length, its masked CRC-32C, the bytes, theirs.
std::string tf_record(const std::string& bytes);

struct TaggedNumber {
  std::string tag;
  float value = 0;
};
/// The bytes of protobuf message Event with a Summary of single numbers, in the order of `values`.
std::string summary_event(double wall_time, int64_t step, std::span<const TaggedNumber> values);

}  // namespace vlsi
