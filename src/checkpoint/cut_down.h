// Models that start from another one's weights.
#pragma once

#include <filesystem>
#include <vector>

#include "base/safetensors_writer.h"
#include "model/vlm.h"

namespace vlsi {

/// Takes the vision tower of `config` without its merger from the model in `directory`. Error when the towers differ in
/// shape or settings.
void take_vision_tower(std::vector<TensorSource>& weights, const ModelConfig& config,
                       const std::filesystem::path& directory);

/// Takes the weights of `config` from the larger model of its family in `directory`, cut down:
///   - its vision tower, whole;
///   - of n layers those that are evenly spaced among the source's, the first and the last with them;
///   - of every axis of a tensor the first values; of a head's channels the first frequencies of each rotary section.
/// A linear map is multiplied by sqrt(its inputs in the source / its inputs here): sums over fewer inputs then keep
/// their deviation. An untied head is cut from the source's head, tied or not. Error where an axis, or the number of
/// layers, is larger than the source's, or the towers differ.
void cut_down(std::vector<TensorSource>& weights, const ModelConfig& config, const std::filesystem::path& directory);

}  // namespace vlsi
