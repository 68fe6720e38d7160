// The matrix products of a head pass, a tile of the vocabulary and a block of positions at a time: bfloat16 numbers,
// float32 sums. (M positions of all layers, D width, V vocabulary rows, R width of the averaged rows)
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "model/cpu/bf16_avx512.h"

namespace vlsi {

/// What a pass reads; row-major, as the bits of bfloat16 numbers.
struct HeadPassInput {
  const uint16_t* u;                                     // [M, D]
  const uint16_t* head;                                  // [V, D]
  const uint16_t* rows;                                  // [V, R]
  int64_t num_positions, width, vocab_size, rows_width;  // M, D, V, R
};

inline constexpr int64_t kTileRows = 1024;  // vocabulary rows of a tile, at most; also how far a plain float32 sum goes

/// The vocabulary goes by in tiles, the positions are cut into blocks. Positions of a block stand side by side: its
/// matrices are [something, lanes], lanes a multiple of kVectorLanes; those beyond the last position say nothing and
/// stay finite.
class TileProducts {
 public:
  TileProducts(const HeadPassInput& input, int64_t tile_rows, int64_t block_size);
  virtual ~TileProducts() = default;

  int64_t tile_rows() const { return tile_rows_; }
  int64_t num_tiles() const { return (input_.vocab_size + tile_rows_ - 1) / tile_rows_; }
  int64_t tile_first(int64_t tile) const { return tile * tile_rows_; }
  int64_t tile_count(int64_t tile) const;  // even

  int64_t block_size() const { return block_size_; }
  int64_t num_blocks() const { return (input_.num_positions + block_size_ - 1) / block_size_; }
  int64_t block_first(int64_t block) const { return block * block_size_; }
  int64_t block_positions(int64_t block) const;
  int64_t block_lanes(int64_t block) const;

  /// How the tile's probabilities are wanted by add_expected.
  virtual TileLayout layout() const = 0;
  /// Before add_expected, all parts of a tile are prepared, in any order. A tile stays prepared until the second one
  /// after it is.
  virtual int64_t num_parts() const = 0;
  virtual void prepare(int64_t tile, int64_t part) = 0;
  /// z [count, lanes]: the tile's logits.
  virtual void logits(int64_t tile, int64_t block, float* z) const = 0;
  /// e [R, lanes] += (rows of the tile)ᵀ p, with p [count, lanes] in layout().
  virtual void add_expected(int64_t tile, int64_t block, const uint16_t* p, float* e) const = 0;
  /// gradient [count, D] = p u, with p [count, stride] in rows; stride is num_blocks() * block_size(), zero beyond the
  /// positions.
  virtual void head_gradient(int64_t tile, const uint16_t* p, int64_t stride, float* gradient) = 0;

 protected:
  HeadPassInput input_;

 private:
  int64_t tile_rows_, block_size_;
};

/// Products by the kernels of bf16_avx512.h.
std::unique_ptr<TileProducts> avx512_products(const HeadPassInput& input);
/// Products by MKL, which has kernels for AMX.
std::unique_ptr<TileProducts> mkl_products(const HeadPassInput& input);

/// Whether this processor and these shapes have a bfloat16 pass: AVX512-BF16; D and R multiples of 16, V even.
bool has_tile_products(const HeadPassInput& input);
/// The faster of the two here: MKL where there is AMX. Only where has_tile_products.
std::unique_ptr<TileProducts> tile_products(const HeadPassInput& input);

/// What tile_products takes on this processor, in words: "AMX, by MKL", "AVX512-BF16" or "none".
std::string tile_products_name();

}  // namespace vlsi
