// The matrix products of a head pass, a tile of the vocabulary and a block of positions at a time: bfloat16 numbers, float32 sums.
// (M positions of all layers, D width, V vocabulary rows, R width of the averaged rows)
#pragma once

#include <cstdint>
#include <memory>

#include "objective/bf16_avx512.h"

namespace vlsi {

/// What a pass reads; row-major, as the bits of bfloat16 numbers.
struct HeadPassInput {
  const uint16_t* u;  // [M, D]
  const uint16_t* head;  // [V, D]
  const uint16_t* rows;  // [V, R]
  int64_t num_positions, width, vocab_size, rows_width;  // M, D, V, R
};

inline constexpr int64_t kTileRows = 1024;  // vocabulary rows of a tile; also how far a plain float32 sum goes

/// Positions of a block stand side by side: its matrices are [something, lanes], lanes a multiple of kVectorLanes; those beyond the
/// last position say nothing and stay finite.
class TileProducts {
 public:
  explicit TileProducts(const HeadPassInput& input, int64_t block_size);
  virtual ~TileProducts() = default;

  int64_t num_blocks() const { return (input_.num_positions + block_size_ - 1) / block_size_; }
  int64_t block_first(int64_t block) const { return block * block_size_; }
  int64_t block_positions(int64_t block) const;
  int64_t block_lanes(int64_t block) const;
  int64_t block_size() const { return block_size_; }

  /// How the tile's probabilities are wanted by add_expected.
  virtual TileLayout layout() const = 0;
  /// Goes on to the vocabulary rows first ... first + count, an even number of at most kTileRows.
  virtual void load_tile(int64_t first, int64_t count) = 0;
  /// z [count, lanes]: the tile's logits.
  virtual void logits(int64_t block, float* z) const = 0;
  /// e [R, lanes] += (rows of the tile)ᵀ p, with p [count, lanes] in layout().
  virtual void add_expected(int64_t block, const uint16_t* p, float* e) const = 0;
  /// gradient [count, D] = p u, with p [count, stride] in rows; stride is num_blocks() * block_size(), zero beyond the positions.
  virtual void head_gradient(const uint16_t* p, int64_t stride, float* gradient) = 0;

 protected:
  HeadPassInput input_;
  int64_t block_size_, tile_first_ = 0, tile_count_ = 0;
};

/// Products by the kernels of bf16_avx512.h.
std::unique_ptr<TileProducts> avx512_products(const HeadPassInput& input);
/// Products by MKL, which has kernels for AMX.
std::unique_ptr<TileProducts> mkl_products(const HeadPassInput& input);

/// Whether this processor and these shapes have a bfloat16 pass: AVX512-BF16; D and R multiples of 16, V even.
bool has_tile_products(const HeadPassInput& input);
/// The faster of the two here: MKL where there is AMX. Only where has_tile_products.
std::unique_ptr<TileProducts> tile_products(const HeadPassInput& input);

}  // namespace vlsi
