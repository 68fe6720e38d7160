#include "objective/tile_products.h"

#include <algorithm>
#include <vector>

#include "base/parallel.h"

// MKL's, as LibTorch exports it; row-major is 101, as it stands 111, transposed 112.
extern "C" void cblas_gemm_bf16bf16f32(int layout, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                                       const void* a, int lda, const void* b, int ldb, float beta, float* c, int ldc);

namespace vlsi {
namespace {

int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

/// Positions of a panel: as many as fit, but the same work for every thread.
int64_t panel_positions(int64_t num_positions) {
  const int64_t num_panels = round_up((num_positions + kPanelLanes - 1) / kPanelLanes, num_threads());
  return std::max(kVectorLanes, round_up((num_positions + num_panels - 1) / std::max<int64_t>(1, num_panels), kVectorLanes));
}

class Avx512Products : public TileProducts {
 public:
  explicit Avx512Products(const HeadPassInput& input) : TileProducts(input, panel_positions(input.num_positions)) {
    panels_.resize(static_cast<size_t>(num_blocks() * panel_size()));
    parallel_for(0, num_blocks(), 1, [&](int64_t first, int64_t last) {
      for (int64_t block = first; block < last; ++block) {
        pack_panel(input_.u + block_first(block) * input_.width, block_positions(block), input_.width, input_.width,
                   block_lanes(block), panels_.data() + block * panel_size());
      }
    });
  }

  TileLayout layout() const override { return TileLayout::kPairs; }

  void load_tile(int64_t first, int64_t count) override {
    tile_first_ = first;
    tile_count_ = count;
    if (input_.rows == nullptr) return;
    blocks_.resize(static_cast<size_t>(kTileRows * input_.rows_width));
    parallel_for(0, input_.rows_width / kVectorLanes, 4, [&](int64_t begin, int64_t end) {
      pack_blocks(input_.rows + first * input_.rows_width, count / 2, input_.rows_width, begin * kVectorLanes,
                  end * kVectorLanes, blocks_.data());
    });
  }

  void logits(int64_t block, float* z) const override {
    const int64_t lanes = block_lanes(block);
    multiply_rows(input_.head + tile_first_ * input_.width, input_.width, tile_count_, input_.width / 2,
                  panels_.data() + block * panel_size(), lanes, z, lanes);
  }

  void add_expected(int64_t block, const uint16_t* p, float* e) const override {
    add_product_of_blocks(blocks_.data(), input_.rows_width, tile_count_ / 2, p, block_lanes(block), e);
  }

  void head_gradient(const uint16_t* p, int64_t stride, float* gradient) override {
    const int64_t num_pairs = (input_.num_positions + 1) / 2, width = input_.width;
    const int64_t num_panels = (width + kPanelLanes - 1) / kPanelLanes;
    const auto lanes_of = [&](int64_t panel) { return std::min(kPanelLanes, width - panel * kPanelLanes); };
    if (columns_.empty()) {
      columns_.resize(static_cast<size_t>(num_pairs * 2 * width));
      parallel_for(0, num_panels, 1, [&](int64_t first, int64_t last) {
        for (int64_t panel = first; panel < last; ++panel) {
          pack_pairs(input_.u, input_.num_positions, width, panel * kPanelLanes, lanes_of(panel),
                     columns_.data() + panel * kPanelLanes * num_pairs * 2);
        }
      });
    }
    parallel_for(0, num_panels, 1, [&](int64_t first, int64_t last) {
      for (int64_t panel = first; panel < last; ++panel) {
        multiply_rows(p, stride, tile_count_, num_pairs, columns_.data() + panel * kPanelLanes * num_pairs * 2, lanes_of(panel),
                      gradient + panel * kPanelLanes, width);
      }
    });
  }

 private:
  int64_t panel_size() const { return input_.width * block_size_; }

  std::vector<uint16_t> panels_;   // u, [blocks, D / 2, lanes, 2]
  std::vector<uint16_t> blocks_;   // the tile's rows, as pack_blocks leaves them
  std::vector<uint16_t> columns_;  // u again, with pairs of positions, for head_gradient
};

class MklProducts : public TileProducts {
 public:
  explicit MklProducts(const HeadPassInput& input)
      : TileProducts(input, std::clamp<int64_t>(round_up((input.num_positions + num_threads() - 1) / num_threads(), kVectorLanes),
                                                128, 512)) {}

  TileLayout layout() const override { return TileLayout::kRows; }

  void load_tile(int64_t first, int64_t count) override {
    tile_first_ = first;
    tile_count_ = count;
  }

  void logits(int64_t block, float* z) const override {
    const int64_t count = block_positions(block), lanes = block_lanes(block);
    multiply(112, tile_count_, count, input_.width, input_.head + tile_first_ * input_.width, input_.width,
             input_.u + block_first(block) * input_.width, input_.width, 0, z, lanes);
    for (int64_t row = 0; row < tile_count_; ++row) std::fill(z + row * lanes + count, z + (row + 1) * lanes, 0.0F);
  }

  void add_expected(int64_t block, const uint16_t* p, float* e) const override {
    const int64_t lanes = block_lanes(block);
    cblas_gemm_bf16bf16f32(101, 112, 111, static_cast<int>(input_.rows_width), static_cast<int>(lanes),
                           static_cast<int>(tile_count_), 1, input_.rows + tile_first_ * input_.rows_width,
                           static_cast<int>(input_.rows_width), p, static_cast<int>(lanes), 1, e, static_cast<int>(lanes));
  }

  void head_gradient(const uint16_t* p, int64_t stride, float* gradient) override {
    multiply(111, tile_count_, input_.width, input_.num_positions, p, stride, input_.u, input_.width, 0, gradient, input_.width);
  }

 private:
  static void multiply(int transpose_b, int64_t m, int64_t n, int64_t k, const uint16_t* a, int64_t lda, const uint16_t* b,
                       int64_t ldb, float beta, float* c, int64_t ldc) {
    cblas_gemm_bf16bf16f32(101, 111, transpose_b, static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), 1, a,
                           static_cast<int>(lda), b, static_cast<int>(ldb), beta, c, static_cast<int>(ldc));
  }
};

}  // namespace

TileProducts::TileProducts(const HeadPassInput& input, int64_t block_size) : input_(input), block_size_(block_size) {}

int64_t TileProducts::block_positions(int64_t block) const {
  return std::min(block_size_, input_.num_positions - block_first(block));
}

int64_t TileProducts::block_lanes(int64_t block) const { return round_up(block_positions(block), kVectorLanes); }

std::unique_ptr<TileProducts> avx512_products(const HeadPassInput& input) { return std::make_unique<Avx512Products>(input); }

std::unique_ptr<TileProducts> mkl_products(const HeadPassInput& input) { return std::make_unique<MklProducts>(input); }

bool has_tile_products(const HeadPassInput& input) {
  return has_avx512_bf16() && input.width % kVectorLanes == 0 && input.rows_width % kVectorLanes == 0 && input.vocab_size % 2 == 0;
}

std::unique_ptr<TileProducts> tile_products(const HeadPassInput& input) {
  return has_amx_bf16() ? mkl_products(input) : avx512_products(input);
}

}  // namespace vlsi
