#include "model/parts.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "base/error.h"

namespace vlsi {

std::string_view part_of(std::string_view name) {
  if (name.ends_with(".lora_A") || name.ends_with(".lora_B")) return "lora";
  if (name.starts_with("visual.merger.")) return "projector";
  if (name.starts_with("visual.")) return "vision";
  if (name.starts_with("model.embed_tokens.")) return "embeddings";
  if (name.starts_with("lm_head.")) return "head";
  return "decoder";
}

const std::vector<std::string>& part_names() {
  static const std::vector<std::string> names{"lora", "decoder", "embeddings", "head", "projector", "vision"};
  return names;
}

NamedTensors make_trainable(Vlm& model, const std::vector<std::string>& parts, const std::string& place) {
  const bool tied = model.config().text.tie_word_embeddings;
  NamedTensors trained;
  for (const auto& part : parts) {
    const auto& known = part_names();
    if (std::find(known.begin(), known.end(), part) == known.end()) {
      fail(place, ": unknown part '", part, "', expected lora, decoder, embeddings, head, projector or vision");
    }
  }
  for (auto& item : model.named_parameters()) {
    auto& parameter = item.second;
    const bool learns = std::find(parts.begin(), parts.end(), part_of(item.first)) != parts.end();
    if (learns) parameter.set_data(parameter.detach().clone());
    parameter.set_requires_grad(learns);
    if (learns) trained.emplace_back(item.first, parameter);
  }
  for (const auto& part : parts) {
    // A tied head is the token embedding: naming it says nothing more than naming that.
    if (part == "head" && tied) continue;
    const bool present = std::any_of(trained.begin(), trained.end(), [&](const auto& item) { return part_of(item.first) == part; });
    if (!present) fail(place, ": the model has no part '", part, "'", part == "lora" ? "; set student.lora.rank" : "");
  }
  return trained;
}

}  // namespace vlsi
