#include "objective/cpu/vocabulary_pass.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/parallel.h"
#include "objective/cpu/tile_pipeline.h"

namespace vlsi {
namespace {

const uint16_t* bits(const at::Tensor& x) {
  return x.defined() ? reinterpret_cast<const uint16_t*>(x.const_data_ptr<at::BFloat16>()) : nullptr;
}

/// The state of every block's softmax, and the expected rows in the making: e [blocks, R, block size].
struct PassState {
  PassState(const TileProducts& products, int64_t rows_width)
      : stride(products.block_size()),
        numbers(at::zeros({4, products.num_blocks(), stride})),
        expected(at::zeros({products.num_blocks(), rows_width, stride})) {
    numbers[0].fill_(kNoMaximum);
  }
  RunningSoftmax softmax(int64_t block) const {
    const int64_t field = numbers.stride(0);
    float* first = numbers.data_ptr<float>() + block * stride;
    return {first, first + field, first + 2 * field, first + 3 * field};
  }
  float* expected_rows(int64_t block) const { return expected.data_ptr<float>() + block * expected.stride(0); }

  int64_t stride;
  at::Tensor numbers;   // [4, blocks, block size]: maximum, sum, rounded sum, weighted sum
  at::Tensor expected;  // [blocks, R, block size]
};

/// A tile's logits and probabilities, for each thread.
class Scratch {
 public:
  explicit Scratch(const TileProducts& products)
      : size_(products.tile_rows() * products.block_size()),
        logits_(num_threads() * size_),
        probabilities_(logits_.size()) {}
  float* logits() { return logits_.data() + thread_index() * size_; }
  uint16_t* probabilities() { return probabilities_.data() + thread_index() * size_; }

 private:
  int64_t size_;
  std::vector<float> logits_;            // [threads, tile, lanes]
  std::vector<uint16_t> probabilities_;  // [threads, tile, lanes]
};

}  // namespace

HeadPassInput head_pass_input(const at::Tensor& u, const at::Tensor& head, const at::Tensor& rows) {
  TORCH_CHECK(u.is_contiguous() && head.is_contiguous() && (!rows.defined() || rows.is_contiguous()),
              "a pass reads dense rows");
  return {bits(u), bits(head), bits(rows), u.size(0), u.size(1), head.size(0), rows.defined() ? rows.size(1) : 0};
}

HeadSummary summarize_vocabulary(const HeadPassInput& input, TileProducts& products) {
  const PassState state(products, input.rows_width);
  Scratch scratch(products);
  run_pipeline({products.num_tiles(), products.num_parts(), products.num_blocks(),
                [&](int64_t tile, int64_t part) { products.prepare(tile, part); },
                [&](int64_t tile, int64_t block) {
                  const int64_t lanes = products.block_lanes(block), count = products.tile_count(tile);
                  float *z = scratch.logits(), *e = state.expected_rows(block), shrink[kMaxBlockLanes];
                  uint16_t* p = scratch.probabilities();
                  products.logits(tile, block, z);
                  if (take_tile(z, count, lanes, state.softmax(block), products.layout(), p, shrink)) {
                    scale_columns(e, input.rows_width, lanes, shrink);
                  }
                  products.add_expected(tile, block, p, e);
                }});

  const auto options = at::TensorOptions(at::kFloat);
  HeadSummary summary{at::empty({input.num_positions}, options),
                      at::empty({input.num_positions, input.rows_width}, options),
                      at::empty({input.num_positions}, options)};
  auto* logsumexp = summary.logsumexp.mutable_data_ptr<float>();
  auto* entropy = summary.entropy.mutable_data_ptr<float>();
  auto* expected = summary.expected_row.mutable_data_ptr<float>();
  parallel_for(0, products.num_blocks(), 1, [&](int64_t first_block, int64_t last_block) {
    for (int64_t block = first_block; block < last_block; ++block) {
      const auto softmax = state.softmax(block);
      const float* e = state.expected_rows(block);
      const int64_t lanes = products.block_lanes(block), first = products.block_first(block);
      for (int64_t lane = 0; lane < products.block_positions(block); ++lane) {
        const float log_sum = std::log(softmax.sum[lane]);
        logsumexp[first + lane] = softmax.maximum[lane] + log_sum;
        entropy[first + lane] = log_sum - softmax.weighted_sum[lane] / softmax.rounded_sum[lane];
        float* row = expected + (first + lane) * input.rows_width;
        const float scale = 1 / softmax.rounded_sum[lane];
        for (int64_t r = 0; r < input.rows_width; ++r) row[r] = e[r * lanes + lane] * scale;
      }
    }
  });
  return summary;
}

at::Tensor vocabulary_gradient(const HeadPassInput& input, TileProducts& products, const at::Tensor& logsumexp,
                               const at::Tensor& g, const at::Tensor& labels) {
  const int64_t stride = products.num_blocks() * products.block_size();
  const auto padded = [&](const at::Tensor& x) { return at::constant_pad_nd(x, {0, stride - input.num_positions}); };
  const auto c = padded(logsumexp), weight = padded(g);  // beyond the positions the weight is zero
  const auto label = labels.contiguous();
  const float *c_data = c.const_data_ptr<float>(), *weight_data = weight.const_data_ptr<float>();
  const auto* label_data = label.const_data_ptr<int64_t>();

  auto gradient = at::empty({input.vocab_size, input.width}, at::kBFloat16);
  auto weighted = at::zeros({products.tile_rows(), stride}, at::kBFloat16);  // g (q - onehot) of the tile
  auto tile_gradient = at::empty({products.tile_rows(), input.width}, at::kFloat);
  auto* weighted_bits = reinterpret_cast<uint16_t*>(weighted.mutable_data_ptr<at::BFloat16>());
  Scratch scratch(products);
  for (int64_t tile = 0; tile < products.num_tiles(); ++tile) {
    const int64_t first_row = products.tile_first(tile), count = products.tile_count(tile);
    parallel_for(0, products.num_blocks(), 1, [&](int64_t first, int64_t last) {
      float* z = scratch.logits();
      for (int64_t block = first; block < last; ++block) {
        const int64_t lanes = products.block_lanes(block), position = products.block_first(block);
        products.logits(tile, block, z);
        weigh_tile(z, count, lanes, c_data + position, weight_data + position, weighted_bits + position, stride);
        for (int64_t m = position; m < position + products.block_positions(block); ++m) {
          const int64_t row = label_data[m] - first_row;
          if (row < 0 || row >= count) continue;
          const float q = std::exp(z[row * lanes + m - position] - c_data[m]);
          weighted_bits[row * stride + m] = at::BFloat16(weight_data[m] * (q - 1)).x;
        }
      }
    });
    products.head_gradient(tile, weighted_bits, stride, tile_gradient.mutable_data_ptr<float>());
    gradient.narrow(0, first_row, count).copy_(tile_gradient.narrow(0, 0, count));
  }
  return gradient;
}

}  // namespace vlsi
