// What training says about itself: means over answer positions, one JSON object a line.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"

namespace vlsi {

/// A mean in the making: a weighted sum over positions (a scalar, vector or matrix) and the sum of their weights.
struct Mean {
  at::Tensor sum;
  double weight = 0;
  at::Tensor weight_there = {};  // [], on a device; undefined: `weight` is all
};

/// Adds up over the micro-batches of an iteration.
class MetricSums {
 public:
  void add(const std::string& name, const Mean& mean);
  /// Brings the sums that are on a device to the host, in one copy, with the numbers `more` [] there behind them, whose
  /// values are returned.
  std::vector<double> to_host(const std::vector<at::Tensor>& more = {});
  /// Of another rank: what its packed() gave.
  void add(const OrderedJson& packed);
  /// The sums, with every bit: {name: {"shape", "values", "weight"}}; for MessagePack, not for text, since values may
  /// not be finite.
  OrderedJson packed() const;
  /// {name: number, list or list of lists}; null where the weights are zero or the mean is not finite.
  OrderedJson means() const;

 private:
  std::map<std::string, Mean> sums_;
};

/// metrics.jsonl of a run: lines are appended whole and flushed.
class MetricsFile {
 public:
  /// Continues behind the first `keep_bytes` of an existing file; what stands there goes when the first line is
  /// appended. Error when it has fewer.
  MetricsFile(std::filesystem::path path, int64_t keep_bytes);
  MetricsFile(const MetricsFile&) = delete;
  MetricsFile& operator=(const MetricsFile&) = delete;
  ~MetricsFile();

  /// A line that cannot be written whole is an Error, and not there at all.
  void append(const OrderedJson& line);
  int64_t size_bytes() const { return size_bytes_; }
  /// Forces what was appended to disk.
  void sync();

 private:
  void cut();

  std::filesystem::path path_;
  int descriptor_ = -1;
  int64_t size_bytes_ = 0;
  bool is_cut_ = false;  // to size_bytes_
};

}  // namespace vlsi
