#include "family/llava_onevision/gguf.h"

namespace vlsi {

// Of the towers that llama.cpp has, those for grids of views neither cut a grid's padding off, nor end its rows with
// `image_newline`.
GgufParts llava_onevision_gguf_parts(const ModelConfig& config, const std::filesystem::path&,
                                     const std::string& place) {
  const std::string architecture = "qwen2";
  return {architecture,
          gguf_decoder_entries(config.text, architecture, /*has_head_size=*/false, place),
          gguf_decoder_rules(),
          {}};
}

}  // namespace vlsi
