#include "model/quantize.h"

#include <map>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/safetensors.h"
#include "model/linear.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

/// The linear maps of each decoder layer, by its part of a streamed model.
std::map<size_t, std::vector<Linear*>> maps_by_part(Vlm& model) {
  std::map<size_t, std::vector<Linear*>> maps;
  model.for_each_module([&](const std::string& name, Module& module) {
    auto* linear = dynamic_cast<Linear*>(&module);
    if (linear == nullptr || !name.starts_with("decoder.")) return;
    maps[streamed_part(name + ".weight").value()].push_back(linear);
  });
  return maps;
}

/// The maps' weights in `kind`, as views of the file `path`, whose name is taken away.
std::vector<QuantizedWeight> quantize_into_file(const std::vector<Linear*>& maps, Quantization kind,
                                                const fs::path& path) {
  std::vector<QuantizedWeight> made;
  NamedTensors tensors;
  for (const auto* map : maps) {
    made.push_back(quantize_weight(map->weight(), kind));
    tensors.emplace_back(concat(made.size(), ".values"), made.back().values);
    tensors.emplace_back(concat(made.size(), ".scale"), made.back().scale);
  }
  write_safetensors(path, tensors);
  const auto file = SafetensorsFile::open(path);
  fs::remove(path);
  for (size_t i = 0; i < made.size(); ++i) {
    made[i].values = file->tensor(concat(i + 1, ".values"));
    made[i].scale = file->tensor(concat(i + 1, ".scale"));
  }
  return made;
}

void quantize_streamed(Vlm& model, Quantization kind, const fs::path& scratch) {
  TORCH_CHECK(!scratch.empty(), "a streamed model's weights need a folder");
  const AtomicDirectory folder(scratch / "quantized");  // never committed: it goes at the end of this
  for (const auto& [part, maps] : maps_by_part(model)) {
    const auto held = model.stream()->hold(part);
    auto made = quantize_into_file(maps, kind, folder.path() / concat(part, ".safetensors"));
    std::vector<at::Tensor> weights, views;
    for (const auto& one : made) views.insert(views.end(), {one.values, one.scale});
    for (size_t i = 0; i < maps.size(); ++i) {
      weights.push_back(maps[i]->weight());
      maps[i]->set_quantized(std::move(made[i]));
    }
    model.stream()->replace(part, weights, views);
  }
}

}  // namespace

void quantize(Vlm& model, Quantization kind, const fs::path& scratch) {
  if (kind == Quantization::kNone) return;
  if (model.is_streamed()) {
    quantize_streamed(model, kind, scratch);
    return;
  }
  for (const auto& [part, maps] : maps_by_part(model)) {
    for (auto* map : maps) map->quantize(kind);
    model.release_memory();  // what was read of the files is not read again
  }
}

}  // namespace vlsi
