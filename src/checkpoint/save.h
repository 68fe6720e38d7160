// Models to Hugging Face directories, a tensor at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/safetensors_writer.h"
#include "model/vlm.h"

namespace vlsi {

/// The weights of `model` in `dtype` under their own names, adapters merged, each made when it is asked for. Error that
/// begins with `action` from the making of one that is NaN or infinite in `dtype`.
std::vector<TensorSource> merged_weights(const Vlm& model, at::ScalarType dtype, const std::string& action);

/// Writes a complete directory in the layout of the family's hub directories: config.json, `weights`, given by their
/// own names, under those that the family writes, in shards of `max_shard_bytes` with an index (one file where they
/// fit), generation_config.json, and the tokenizer and processor files of `carried_from`, unchanged. The weights are
/// made one after the other; all are of one dtype. The directory appears whole or not at all.
void write_model(const std::filesystem::path& directory, const ModelConfig& config, std::vector<TensorSource> weights,
                 const std::filesystem::path& carried_from, uint64_t max_shard_bytes = kMaxShardBytes);

/// write_model of `model` in `dtype`, with its adapters merged into the weights that they stand beside. Error naming
/// the first weight that is NaN or infinite in it.
void save_vlm(const std::filesystem::path& directory, const Vlm& model, at::ScalarType dtype,
              const std::filesystem::path& carried_from, uint64_t max_shard_bytes = kMaxShardBytes);

}  // namespace vlsi
