#include "checkpoint/load.h"

#include <ATen/ATen.h>

#include <map>
#include <tuple>

#include "base/problems.h"
#include "base/safetensors.h"
#include "checkpoint/names.h"
#include "model/weight_stream.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

/// A model is built as config.json says before its tensors are compared: not one that the weights are nowhere near to.
void check_size(const ModelConfig& config, const Checkpoint& checkpoint, const fs::path& directory) {
  double num_stored = 0;
  for (const auto& name : checkpoint.names()) num_stored += num_values(checkpoint.info(name));
  constexpr double kMostTimes = 8, kAlwaysFits = 1e7;
  if (num_parameters(config) > std::max(kMostTimes * num_stored, kAlwaysFits)) {
    fail("loading the model in ", directory.string(), ": config.json describes ", num_parameters(config),
         " parameters, the weights hold ", num_stored);
  }
}

}  // namespace

std::shared_ptr<Vlm> load_vlm(const fs::path& directory, at::ScalarType dtype, at::Device device, Residency residency,
                              const WeightSharing& sharing) {
  if (fs::exists(directory / "adapter_config.json") && !fs::exists(directory / "config.json")) {
    fail("loading the model in ", directory.string(),
         ": it holds an adapter, expected a model that one can stand beside");
  }
  const auto config = load_model_config(directory);
  const auto checkpoint = Checkpoint::open(directory);
  check_size(config, checkpoint, directory);
  auto model = std::make_shared<Vlm>(config);
  std::map<std::string, std::string> stored_names;  // gen-1 name -> stored name
  Problems problems;
  for (const auto& stored : checkpoint.names()) {
    if (!stored_names.emplace(gen1_name(stored), stored).second)
      problems.add("two tensors are named ", gen1_name(stored));
  }

  const auto options = at::TensorOptions(device).dtype(dtype);
  std::vector<at::Tensor> views;
  if (residency == Residency::kSharded && sharing.size == 1) residency = Residency::kResident;
  StoredParts parts(static_cast<size_t>(model->num_layers()) + 1);
  for (auto& item : model->named_parameters()) {
    auto& parameter = item.second;
    const auto found = stored_names.find(item.first);
    if (found == stored_names.end()) {
      problems.add("missing ", item.first);
      continue;
    }
    const auto tensor = checkpoint.tensor(found->second);
    stored_names.erase(found);
    if (tensor.sizes() != parameter.sizes()) {
      problems.add(item.first, " is ", tensor.sizes(), ", expected ", parameter.sizes());
    } else if (!tensor.is_floating_point()) {
      problems.add(item.first, " is of type ", tensor.scalar_type(), ", expected a floating point type");
    } else {
      const auto part = residency != Residency::kResident ? streamed_part(item.first) : std::nullopt;
      parameter.set_data(part ? tensor : tensor.to(options));
      parameter.set_requires_grad(false);
      if (part) parts[*part].push_back({parameter, tensor});
      if (parameter.const_data_ptr() == tensor.const_data_ptr()) views.push_back(tensor);
    }
  }
  // A tied head is sometimes stored a second time.
  if (const auto head = stored_names.find("lm_head.weight"); head != stored_names.end()) {
    if (checkpoint.info(head->second).shape != model->head().sizes() ||
        !at::equal(checkpoint.tensor(head->second).to(options), model->head())) {
      problems.add("unexpected ", head->second,
                   ", which is not the embedding that config.json ties it to (tie_word_embeddings)");
    }
    stored_names.erase(head);
  }
  for (const auto& [name, stored] : stored_names) problems.add("unexpected ", stored);
  problems.fail_if_any("loading the model in ", directory.string(), ": ", problems.count(), " problem(s): ");
  model->set_views(std::move(views));
  if (residency == Residency::kStreamed)
    model->set_stream(std::make_unique<WeightStream>(stored_weights(std::move(parts), options)));
  if (residency == Residency::kSharded) {
    model->set_stream(std::make_unique<WeightStream>(sharded_weights(parts, options, sharing)));
    model->release_memory();
  }
  return model;
}

void check_processor(const ModelConfig& model, const Processor& processor) {
  const auto& tokenizer = processor.tokenizer();
  const auto action = "loading the model in " + tokenizer.directory().string();
  if (tokenizer.size() > model.text.vocab_size) {
    fail(action, ": its tokenizer has ids up to ", tokenizer.size() - 1, ", its embedding and language head ",
         model.text.vocab_size, " rows; expected a row for every id");
  }
  const auto layout = processor.picture_layout();
  const auto& vision = model.vision;
  for (const auto& [what, found, expected] :
       {std::tuple("patch_size", layout.patch_size, vision.patch_size),
        std::tuple("temporal_patch_size", layout.temporal_patch_size, vision.temporal_patch_size),
        std::tuple("merge_size", layout.merge_size, vision.spatial_merge_size),
        std::tuple("number of channels", layout.num_channels, vision.in_channels)}) {
    if (found != expected) {
      fail(action, ": the ", what, " of its picture settings is ", found, ", that of config.json's vision tower ",
           expected, "; expected the same");
    }
  }
  if (layout.image_token != model.image_token_id) {
    fail(action, ": the picture token of its tokenizer has the id ", layout.image_token,
         ", config.json has image_token_id ", model.image_token_id, "; expected the same");
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
