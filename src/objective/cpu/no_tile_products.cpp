// Stands for vocabulary_pass.cpp and tile_products.cpp on processors that are not x86-64: there is no such pass.
#include <c10/util/Exception.h>

#include "objective/cpu/vocabulary_pass.h"

namespace vlsi {

bool has_tile_products(const HeadPassInput&) { return false; }

std::unique_ptr<TileProducts> avx512_products(const HeadPassInput&) {
  TORCH_CHECK(false, "has_tile_products is false");
}

std::unique_ptr<TileProducts> mkl_products(const HeadPassInput&) { TORCH_CHECK(false, "has_tile_products is false"); }

std::unique_ptr<TileProducts> tile_products(const HeadPassInput&) { TORCH_CHECK(false, "has_tile_products is false"); }

std::string tile_products_name() { return "none"; }

HeadPassInput head_pass_input(const at::Tensor&, const at::Tensor&, const at::Tensor&) { return {}; }

HeadSummary summarize_vocabulary(const HeadPassInput&, TileProducts&) {
  TORCH_CHECK(false, "has_tile_products is false");
}

at::Tensor vocabulary_gradient(const HeadPassInput&, TileProducts&, const at::Tensor&, const at::Tensor&,
                               const at::Tensor&) {
  TORCH_CHECK(false, "has_tile_products is false");
}

}  // namespace vlsi
