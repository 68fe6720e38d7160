// Models from and to Hugging Face directories, and random ones.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "model/vlm.h"

namespace vlsi {

/// The model in `directory`, frozen. A weight that is stored in `dtype` is a read-only view of the mapped file; another
/// dtype is converted. Both naming generations are read; missing, unexpected and misshapen tensors are one Error that lists
/// them all.
std::shared_ptr<Vlm> load_vlm(const std::filesystem::path& directory, at::ScalarType dtype,
                              at::Device device = at::kCPU);

/// Writes a complete directory: flat config.json, model.safetensors under gen-1 names in `dtype`, generation_config.json, and
/// the tokenizer and processor files of `carried_from`, unchanged. Adapters are merged into what is written. The directory
/// appears whole or not at all.
void save_vlm(const std::filesystem::path& directory, const Vlm& model, at::ScalarType dtype,
              const std::filesystem::path& carried_from);

/// How random weights are drawn; norms are one and biases zero in both.
enum class Initializer {
  kFanIn,   // std 1/sqrt(inputs) for linear maps, 0.05 for the token embedding: for training from scratch
  kNormal,  // std `initializer_range` everywhere, as transformers
};

/// Random float32 weights; a function of `seed` alone.
std::shared_ptr<Vlm> initialize_vlm(const ModelConfig& config, Initializer initializer, uint64_t seed);

/// Copies the vision tower without its merger. Error when the towers differ in shape.
void copy_vision_tower(const Vlm& from, Vlm& to, const std::string& place);

/// "float32", "bfloat16" or "float16"; Error naming `place` for another.
at::ScalarType parse_dtype(const std::string& name, const std::string& place);
std::string dtype_name(at::ScalarType dtype);

}  // namespace vlsi
