#include "model/parts.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "base/contains.h"
#include "base/error.h"

namespace vlsi {

std::string part_of(std::string_view name) {
  if (name.ends_with(".lora_A") || name.ends_with(".lora_B")) return "lora";
  return std::string(name.substr(0, name.find('.')));
}

const std::vector<std::string>& part_names() {
  static const std::vector<std::string> names{"lora", "decoder", "embeddings", "head", "projector", "vision"};
  return names;
}

std::string part_list() {
  std::string list;
  for (const auto& name : part_names()) list += (list.empty() ? "" : ", ") + name;
  return list;
}

void check_parts(const Vlm& model, const std::vector<std::string>& parts, const std::string& place) {
  const auto names = model.named_parameters();
  for (const auto& part : parts) {
    if (!contains(part_names(), part)) fail(place, ": unknown part '", part, "', expected one of ", part_list());
    // A tied head is the token embedding: naming it says nothing more than naming that.
    if (part == "head" && model.config().text.tie_word_embeddings) continue;
    const bool present =
        std::any_of(names.begin(), names.end(), [&](const auto& item) { return part_of(item.first) == part; });
    if (!present) fail(place, ": the model has no part '", part, "'", part == "lora" ? "; set student.lora.rank" : "");
  }
}

void check_reached(const Vlm& model, const std::vector<std::string>& parts, bool head_learns,
                   const std::string& place) {
  const bool is_tied = model.config().text.tie_word_embeddings;
  const bool head_alone = std::all_of(parts.begin(), parts.end(), [](const auto& part) { return part == "head"; });
  if (!head_alone || (head_learns && !is_tied)) return;
  fail(place, " is [head], of which nothing can learn: ",
       is_tied ? "the model's head is its token embedding, which the part embeddings has"
               : "the step's losses take the head as it is",
       "; expected another part, too");
}

NamedTensors make_trainable(Vlm& model, const std::vector<std::string>& parts, const std::string& place) {
  check_parts(model, parts, place);
  NamedTensors trained;
  for (auto& item : model.named_parameters()) {
    auto& parameter = item.second;
    const bool learns = contains(parts, part_of(item.first));
    if (learns) parameter.set_data(parameter.detach().clone());
    parameter.set_requires_grad(learns);
    if (learns) trained.emplace_back(item.first, parameter);
  }
  return trained;
}

}  // namespace vlsi
