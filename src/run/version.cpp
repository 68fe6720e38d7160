#include "run/version.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include "base/mkl_instructions.h"
#include "objective/cpu/tile_products.h"

namespace vlsi {

OrderedJson version_json() {
  return {{"version", VLSI_VERSION},
          {"build", VLSI_BUILD},
          {"compiler", VLSI_COMPILER},
          {"libtorch", TORCH_VERSION},
          {"libtorch_for", VLSI_TORCH},
          {"threads", at::get_num_threads()},
          {"vector_instructions", at::get_cpu_capability()},
          {"bfloat16_head_products", tile_products_name()},
          {"mkl", mkl_serv_intel_cpu_true() != 0 ? "by the processor's abilities" : "by the processor's maker"}};
}

std::string version_text() {
  const auto json = version_json();
  const auto text = [&](const char* key) {
    return json[key].is_string() ? json[key].get<std::string>() : json[key].dump();
  };
  return concat("vlsi ", text("version"), " (", text("build"), ", ", text("compiler"), ")\nLibTorch ", text("libtorch"),
                " for ", text("libtorch_for"), ", ", text("threads"), " threads, ", text("vector_instructions"),
                "\nbfloat16 products with the head: ", text("bfloat16_head_products"), "\nMKL chooses its kernels ",
                text("mkl"), "\n");
}

}  // namespace vlsi
