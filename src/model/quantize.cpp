#include "model/quantize.h"

#include "model/linear.h"

namespace vlsi {

void quantize(Vlm& model, Quantization kind) {
  if (kind == Quantization::kNone) return;
  TORCH_CHECK(!model.is_streamed(), "a streamed model's weights are not there to be quantised");
  int64_t num_maps = 0;
  model.for_each_module([&](const std::string& name, Module& module) {
    auto* linear = dynamic_cast<Linear*>(&module);
    if (linear == nullptr || !name.starts_with("decoder.")) return;
    linear->quantize(kind);
    constexpr int64_t kMapsOfLayer = 7;
    if (++num_maps % kMapsOfLayer == 0) model.release_memory();  // what was read of the files is not read again
  });
  model.release_memory();
}

}  // namespace vlsi
