#include "plan/model_sizes.h"

#include "base/safetensors.h"
#include "family/family.h"
#include "model/parts.h"
#include "model/weight_stream.h"

namespace vlsi {
namespace {

TensorSizes sizes_of(const TensorInfo& info, at::ScalarType dtype) {
  TensorSizes sizes;
  sizes.values = num_values(info);
  sizes.stored_bytes = static_cast<double>(info.end - info.begin);
  const double bytes = sizes.values * static_cast<double>(c10::elementSize(dtype));
  (info.dtype == dtype ? sizes.viewed_bytes : sizes.converted_bytes) = bytes;
  return sizes;
}

}  // namespace

TensorSizes& TensorSizes::operator+=(const TensorSizes& other) {
  values += other.values;
  viewed_bytes += other.viewed_bytes;
  converted_bytes += other.converted_bytes;
  stored_bytes += other.stored_bytes;
  return *this;
}

const TensorSizes& ModelSizes::part(const std::string& name) const {
  static const TensorSizes none;
  const auto found = parts.find(name);
  return found == parts.end() ? none : found->second;
}

double ModelSizes::lora_values(int64_t rank, const std::vector<std::string>& targets) const {
  double values = 0;
  for (const auto& target : targets) {
    const auto found = adapter_values.find(target);
    if (found != adapter_values.end()) values += found->second * static_cast<double>(rank);
  }
  return values;
}

double ModelSizes::map_bytes(Quantization kind) const {
  if (kind == Quantization::kNone) return maps.bytes();
  return kind == Quantization::kInt8 ? int8_bytes : int4_bytes;
}

double ModelSizes::quantized_layer_bytes(Quantization kind) const {
  return largest_layer.bytes() - (maps.bytes() - map_bytes(kind)) / static_cast<double>(text().num_hidden_layers);
}

ModelSizes read_model_sizes(const std::filesystem::path& directory, at::ScalarType dtype) {
  ModelSizes model;
  model.model = make_vlm(load_model_config(directory));
  const auto& family = family_of(model.model->config());
  const auto checkpoint = Checkpoint::open(directory);
  std::map<size_t, TensorSizes> layers;
  for (const auto& stored : checkpoint.names()) {
    const auto name = family.own_name(stored).value_or(stored);
    if (name.empty()) continue;                                               // not needed
    if (name == "head.weight" && model.text().tie_word_embeddings) continue;  // the embedding, a second time
    const auto& info = checkpoint.info(stored);
    const auto sizes = sizes_of(info, dtype);
    model.all += sizes;
    model.parts[part_of(name)] += sizes;
    const auto part = streamed_part(name);
    if (!part || *part == 0) continue;
    layers[*part] += sizes;
    if (info.shape.size() != 2) continue;
    model.maps += sizes;
    const auto bytes = [&](Quantization kind) {
      return static_cast<double>(quantized_bytes(info.shape[0], info.shape[1], kind));
    };
    model.int8_bytes += bytes(Quantization::kInt8);
    model.int4_bytes += bytes(Quantization::kInt4);
    const auto map = name.substr(0, name.rfind('.'));
    model.adapter_values[map.substr(map.rfind('.') + 1)] += static_cast<double>(info.shape[0] + info.shape[1]);
  }
  for (const auto& [index, layer] : layers) {
    if (layer.bytes() > model.largest_layer.bytes()) model.largest_layer = layer;
  }
  model.table = model.part(model.text().tie_word_embeddings ? "embeddings" : "head");
  return model;
}

}  // namespace vlsi
