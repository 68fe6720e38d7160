#include "run/speaker.h"

#include <future>

#include "checkpoint/adapter.h"
#include "checkpoint/finite_weights.h"
#include "checkpoint/load.h"
#include "checkpoint/picture_features.h"
#include "family/family.h"

namespace vlsi {
namespace {

/// The decoder in `kind`; the head, which a token reads as a whole, in 8 bits, as llama.cpp has it in its 4-bit files.
void quantize_to_answer(Vlm& model, Quantization kind) {
  if (kind == Quantization::kNone) return;
  model.quantize_head(Quantization::kInt8);
  quantize(model, kind);
}

}  // namespace

const BackboneFingerprint& backbone_of(Speaker& speaker) {
  if (!speaker.known_backbone) speaker.known_backbone = BackboneFingerprint::of(*speaker.model);
  return *speaker.known_backbone;
}

void load_verbalizers(Speaker& speaker, const std::filesystem::path& directory, const std::vector<int64_t>& layers) {
  const auto& model = *speaker.model;
  speaker.verbalizers = Verbalizers::load(directory, model.config().text, backbone_of(speaker), layers);
  move_to(*speaker.verbalizers, model.device());
}

Speaker load_speaker(const SpeakerFiles& files, at::ScalarType dtype, at::Device device, SpecialText special_text) {
  // The tokenizer's words are read by one thread while others look at all weights.
  auto processor = std::async(std::launch::async, [&] { return load_processor(files.model, special_text); });
  Speaker speaker{load_vlm(files.model, dtype, device), nullptr};
  speaker.pictures = std::make_shared<KeptPictureFeatures>();
  speaker.greedy = greedy_decoding(files.model, speaker.model->config());
  speaker.decoding = default_decoding(files.model, speaker.model->config());
  if (!files.adapter.empty()) load_adapter(*speaker.model, files.adapter);
  check_finite_weights(*speaker.model, "loading the model in " + files.model.string());
  speaker.processor = processor.get();
  if (files.verbalizers.empty()) {
    quantize_to_answer(*speaker.model, files.quantize);
    return speaker;
  }
  if (!files.head.empty()) {
    const auto owner = load_vlm(files.head, dtype, device);
    speaker.verbal_head = owner->head();
    speaker.known_backbone = BackboneFingerprint::of(*owner);
  }
  const auto layers = files.layers.empty() ? read_verbalizers_description(files.verbalizers).layers : files.layers;
  load_verbalizers(speaker, files.verbalizers, layers);
  quantize_to_answer(*speaker.model, files.quantize);  // it is known by its weights as they are in the files
  return speaker;
}

}  // namespace vlsi
