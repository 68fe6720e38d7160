// A whole model's weights in fewer bits.
#pragma once

#include <filesystem>

#include "model/quantized_weight.h"
#include "model/vlm.h"

namespace vlsi {

/// Keeps the linear maps of the decoder's layers in `kind` from now on, adapters beside them as they are; kNone changes
/// nothing. Embeddings, norms, biases, language head, vision tower and projector stay as they are. The model answers
/// and is compared with others, but cannot be written, known by its weights, or trained but for its adapters. Of a
/// model on the CPU that ranks do not share.
///
/// A streamed model's maps go into files in the folder `scratch`, a layer each, from which they are streamed then. The
/// files have no names any more when this returns: what they take of the disk is free when the model goes. Error when
/// they cannot be written.
void quantize(Vlm& model, Quantization kind, const std::filesystem::path& scratch = {});

}  // namespace vlsi
