#include "checkpoint/save.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <map>

#include "base/atomic_file.h"
#include "base/dtype.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "checkpoint/finite_weights.h"
#include "checkpoint/load.h"
#include "family/config_keys.h"
#include "model/parts.h"
#include "model/quantized_weight.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

/// Files beside the weights that a model directory needs to be complete.
const char* const kCarriedFiles[] = {"tokenizer.json",
                                     "tokenizer_config.json",
                                     "vocab.json",
                                     "merges.txt",
                                     "special_tokens_map.json",
                                     "added_tokens.json",
                                     "chat_template.json",
                                     "chat_template.jinja",
                                     "preprocessor_config.json",
                                     "video_preprocessor_config.json",
                                     "processor_config.json",
                                     "generation_config.json"};

}  // namespace

std::vector<TensorSource> merged_weights(const Vlm& model, at::ScalarType dtype, const std::string& action) {
  std::map<std::string, const Linear*> adapted;
  model.for_each_module([&](const std::string& name, Module& module) {
    const auto* linear = dynamic_cast<Linear*>(&module);
    if (linear != nullptr && linear->has_lora()) adapted.emplace(name + ".weight", linear);
  });
  std::vector<TensorSource> weights;
  for (const auto& item : model.named_parameters()) {
    if (part_of(item.first) == "lora") continue;
    TORCH_CHECK(has_values(item.second), action, ": ", item.first, " has no values to write: it is quantised");
    const auto found = adapted.find(item.first);
    const auto make = [=, parameter = item.second, linear = found != adapted.end() ? found->second : nullptr,
                       name = family_of(model.config()).written_name(item.first)] {
      auto weight = linear != nullptr ? linear->merged_weight(dtype) : parameter.detach().to(dtype);
      check_finite_weight(weight, name, action);
      return weight;
    };
    weights.push_back({item.first, dtype, item.second.sizes().vec(), make});
  }
  return weights;
}

void write_model(const fs::path& directory, const ModelConfig& config, std::vector<TensorSource> weights,
                 const fs::path& carried_from, uint64_t max_shard_bytes) {
  AtomicDirectory out(directory);
  for (const char* name : kCarriedFiles) {
    if (fs::exists(carried_from / name)) write_file(out.path() / name, MappedFile::open(carried_from / name)->text());
  }
  if (!fs::exists(out.path() / "generation_config.json")) {
    write_json(out.path() / "generation_config.json", {{"bos_token_id", config.bos_token_id},
                                                       {"do_sample", false},
                                                       {"eos_token_id", token_ids_json(config.eos_token_ids)},
                                                       {"pad_token_id", config.bos_token_id},
                                                       {"transformers_version", "4.41.2"}});
  }
  const auto& family = family_of(config);
  write_json(out.path() / "config.json", family.write_config(config, dtype_name(weights.front().dtype)));
  for (auto& weight : weights) weight.name = family.written_name(weight.name);
  write_checkpoint(out.path(), std::move(weights), max_shard_bytes);
  out.commit();
}

void save_vlm(const fs::path& directory, const Vlm& model, at::ScalarType dtype, const fs::path& carried_from,
              uint64_t max_shard_bytes) {
  at::NoGradGuard no_grad;
  write_model(directory, model.config(), merged_weights(model, dtype, "writing the model to " + directory.string()),
              carried_from, max_shard_bytes);
}

}  // namespace vlsi
