#include "checkpoint/save_gguf.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/atomic_file.h"
#include "base/log.h"
#include "checkpoint/gguf_tokenizer.h"
#include "checkpoint/save.h"
#include "family/family.h"
#include "family/gguf_parts.h"
#include "gguf/gguf_writer.h"
#include "model/parts.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kQuantizationVersion = 2;

bool is_of_tower(std::string_view own) {
  const auto part = part_of(own);
  return part == "vision" || part == "projector";
}

const TensorType* type_of(const std::vector<int64_t>& shape, GgufRule::Kept kept, bool is_head,
                          const TensorType& wanted) {
  const bool is_half = wanted.name == "f16";
  if (shape.size() < 2 || kept == GgufRule::Kept::kFloat || (kept == GgufRule::Kept::kFloatOrHalf && !is_half))
    return &tensor_type("f32");
  const auto& type = is_head && wanted.name == "q4_0" ? tensor_type("q8_0") : wanted;
  return shape.back() % type.block_values == 0 ? &type : &tensor_type("f16");
}

/// Adds what the rule makes of a weight.
void add_tensors(const GgufRule& rule, const TensorSource& source, const TensorType& wanted, bool is_head,
                 std::vector<GgufTensor>& tensors) {
  using Cut = GgufRule::Cut;
  const auto count = static_cast<int64_t>(rule.names.size());
  auto shape = source.shape;
  if (rule.cut == Cut::kRows) shape[0] /= count;
  if (rule.cut == Cut::kFrames) shape.erase(shape.begin() + 2);
  const auto* type = type_of(shape, rule.kept, is_head, wanted);
  for (int64_t i = 0; i < count; ++i) {
    const auto make = [make_whole = source.make, cut = rule.cut, i, rows = shape[0]] {
      const auto whole = make_whole();
      if (cut == Cut::kRows) return whole.narrow(0, i * rows, rows);
      return cut == Cut::kFrames ? whole.select(2, i) : whole;
    };
    tensors.push_back({rule.names[static_cast<size_t>(i)], shape, type, make});
  }
}

std::vector<GgufEntry> general_entries(const std::string& architecture, const std::string& kind,
                                       const TensorType& type) {
  return {{"general.architecture", architecture},
          {"general.type", kind},
          {"general.file_type", type.file_type},
          {"general.quantization_version", kQuantizationVersion}};
}

void append(std::vector<GgufEntry>& entries, const std::vector<GgufEntry>& more) {
  entries.insert(entries.end(), more.begin(), more.end());
}

}  // namespace

void save_gguf(const fs::path& directory, const Vlm& model, const GgufTypes& types, const fs::path& carried_from) {
  at::NoGradGuard no_grad;
  const std::string action = "writing " + directory.string() + " for llama.cpp";
  const auto& config = model.config();
  const auto& family = family_of(config);
  if (family.gguf_parts == nullptr) fail(action, ": llama.cpp has no model like ", family.display_name);
  const auto parts = family.gguf_parts(config, carried_from, action);
  const bool has_tower = !parts.picture.empty();
  auto text_entries = general_entries(parts.architecture, "model", *types.text);
  append(text_entries, parts.text);
  append(text_entries, gguf_tokenizer_entries(carried_from, config));
  const std::string head = config.text.tie_word_embeddings ? "embeddings.weight" : "head.weight";
  std::vector<GgufTensor> text_tensors, picture_tensors;
  for (const auto& source : merged_weights(model, at::kFloat, action)) {
    const bool is_picture = is_of_tower(source.name);
    if (is_picture && !has_tower) continue;
    const auto rule = find_gguf_rule(parts.rules, source.name);
    TORCH_CHECK(rule, "no name in llama.cpp for ", source.name);
    add_tensors(*rule, source, is_picture ? *types.picture : *types.text, source.name == head,
                is_picture ? picture_tensors : text_tensors);
  }
  AtomicDirectory out(directory);
  write_gguf(out.path() / "model.gguf", text_entries, text_tensors);
  if (has_tower) {
    auto picture_entries = general_entries("clip", "mmproj", *types.picture);
    append(picture_entries, parts.picture);
    write_gguf(out.path() / "mmproj.gguf", picture_entries, picture_tensors);
  } else {
    log_warning(concat(action, ": the text model alone; llama.cpp has no tower like ", family.display_name, "'s"));
  }
  out.commit();
}

}  // namespace vlsi
