// Products of few rows at the shapes of Qwen2-VL 2B's text model, against the memory's speed.
//   row_products_bench [ROWS ...]    rows at once [1 16]
// Prints one JSON object: `bandwidth`, the best of several plain threaded reads of an array, in bytes a second; for
// each kind of weight and number of rows the seconds that all weights of a token take, and the bytes of them a second ÷
// bandwidth; the same for the kernels of other instruction sets, of one layer.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/parallel.h"
#include "bench/read_bandwidth.h"
#include "model/cpu/cached_attention.h"
#include "model/cpu/row_products.h"

namespace {

using namespace vlsi;

constexpr int kRounds = 7;

/// The shortest of several calls, in seconds.
template <class Call>
double shortest(const Call& call) {
  double best = 1e9;
  for (int i = 0; i < kRounds; ++i) {
    const auto started = std::chrono::steady_clock::now();
    call();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
  }
  return best;
}

struct MapShape {
  int64_t in, out;
};

constexpr int64_t kLayers = 28;
/// Of a layer: q, k, v together; o; gate, up together; down.
const std::vector<std::vector<MapShape>> kLayer{
    {{1536, 1536}, {1536, 256}, {1536, 256}}, {{1536, 1536}}, {{1536, 8960}, {1536, 8960}}, {{8960, 1536}}};
constexpr MapShape kHead{1536, 151936};

struct Weights {
  std::vector<at::Tensor> plain;
  std::vector<QuantizedWeight> quantized;
  std::vector<RowMap> maps;
};

Weights make_weights(const std::vector<MapShape>& shapes, const std::string& kind) {
  Weights made;
  for (const auto& [in, out] : shapes) {
    const auto weight = at::randn({out, in}, at::kBFloat16);
    if (kind == "float32" || kind == "bfloat16") {
      made.plain.push_back(weight.to(kind == "float32" ? at::kFloat : at::kBFloat16));
    } else {
      made.quantized.push_back(quantize_weight(weight, parse_or_fail<Quantization>(kind, "kind")));
    }
  }
  for (const auto& weight : made.plain) made.maps.push_back({weight});
  for (const auto& weight : made.quantized) made.maps.push_back({{}, &weight});
  return made;
}

double bytes_of(const Weights& weights) {
  double sum = 0;
  for (const auto& weight : weights.plain) sum += static_cast<double>(weight.nbytes());
  for (const auto& weight : weights.quantized) sum += static_cast<double>(weight.num_bytes());
  return sum;
}

/// All weights of a token, layer by layer, each read once.
OrderedJson measure_kind(const std::string& kind, const std::vector<int64_t>& row_counts, double bandwidth) {
  const int64_t num_layers = kind == "float32" ? 7 : kLayers;
  std::vector<Weights> groups;
  for (int64_t layer = 0; layer < num_layers; ++layer) {
    for (const auto& shapes : kLayer) groups.push_back(make_weights(shapes, kind));
  }
  groups.push_back(make_weights({kHead}, kind));
  double bytes = 0;
  for (const auto& group : groups) bytes += bytes_of(group);
  OrderedJson found;
  for (const int64_t rows : row_counts) {
    const auto dtype = kind == "float32" ? at::kFloat : at::kBFloat16;
    const auto narrow = at::randn({rows, 1536}, dtype), wide = at::randn({rows, 8960}, dtype);
    const double seconds = shortest([&] {
      for (const auto& group : groups) {
        const auto& map = group.maps.front();
        const int64_t in = map.quantized != nullptr ? map.quantized->in_features : map.weight.size(1);
        row_products(in == 8960 ? wide : narrow, group.maps, dtype);
      }
    });
    found[std::to_string(rows)] = {{"seconds", seconds}, {"bytes_to_bandwidth", bytes / seconds / bandwidth}};
  }
  return found;
}

/// Seconds of one layer by the kernels of each instruction set.
OrderedJson measure_instructions(int64_t rows) {
  OrderedJson found;
  for (const std::string kind : {"float32", "bfloat16", "int8", "int4"}) {
    std::vector<Weights> groups;
    for (const auto& shapes : kLayer) groups.push_back(make_weights(shapes, kind));
    const auto dtype = kind == "float32" ? at::kFloat : at::kBFloat16;
    const auto narrow = at::randn({rows, 1536}, dtype), wide = at::randn({rows, 8960}, dtype);
    for (const auto& kernels : available_kernels().subspan(1)) {
      found[std::string(kernels.name)][kind] = shortest([&] {
        for (size_t i = 0; i < groups.size(); ++i) {
          row_products(i + 1 == groups.size() ? wide : narrow, groups[i].maps, dtype, kernels);
        }
      });
    }
  }
  return found;
}

/// Seconds of a layer's attention of `batch` sequences of `length` tokens.
double measure_attention(int64_t batch, int64_t length) {
  const int64_t blocks_each = (length + kBlockSlots - 1) / kBlockSlots;
  const auto pool = [&] { return at::randn({batch * blocks_each * kBlockSlots, 2, 128}, at::kBFloat16); };
  const auto k = pool(), v = pool(), q = at::randn({batch, 12, 128}, at::kBFloat16);
  std::vector<int32_t> blocks(static_cast<size_t>(batch * blocks_each));
  std::iota(blocks.begin(), blocks.end(), 0);
  std::vector<CachedSpan> spans;
  for (int64_t i = 0; i < batch; ++i) spans.push_back({blocks.data() + i * blocks_each, length});
  return shortest([&] { cached_attention(q, k, v, spans); });
}

}  // namespace

int main(int argc, char** argv) {
  at::NoGradGuard no_grad;
  std::vector<int64_t> row_counts;
  for (int i = 1; i < argc; ++i) row_counts.push_back(std::stoll(argv[i]));
  if (row_counts.empty()) row_counts = {1, 16};
  const double bandwidth = read_bandwidth();
  OrderedJson found{{"bandwidth", bandwidth}, {"instructions", std::string(best_kernels().name)}};
  for (const std::string kind : {"bfloat16", "int8", "int4", "float32"}) {
    found[kind] = measure_kind(kind, row_counts, bandwidth);
  }
  for (const int64_t rows : row_counts) found["layer of " + std::to_string(rows)] = measure_instructions(rows);
  for (const int64_t batch : {1, 16})
    found["attention to 1024 of " + std::to_string(batch)] = measure_attention(batch, 1024);
  std::cout << found.dump(2) << "\n";
}
