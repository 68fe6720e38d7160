#include "checkpoint/load.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "base/problems.h"
#include "base/safetensors.h"
#include "checkpoint/sharded_weights.h"
#include "family/family.h"
#include "model/weight_stream.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

/// Tensors are compared one by one only where config.json and the weights are anywhere near each other.
void check_size(const Vlm& model, const Checkpoint& checkpoint, const fs::path& directory) {
  double num_stored = 0;
  for (const auto& name : checkpoint.names()) num_stored += num_values(checkpoint.info(name));
  constexpr double kMostTimes = 8, kAlwaysFits = 1e7;
  if (const double described = num_values(model); described > std::max(kMostTimes * num_stored, kAlwaysFits)) {
    fail("loading the model in ", directory.string(), ": config.json describes ", described,
         " parameters, the weights hold ", num_stored);
  }
}

/// A weight that has its values in a file, put into `parameter`.
struct Loading {
  at::TensorOptions options;
  bool is_streamed;
  std::vector<at::Tensor> views;
  StoredParts parts;

  void set(at::Tensor& parameter, const std::string& name, const at::Tensor& stored) {
    const auto part = is_streamed ? streamed_part(name) : std::nullopt;
    parameter.set_data(part ? stored : stored.to(options));
    parameter.set_requires_grad(false);
    if (part) parts[*part].push_back({parameter, stored});
    if (parameter.const_data_ptr() == stored.const_data_ptr()) views.push_back(stored);
  }
};

/// A tied head is sometimes stored a second time.
void check_second_head(const Checkpoint& checkpoint, const std::string& stored, const at::Tensor& head,
                       Problems& problems) {
  if (checkpoint.info(stored).shape == head.sizes() && at::equal(checkpoint.tensor(stored).to(head.options()), head))
    return;
  problems.add("unexpected ", stored, ", which is not the embedding that config.json ties it to (tie_word_embeddings)");
}

}  // namespace

StoredNames stored_names(const Checkpoint& checkpoint, const Family& family, Problems& problems) {
  StoredNames names;
  for (const auto& stored : checkpoint.names()) {
    const auto own = family.own_name(stored);
    if (!own || own->empty()) continue;
    if (!names.emplace(*own, stored).second) problems.add("two tensors are named ", family.written_name(*own));
  }
  return names;
}

std::shared_ptr<Vlm> load_vlm(const fs::path& directory, at::ScalarType dtype, at::Device device, Residency residency,
                              const Ranks& ranks) {
  if (fs::exists(directory / "adapter_config.json") && !fs::exists(directory / "config.json")) {
    fail("loading the model in ", directory.string(),
         ": it holds an adapter, expected a model that one can stand beside");
  }
  const auto config = load_model_config(directory);
  const auto checkpoint = Checkpoint::open(directory);
  auto model = make_vlm(config);
  check_size(*model, checkpoint, directory);
  Problems problems;
  const auto& family = family_of(config);
  auto names = stored_names(checkpoint, family, problems);

  if (residency == Residency::kSharded && ranks.size() == 1) residency = Residency::kResident;
  Loading loading{at::TensorOptions(device).dtype(dtype), residency != Residency::kResident, {}, {}};
  loading.parts.resize(static_cast<size_t>(model->num_layers()) + 1);
  for (auto& [name, parameter] : model->named_parameters()) {
    const auto stored = names.extract(name);
    if (!stored) {
      problems.add("missing ", family.written_name(name));
      continue;
    }
    const auto tensor = checkpoint.tensor(stored.mapped());
    if (tensor.sizes() != parameter.sizes()) {
      problems.add(family.written_name(name), " is ", tensor.sizes(), ", expected ", parameter.sizes());
    } else if (!tensor.is_floating_point()) {
      problems.add(family.written_name(name), " is of type ", tensor.scalar_type(), ", expected a floating point type");
    } else {
      loading.set(parameter, name, tensor);
    }
  }
  if (const auto head = names.extract("head.weight"))
    check_second_head(checkpoint, head.mapped(), model->head(), problems);
  for (const auto& [name, stored] : names) problems.add("unexpected ", stored);
  for (const auto& stored : checkpoint.names()) {
    if (!family.own_name(stored)) problems.add("unexpected ", stored);
  }
  problems.fail_if_any("loading the model in ", directory.string(), ": ", problems.count(), " problem(s): ");
  model->set_views(std::move(loading.views));
  if (residency == Residency::kStreamed)
    model->set_stream(std::make_unique<WeightStream>(stored_weights(std::move(loading.parts), loading.options)));
  if (residency == Residency::kSharded) {
    model->set_stream(std::make_unique<WeightStream>(sharded_weights(loading.parts, loading.options, ranks)));
    model->release_memory();
  }
  return model;
}

}  // namespace vlsi
