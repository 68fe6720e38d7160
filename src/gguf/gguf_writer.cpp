#include "gguf/gguf_writer.h"

#include <ATen/ATen.h>

#include <bit>
#include <span>
#include <type_traits>

#include "base/atomic_file.h"
#include "base/disk_space.h"
#include "base/error.h"
#include "base/parallel.h"

namespace vlsi {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are written as they are in memory");

constexpr uint32_t kVersion = 3;
constexpr uint64_t kAlignment = 32;
constexpr size_t kMaxNameBytes = 63;
constexpr int64_t kBlocksAtATime = 1 << 20;

template <class Number>
void append(std::string& out, Number number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void append(std::string& out, const std::string& text) {
  append(out, uint64_t{text.size()});
  out += text;
}

void append(std::string& out, bool flag) { out += flag ? '\1' : '\0'; }

constexpr uint32_t kArray = 9;

/// The format's numbers for kinds of values.
template <class T>
constexpr uint32_t kind_of() {
  if constexpr (std::is_same_v<T, uint32_t>) return 4;
  if constexpr (std::is_same_v<T, int32_t>) return 5;
  if constexpr (std::is_same_v<T, float>) return 6;
  if constexpr (std::is_same_v<T, bool>) return 7;
  if constexpr (std::is_same_v<T, std::string>) return 8;
}

template <class T>
void append_value(std::string& out, const T& value) {
  append(out, kind_of<T>());
  append(out, value);
}

template <class T>
void append_value(std::string& out, const std::vector<T>& values) {
  append(out, kArray);
  append(out, kind_of<T>());
  append(out, uint64_t{values.size()});
  for (const T& value : values) append(out, value);
}

uint64_t aligned(uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

std::string make_gguf_header(const std::vector<GgufEntry>& entries, const std::vector<GgufTensor>& tensors) {
  std::string header = "GGUF";
  append(header, kVersion);
  append(header, uint64_t{tensors.size()});
  append(header, uint64_t{entries.size()});
  for (const auto& [key, value] : entries) {
    append(header, key);
    std::visit([&](const auto& held) { append_value(header, held); }, value);
  }
  uint64_t offset = 0;
  for (const auto& tensor : tensors) {
    append(header, tensor.name);
    append(header, static_cast<uint32_t>(tensor.shape.size()));
    for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size) {
      append(header, static_cast<uint64_t>(*size));
    }
    append(header, tensor.type->id);
    append(header, offset);
    offset += aligned(tensor.num_bytes());
  }
  header.resize(aligned(header.size()));
  return header;
}

void check_tensor(const GgufTensor& tensor) {
  TORCH_CHECK(tensor.name.size() <= kMaxNameBytes, "the name ", tensor.name, " is too long");
  TORCH_CHECK(!tensor.shape.empty() && tensor.shape.back() % tensor.type->block_values == 0, tensor.name,
              " is no whole number of blocks wide");
}

/// Encodes and writes `values`, float32, a stretch of blocks at a time.
void write_data(AtomicFile& file, const at::Tensor& values, const TensorType& type) {
  const int64_t num_blocks = values.numel() / type.block_values;
  const float* data = values.const_data_ptr<float>();
  std::vector<std::byte> encoded;
  for (int64_t begin = 0; begin < num_blocks; begin += kBlocksAtATime) {
    const int64_t count = std::min(kBlocksAtATime, num_blocks - begin);
    encoded.resize(static_cast<size_t>(count * type.block_bytes));
    parallel_for(0, count, /*grain=*/4096, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        type.encode(data + (begin + i) * type.block_values, encoded.data() + i * type.block_bytes);
      }
    });
    file.write(encoded);
  }
}

}  // namespace

uint64_t GgufTensor::num_bytes() const {
  int64_t values = 1;
  for (const int64_t size : shape) values *= size;
  return static_cast<uint64_t>(values / type->block_values * type->block_bytes);
}

void write_gguf(const std::filesystem::path& path, const std::vector<GgufEntry>& entries,
                const std::vector<GgufTensor>& tensors) {
  const std::string action = "write " + path.string();
  uint64_t total_bytes = 0;
  for (const auto& tensor : tensors) {
    check_tensor(tensor);
    total_bytes += aligned(tensor.num_bytes());
  }
  const auto free_bytes = static_cast<uint64_t>(free_disk_bytes(path.parent_path(), action));
  if (free_bytes < total_bytes)
    fail(action, ": the weights take ", total_bytes, " bytes, the disk has ", free_bytes, " left");
  AtomicFile file(path);
  file.write(make_gguf_header(entries, tensors));
  for (const auto& tensor : tensors) {
    const auto values = tensor.make().detach().to(at::kCPU, at::kFloat).contiguous();
    TORCH_CHECK(values.sizes() == tensor.shape, "another tensor was made than ", tensor.name, " promised");
    if (values.numel() == 0) continue;
    // NaN is at most nothing.
    if (const auto largest = values.abs().max().item<float>(); !(largest <= tensor.type->largest)) {
      fail(action, ": ", tensor.name, " holds the magnitude ", largest, ", expected numbers up to ",
           tensor.type->largest, ", which ", tensor.type->name, " can hold");
    }
    write_data(file, values, *tensor.type);
    file.write(std::string(aligned(tensor.num_bytes()) - tensor.num_bytes(), '\0'));
  }
  file.commit();
}

}  // namespace vlsi
