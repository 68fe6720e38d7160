#include "train/metrics.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"

namespace vlsi {
namespace {

/// A number, or lists of numbers as deep as the tensor has dimensions; null for what is not finite.
OrderedJson nested_list(const at::Tensor& values) {
  if (values.dim() == 0) {
    const double value = values.item<double>();
    return std::isfinite(value) ? OrderedJson(value) : OrderedJson(nullptr);
  }
  OrderedJson list = OrderedJson::array();
  for (const auto& row : values.unbind()) list.push_back(nested_list(row));
  return list;
}

}  // namespace

void MetricSums::add(const std::string& name, const Mean& mean) {
  auto& total = sums_[name];
  const auto sum = mean.sum.detach().to(at::kDouble);
  total.sum = total.sum.defined() ? total.sum + sum : sum;
  total.weight += mean.weight;
  if (!mean.weight_there.defined()) return;
  const auto weight = mean.weight_there.detach().to(at::kDouble);
  total.weight_there = total.weight_there.defined() ? total.weight_there + weight : weight;
}

std::vector<double> MetricSums::to_host(const std::vector<at::Tensor>& more) {
  std::vector<at::Tensor*> there;
  std::vector<at::Tensor> values;
  for (auto& [name, mean] : sums_) {
    for (auto* tensor : {&mean.sum, &mean.weight_there}) {
      if (!tensor->defined() || tensor->is_cpu()) continue;
      there.push_back(tensor);
      values.push_back(tensor->flatten());
    }
  }
  for (const auto& number : more) values.push_back(number.to(at::kDouble).view(1));
  if (values.empty()) return {};
  const auto all = at::cat(values).cpu();
  int64_t first = 0;
  for (auto* sum : there) {
    const int64_t count = sum->numel();
    *sum = all.narrow(0, std::exchange(first, first + count), count).view(sum->sizes());
  }
  for (auto& [name, mean] : sums_) {
    if (auto weight = std::exchange(mean.weight_there, at::Tensor()); weight.defined())
      mean.weight += weight.item<double>();
  }
  const std::span numbers(all.const_data_ptr<double>(), static_cast<size_t>(all.numel()));
  return {numbers.begin() + first, numbers.end()};
}

void MetricSums::add(const OrderedJson& packed) {
  for (const auto& [name, entry] : packed.items()) {
    const auto values = at::tensor(entry.at("values").get<std::vector<double>>(), at::kDouble);
    add(name, {values.view(entry.at("shape").get<std::vector<int64_t>>()), entry.at("weight")});
  }
}

OrderedJson MetricSums::packed() const {
  OrderedJson packed = OrderedJson::object();
  for (const auto& [name, mean] : sums_) {
    const auto flat = mean.sum.flatten().contiguous();
    const std::span values(flat.const_data_ptr<double>(), static_cast<size_t>(flat.numel()));
    packed[name] = {{"shape", mean.sum.sizes().vec()},
                    {"values", std::vector(values.begin(), values.end())},
                    {"weight", mean.weight}};
  }
  return packed;
}

OrderedJson MetricSums::means() const {
  OrderedJson json = OrderedJson::object();
  for (const auto& [name, mean] : sums_) json[name] = nested_list(mean.sum / mean.weight);
  return json;
}

MetricsFile::MetricsFile(std::filesystem::path path, int64_t keep_bytes) : path_(std::move(path)) {
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail("writing metrics to ", path_.string(), ": ", std::strerror(errno));
  const int64_t size = ::lseek(descriptor_, 0, SEEK_END);
  if (size < keep_bytes) {
    fail("continuing ", path_.string(), ": it has ", size, " bytes, the checkpoint expects at least ", keep_bytes);
  }
  size_bytes_ = keep_bytes;
}

MetricsFile::~MetricsFile() { ::close(descriptor_); }

void MetricsFile::cut() {
  if (::ftruncate(descriptor_, size_bytes_) != 0)
    fail("writing metrics to ", path_.string(), ": ", std::strerror(errno));
  ::lseek(descriptor_, size_bytes_, SEEK_SET);
  is_cut_ = true;
}

void MetricsFile::append(const OrderedJson& line) {
  if (!is_cut_) cut();
  const std::string text = line.dump() + "\n";
  for (size_t written = 0; written < text.size();) {
    const ssize_t count = ::write(descriptor_, text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int error = errno;
      cut();
      fail("writing metrics to ", path_.string(), ": ", std::strerror(error));
    }
    written += static_cast<size_t>(count);
  }
  size_bytes_ += static_cast<int64_t>(text.size());
}

void MetricsFile::sync() {
  if (::fsync(descriptor_) != 0) fail("writing metrics to ", path_.string(), ": ", std::strerror(errno));
}

}  // namespace vlsi
