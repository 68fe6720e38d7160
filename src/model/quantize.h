// A whole model's weights in fewer bits.
#pragma once

#include "model/quantized_weight.h"
#include "model/vlm.h"

namespace vlsi {

/// Keeps the linear maps of the decoder's layers in `kind` from now on, adapters beside them as they are; kNone changes
/// nothing. Embeddings, norms, biases, language head, vision tower and projector stay as they are. The model answers
/// and is compared with others, but cannot be written, known by its weights, or trained but for its adapters. Of a
/// model on the CPU that is not streamed.
void quantize(Vlm& model, Quantization kind);

}  // namespace vlsi
