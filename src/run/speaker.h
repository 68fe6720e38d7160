// A model that speaks: with what makes its input, what ends its answers, and what reads its layers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "data/processor.h"
#include "generate/decoding.h"
#include "model/quantize.h"
#include "model/vlm.h"
#include "teacher/verbalizers.h"

namespace vlsi {

struct Speaker {
  std::shared_ptr<Vlm> model;
  std::shared_ptr<const Processor> processor;
  Decoding greedy = {};                            // with the stop tokens that end its answers
  Decoding decoding = {};                          // as its directory's generation_config.json has it
  std::shared_ptr<PictureFeatures> pictures = {};  // what its tower made of them; null: they are encoded each time
  std::shared_ptr<Verbalizers> verbalizers = {};   // null: it has none
  at::Tensor verbal_head = {};                     // [V, D], the one they were trained with; undefined: the model's own
  std::optional<BackboneFingerprint> known_backbone = {};
};

/// Of the model that the speaker's verbalizers are for. Every weight is read for it, once; a foreign head's model has
/// given its own.
const BackboneFingerprint& backbone_of(Speaker& speaker);

/// Gives the speaker the trained verbalizers of `directory`, frozen, on its model's device.
void load_verbalizers(Speaker& speaker, const std::filesystem::path& directory, const std::vector<int64_t>& layers);

/// Where a speaker's parts are, and how its decoder's weights are kept in memory.
struct SpeakerFiles {
  std::filesystem::path model;             // Hugging Face directory
  std::filesystem::path adapter = {};      // PEFT directory; empty: none
  std::filesystem::path verbalizers = {};  // empty: none
  std::vector<int64_t> layers = {};        // whose verbalizers are wanted; empty: all of them
  std::filesystem::path head = {};         // the model that they were trained on, where its language head is another
  Quantization quantize = Quantization::kNone;
};

/// Error where a part cannot be read, or does not go with the model, or a weight is NaN or infinite.
Speaker load_speaker(const SpeakerFiles& files, at::ScalarType dtype, at::Device device,
                     SpecialText special_text = SpecialText::kControl);

}  // namespace vlsi
