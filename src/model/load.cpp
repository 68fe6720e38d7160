#include "model/load.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>
#include <map>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/safetensors.h"
#include "model/parts.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

/// The gen-1 name of a stored tensor: newer writers put `model.` before `visual.` and `language_model.` after `model.`.
std::string gen1_name(const std::string& stored) {
  const auto replaced = [&](std::string_view from, std::string_view to) {
    return stored.starts_with(from) ? std::string(to) + stored.substr(from.size()) : std::string();
  };
  for (const auto& [from, to] : {std::pair("model.visual.", "visual."), std::pair("model.language_model.", "model.")}) {
    if (auto name = replaced(from, to); !name.empty()) return name;
  }
  return stored;
}

std::string shape_text(at::IntArrayRef shape) { return concat(shape); }

/// Problems found while loading, told at once.
class Problems {
 public:
  void add(std::string problem) { problems_.push_back(std::move(problem)); }
  void throw_if_any(const fs::path& directory) const {
    if (problems_.empty()) return;
    std::string text;
    for (const auto& problem : problems_) text += (text.empty() ? "" : "; ") + problem;
    fail("loading the model in ", directory.string(), ": ", problems_.size(), " problem(s): ", text);
  }

 private:
  std::vector<std::string> problems_;
};

/// Files beside the weights that a model directory needs to be complete.
const char* const kCarriedFiles[] = {"tokenizer.json",     "tokenizer_config.json",    "vocab.json",
                                     "merges.txt",         "special_tokens_map.json",  "added_tokens.json",
                                     "chat_template.json", "preprocessor_config.json", "processor_config.json",
                                     "chat_template.jinja", "generation_config.json"};

NamedTensors tensors_to_save(const Vlm& model, at::ScalarType dtype) {
  std::map<std::string, at::Tensor> merged;
  model.for_each_module([&](const std::string& name, Module& module) {
    const auto* linear = dynamic_cast<Linear*>(&module);
    if (linear != nullptr && linear->has_lora()) merged.emplace(name + ".weight", linear->merged_weight(dtype));
  });
  NamedTensors tensors;
  for (const auto& item : model.named_parameters()) {
    if (part_of(item.first) == "lora") continue;
    const auto found = merged.find(item.first);
    tensors.emplace_back(item.first, found != merged.end() ? found->second : item.second.detach().to(dtype));
  }
  return tensors;
}

}  // namespace

std::shared_ptr<Vlm> load_vlm(const fs::path& directory, at::ScalarType dtype, at::Device device) {
  auto model = std::make_shared<Vlm>(load_model_config(directory));
  const auto checkpoint = Checkpoint::open(directory);
  std::map<std::string, std::string> stored_names;  // gen-1 name -> stored name
  Problems problems;
  for (const auto& stored : checkpoint.names()) {
    if (!stored_names.emplace(gen1_name(stored), stored).second) problems.add("two tensors are named " + gen1_name(stored));
  }

  for (auto& item : model->named_parameters()) {
    auto& parameter = item.second;
    const auto found = stored_names.find(item.first);
    if (found == stored_names.end()) {
      problems.add("missing " + item.first);
      continue;
    }
    const auto tensor = checkpoint.tensor(found->second);
    stored_names.erase(found);
    if (tensor.sizes() != parameter.sizes()) {
      problems.add(concat(item.first, " is ", shape_text(tensor.sizes()), ", expected ", shape_text(parameter.sizes())));
    } else if (!tensor.is_floating_point()) {
      problems.add(concat(item.first, " is of type ", tensor.scalar_type(), ", expected a floating point type"));
    } else {
      parameter.set_data(tensor.to(at::TensorOptions(device).dtype(dtype)));
      parameter.set_requires_grad(false);
    }
  }
  // A tied head is sometimes stored a second time.
  if (const auto head = stored_names.find("lm_head.weight"); head != stored_names.end()) {
    if (checkpoint.info(head->second).shape == model->head().sizes() &&
        at::equal(checkpoint.tensor(head->second).to(at::TensorOptions(device).dtype(dtype)), model->head())) {
      stored_names.erase(head);
    }
  }
  for (const auto& [name, stored] : stored_names) problems.add("unexpected " + stored);
  problems.throw_if_any(directory);
  return model;
}

void save_vlm(const fs::path& directory, const Vlm& model, at::ScalarType dtype, const fs::path& carried_from) {
  at::NoGradGuard no_grad;
  AtomicDirectory out(directory);
  for (const char* name : kCarriedFiles) {
    if (fs::exists(carried_from / name)) fs::copy_file(carried_from / name, out.path() / name);
  }
  const auto& config = model.config();
  if (!fs::exists(out.path() / "generation_config.json")) {
    write_json(out.path() / "generation_config.json",
               {{"bos_token_id", config.bos_token_id}, {"do_sample", false}, {"eos_token_id", config.eos_token_id},
                {"pad_token_id", config.bos_token_id}, {"transformers_version", "4.41.2"}});
  }
  write_json(out.path() / "config.json", to_json(config, dtype_name(dtype)));
  write_safetensors(out.path() / "model.safetensors", tensors_to_save(model, dtype));
  out.commit();
}

std::shared_ptr<Vlm> initialize_vlm(const ModelConfig& config, Initializer initializer, uint64_t seed) {
  at::NoGradGuard no_grad;
  auto model = std::make_shared<Vlm>(config);
  auto generator = at::detail::createCPUGenerator(seed);
  for (auto& item : model->named_parameters()) {
    auto& parameter = item.second;
    const bool is_embedding = part_of(item.first) == "embeddings";
    if (item.first.ends_with(".bias")) {
      parameter.zero_();
    } else if (parameter.dim() == 1) {
      parameter.fill_(1);
    } else if (initializer == Initializer::kNormal) {
      parameter.normal_(0, config.initializer_range, generator);
    } else {
      const auto fan_in = static_cast<double>(parameter.numel() / parameter.size(0));
      parameter.normal_(0, is_embedding ? 0.05 : 1 / std::sqrt(fan_in), generator);
    }
    parameter.set_requires_grad(false);
  }
  return model;
}

void copy_vision_tower(const Vlm& from, Vlm& to, const std::string& place) {
  at::NoGradGuard no_grad;
  const auto source = from.named_parameters();
  for (auto& item : to.named_parameters()) {
    if (part_of(item.first) != "vision") continue;
    const auto found = std::find_if(source.begin(), source.end(), [&](const auto& s) { return s.first == item.first; });
    if (found == source.end() || found->second.sizes() != item.second.sizes()) {
      fail(place, ": its vision tower has no ", item.first, " of shape ", shape_text(item.second.sizes()));
    }
    item.second.copy_(found->second);
  }
}

at::ScalarType parse_dtype(const std::string& name, const std::string& place) {
  if (name == "float32") return at::kFloat;
  if (name == "bfloat16") return at::kBFloat16;
  if (name == "float16") return at::kHalf;
  fail(place, ": dtype is '", name, "', expected float32, bfloat16 or float16");
}

std::string dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat: return "float32";
    case at::kBFloat16: return "bfloat16";
    case at::kHalf: return "float16";
    default: TORCH_CHECK(false, "no name for dtype ", dtype);
  }
}

}  // namespace vlsi
