#include "objective/cpu/tile_products.h"

#include <algorithm>
#include <vector>

#include "base/parallel.h"

// MKL's, as LibTorch exports it; row-major is 101, as it stands 111, transposed 112.
extern "C" void cblas_gemm_bf16bf16f32(int layout, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                                       const void* a, int lda, const void* b, int ldb, float beta, float* c, int ldc);

namespace vlsi {
namespace {

int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

constexpr int64_t kTileBytes = 8 << 20;  // of the head's rows in a tile: the threads' shared cache keeps them
constexpr int64_t kPartColumns = 256;    // of the averaged rows that one task packs

/// Vocabulary rows of a tile: fewer of a wide head.
int64_t rows_of_tile(int64_t width) {
  int64_t rows = kTileRows;
  while (rows > 128 && rows * width * 2 > kTileBytes) rows /= 2;
  return rows;
}

/// Positions of a panel: as many as fit, but every thread has one.
int64_t panel_positions(int64_t num_positions) {
  const int64_t full = (num_positions + kPanelLanes - 1) / kPanelLanes, num_panels = std::max(full, num_threads());
  return std::max(kVectorLanes, round_up((num_positions + num_panels - 1) / num_panels, kVectorLanes));
}

class Avx512Products : public TileProducts {
 public:
  explicit Avx512Products(const HeadPassInput& input)
      : TileProducts(input, rows_of_tile(input.width), panel_positions(input.num_positions)),
        blocks_(input.rows == nullptr ? 0 : 2 * tile_rows() * input.rows_width) {
    panels_.resize(static_cast<size_t>(num_blocks() * panel_size()));
    parallel_for(0, num_blocks(), 1, [&](int64_t first, int64_t last) {
      for (int64_t block = first; block < last; ++block) {
        pack_panel(input_.u + block_first(block) * input_.width, block_positions(block), input_.width, input_.width,
                   block_lanes(block), panels_.data() + block * panel_size());
      }
    });
  }

  TileLayout layout() const override { return TileLayout::kPairs; }

  int64_t num_parts() const override {
    return input_.rows == nullptr ? 0 : (input_.rows_width + kPartColumns - 1) / kPartColumns;
  }

  void prepare(int64_t tile, int64_t part) override {
    const int64_t first = part * kPartColumns, last = std::min(input_.rows_width, first + kPartColumns);
    pack_blocks(input_.rows + tile_first(tile) * input_.rows_width, tile_count(tile) / 2, input_.rows_width, first,
                last, blocks_.data() + blocks_of(tile));
  }

  void logits(int64_t tile, int64_t block, float* z) const override {
    const int64_t lanes = block_lanes(block);
    multiply_rows(input_.head + tile_first(tile) * input_.width, input_.width, tile_count(tile), input_.width / 2,
                  panels_.data() + block * panel_size(), lanes, z, lanes);
  }

  void add_expected(int64_t tile, int64_t block, const uint16_t* p, float* e) const override {
    add_product_of_blocks(blocks_.data() + blocks_of(tile), input_.rows_width, tile_count(tile) / 2, p,
                          block_lanes(block), e);
  }

  void head_gradient(int64_t tile, const uint16_t* p, int64_t stride, float* gradient) override {
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
        multiply_rows(p, stride, tile_count(tile), num_pairs, columns_.data() + panel * kPanelLanes * num_pairs * 2,
                      lanes_of(panel), gradient + panel * kPanelLanes, width);
      }
    });
  }

 private:
  int64_t panel_size() const { return input_.width * block_size(); }
  int64_t blocks_of(int64_t tile) const { return tile % 2 * tile_rows() * input_.rows_width; }

  std::vector<uint16_t> panels_;   // u, [blocks, D / 2, lanes, 2]
  std::vector<uint16_t> blocks_;   // rows of two tiles, as pack_blocks leaves them
  std::vector<uint16_t> columns_;  // u again, with pairs of positions, for head_gradient
};

class MklProducts : public TileProducts {
 public:
  explicit MklProducts(const HeadPassInput& input)
      : TileProducts(input, kTileRows,
                     std::clamp<int64_t>(
                         round_up((input.num_positions + num_threads() - 1) / num_threads(), kVectorLanes), 128, 512)) {
  }

  TileLayout layout() const override { return TileLayout::kRows; }

  int64_t num_parts() const override { return 0; }

  void prepare(int64_t, int64_t) override {}

  void logits(int64_t tile, int64_t block, float* z) const override {
    const int64_t count = block_positions(block), lanes = block_lanes(block);
    multiply(112, tile_count(tile), count, input_.width, input_.head + tile_first(tile) * input_.width, input_.width,
             input_.u + block_first(block) * input_.width, input_.width, 0, z, lanes);
    for (int64_t row = 0; row < tile_count(tile); ++row)
      std::fill(z + row * lanes + count, z + (row + 1) * lanes, 0.0F);
  }

  void add_expected(int64_t tile, int64_t block, const uint16_t* p, float* e) const override {
    const int64_t lanes = block_lanes(block);
    cblas_gemm_bf16bf16f32(101, 112, 111, static_cast<int>(input_.rows_width), static_cast<int>(lanes),
                           static_cast<int>(tile_count(tile)), 1, input_.rows + tile_first(tile) * input_.rows_width,
                           static_cast<int>(input_.rows_width), p, static_cast<int>(lanes), 1, e,
                           static_cast<int>(lanes));
  }

  void head_gradient(int64_t tile, const uint16_t* p, int64_t stride, float* gradient) override {
    multiply(111, tile_count(tile), input_.width, input_.num_positions, p, stride, input_.u, input_.width, 0, gradient,
             input_.width);
  }

 private:
  static void multiply(int transpose_b, int64_t m, int64_t n, int64_t k, const uint16_t* a, int64_t lda,
                       const uint16_t* b, int64_t ldb, float beta, float* c, int64_t ldc) {
    cblas_gemm_bf16bf16f32(101, 111, transpose_b, static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), 1, a,
                           static_cast<int>(lda), b, static_cast<int>(ldb), beta, c, static_cast<int>(ldc));
  }
};

}  // namespace

TileProducts::TileProducts(const HeadPassInput& input, int64_t tile_rows, int64_t block_size)
    : input_(input), tile_rows_(tile_rows), block_size_(block_size) {}

int64_t TileProducts::tile_count(int64_t tile) const {
  return std::min(tile_rows_, input_.vocab_size - tile_first(tile));
}

int64_t TileProducts::block_positions(int64_t block) const {
  return std::min(block_size_, input_.num_positions - block_first(block));
}

int64_t TileProducts::block_lanes(int64_t block) const { return round_up(block_positions(block), kVectorLanes); }

std::unique_ptr<TileProducts> avx512_products(const HeadPassInput& input) {
  return std::make_unique<Avx512Products>(input);
}

std::unique_ptr<TileProducts> mkl_products(const HeadPassInput& input) { return std::make_unique<MklProducts>(input); }

bool has_tile_products(const HeadPassInput& input) {
  return has_avx512_bf16() && input.width % kVectorLanes == 0 && input.rows_width % kVectorLanes == 0 &&
         input.vocab_size % 2 == 0;
}

std::unique_ptr<TileProducts> tile_products(const HeadPassInput& input) {
  return has_amx_bf16() ? mkl_products(input) : avx512_products(input);
}

std::string tile_products_name() {
  if (!has_avx512_bf16()) return "none";
  return has_amx_bf16() ? "AMX, by MKL" : "AVX512-BF16";
}

}  // namespace vlsi
