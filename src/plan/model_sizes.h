// How large the parts of a model are, from its config.json and the headers of its weights alone.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/quantized_weight.h"
#include "model/vlm.h"

namespace vlsi {

/// Of some of a model's tensors.
struct TensorSizes {
  double values = 0;
  double viewed_bytes = 0;     // of those that are stored in the run's dtype: read in place, as pages of the file
  double converted_bytes = 0;  // of the others, in the run's dtype: memory of the process
  double stored_bytes = 0;     // of all, in the file

  double bytes() const { return viewed_bytes + converted_bytes; }
  TensorSizes& operator+=(const TensorSizes& other);
};

struct ModelSizes {
  std::shared_ptr<const Vlm> model;          // without values: its parts report what they cost
  std::map<std::string, TensorSizes> parts;  // by the names of model/parts.h
  TensorSizes all, largest_layer, table;     // table: what the language head reads, the embedding where they are tied
  TensorSizes maps;                          // of the decoder's linear maps
  double int8_bytes = 0, int4_bytes = 0;     // of these, quantised
  std::map<std::string, double>
      adapter_values;  // by the linear map's name: of adapters of rank 1 beside all of that name

  const TextConfig& text() const { return model->config().text; }
  const TensorSizes& part(const std::string& name) const;
  /// Of `maps` in `kind`, as they are with kNone.
  double map_bytes(Quantization kind) const;
  /// Of a decoder layer with its maps in `kind`; layers are alike.
  double quantized_layer_bytes(Quantization kind) const;
  /// Values of adapters of `rank` beside the maps called `targets`.
  double lora_values(int64_t rank, const std::vector<std::string>& targets) const;
};

/// Errors are load_model_config's and Checkpoint's.
ModelSizes read_model_sizes(const std::filesystem::path& directory, at::ScalarType dtype);

}  // namespace vlsi
