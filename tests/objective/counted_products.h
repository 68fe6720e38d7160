// How the work of a head pass grows with its sizes, by counting the multiply-adds that it asks for.
#pragma once

#include <ATen/ATen.h>

#include <atomic>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "objective/cpu/tile_products.h"
#include "objective/cpu/vocabulary_pass.h"

namespace vlsi {

/// Another TileProducts, and how many multiply-adds it was asked for, those of unused lanes included.
class CountedProducts : public TileProducts {
 public:
  CountedProducts(const HeadPassInput& input, std::unique_ptr<TileProducts> products)
      : TileProducts(input, products->tile_rows(), products->block_size()), products_(std::move(products)) {}

  int64_t multiply_adds() const { return multiply_adds_; }

  TileLayout layout() const override { return products_->layout(); }
  int64_t num_parts() const override { return products_->num_parts(); }
  void prepare(int64_t tile, int64_t part) override { products_->prepare(tile, part); }
  void logits(int64_t tile, int64_t block, float* z) const override {
    multiply_adds_ += tile_count(tile) * block_lanes(block) * input_.width;
    products_->logits(tile, block, z);
  }
  void add_expected(int64_t tile, int64_t block, const uint16_t* p, float* e) const override {
    multiply_adds_ += tile_count(tile) * block_lanes(block) * input_.rows_width;
    products_->add_expected(tile, block, p, e);
  }
  void head_gradient(int64_t tile, const uint16_t* p, int64_t stride, float* gradient) override {
    multiply_adds_ += tile_count(tile) * stride * input_.width;
    products_->head_gradient(tile, p, stride, gradient);
  }

 private:
  std::unique_ptr<TileProducts> products_;
  mutable std::atomic<int64_t> multiply_adds_ = 0;
};

/// Multiply-adds of a pass over num_positions rows of `width` and a head of vocab_size rows whose own rows it averages.
inline int64_t work_of_pass(int64_t num_positions, int64_t vocab_size, int64_t width) {
  const auto u = at::zeros({num_positions, width}, at::kBFloat16), head = at::zeros({vocab_size, width}, at::kBFloat16);
  const auto input = head_pass_input(u, head, head);
  CountedProducts products(input, tile_products(input));
  summarize_vocabulary(input, products);
  return products.multiply_adds();
}

enum class GrowingSize { kVocabulary, kPositions, kLayers };

/// The slope of log work over log size, by least squares, of a student's and a teacher's pass together: vocabularies of
/// 32,768 to 151,936 rows, 128 to 1,000 positions, or 2 to 29 layers of both models. Only for processors with a
/// bfloat16 pass.
inline double growth_of_work(GrowingSize growing) {
  struct Shape {
    int64_t student_layers, teacher_layers, num_positions, vocab_size;
  };
  std::vector<std::pair<int64_t, Shape>> cases;  // with the size that grows
  switch (growing) {
    case GrowingSize::kVocabulary:
      for (const int64_t v : {32768, 65536, 100000, 151936}) cases.push_back({v, {1, 1, 128, v}});
      break;
    case GrowingSize::kPositions:
      for (const int64_t n : {128, 200, 333, 512, 1000}) cases.push_back({n, {1, 1, n, 8192}});
      break;
    case GrowingSize::kLayers:
      for (const auto& [s, l] : std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {3, 4}, {8, 8}, {8, 21}})
        cases.push_back({s + l, {s, l, 128, 8192}});
      break;
  }
  double sum_x = 0, sum_y = 0, sum_xx = 0, sum_xy = 0;
  for (const auto& [size, shape] : cases) {
    const int64_t work = work_of_pass(shape.student_layers * shape.num_positions, shape.vocab_size, 16) +
                         work_of_pass(shape.teacher_layers * shape.num_positions, shape.vocab_size, 32);
    const double x = std::log(static_cast<double>(size)), y = std::log(static_cast<double>(work));
    sum_x += x, sum_y += y, sum_xx += x * x, sum_xy += x * y;
  }
  const auto n = static_cast<double>(cases.size());
  return (n * sum_xy - sum_x * sum_y) / (n * sum_xx - sum_x * sum_x);
}

}  // namespace vlsi
