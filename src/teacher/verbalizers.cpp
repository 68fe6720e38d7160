#include "teacher/verbalizers.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/atomic_file.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/log.h"
#include "base/safetensors.h"
#include "checkpoint/fingerprint.h"
#include "checkpoint/load.h"
#include "model/parts.h"

namespace vlsi {
namespace {

constexpr const char* kDescription = "verbalizers.json";
constexpr int64_t kVerbalizersFormat = 2;
constexpr const char* kWeights = "verbalizers.safetensors";
constexpr const char* kFinalNorm = "norm.weight";

}  // namespace

BackboneFingerprint BackboneFingerprint::of(const Vlm& model) {
  Fingerprint layers;
  model.for_each_weight([&](const std::string& name, const at::Tensor& weight) {
    if (part_of(name) == "decoder") layers.add(name, weight);
  });
  return {model.config().text.hidden_size,       model.num_layers(), model.config().text.vocab_size,
          fingerprint({{"head", model.head()}}), layers.text(),      dtype_name(model.dtype())};
}

Verbalizers::Verbalizers(const VerbalizerConfig& config, const TextConfig& backbone, const std::vector<int64_t>& layers)
    : config_(config), backbone_(backbone), layers_(layers) {
  const auto list = register_module("layers", std::make_shared<Module>());
  for (const int64_t layer : layers_) {
    auto blocks = make_blocks(config, backbone);
    const auto name = std::to_string(layer);
    if (blocks.size() == 1) {
      list->register_module(name, blocks.front());
    } else {
      const auto network = list->register_module(name, std::make_shared<Module>());
      for (size_t i = 0; i < blocks.size(); ++i) network->register_module(std::to_string(i), blocks[i]);
    }
    networks_.push_back(std::move(blocks));
  }
  if (config.final_norm) {
    norm_ = register_module("norm", std::make_shared<RmsNormLayer>(backbone.hidden_size, backbone.rms_norm_eps));
  }
}

Verbalizers::Verbalizers(const VerbalizerConfig& config, const TextConfig& backbone, const std::vector<int64_t>& layers,
                         uint64_t seed)
    : Verbalizers(config, backbone, layers) {
  at::NoGradGuard no_grad;
  allocate(*this);
  auto generator = at::detail::createCPUGenerator(seed);
  for (auto& [name, parameter] : named_parameters()) {
    if (parameter.dim() == 1) {
      parameter.fill_(name.ends_with(".bias") ? 0 : 1);
    } else if (config.residual && (name.ends_with(".down.weight") || name.ends_with(".map.weight"))) {
      parameter.zero_();
    } else {
      parameter.normal_(0, 1 / std::sqrt(static_cast<double>(parameter.size(1))), generator);
    }
  }
}

std::shared_ptr<Verbalizers> Verbalizers::of(const Vlm& model, const VerbalizerConfig& config,
                                             const std::vector<int64_t>& layers, uint64_t seed) {
  const auto verbalizers = std::make_shared<Verbalizers>(config, model.config().text, layers, seed);
  for (auto& [name, parameter] : verbalizers->named_parameters()) {
    if (name != kFinalNorm) continue;
    parameter.set_data(model.final_norm().detach().to(at::kCPU, at::kFloat, /*non_blocking=*/false, /*copy=*/true));
  }
  return verbalizers;
}

HiddenRequest Verbalizers::request(bool final_rows) const {
  return {layers_, final_rows, config_.architecture->reads_all_tokens};
}

/// x in float32; the last block gives `rows` alone (undefined: all).
at::Tensor Verbalizers::run_network(size_t index, at::Tensor x, const DecoderContext& context,
                                    const at::Tensor& rows) const {
  for (const auto& block : networks_[index]) {
    const bool is_last = block == networks_[index].back();
    const auto y = block->forward(x, context, is_last ? rows : at::Tensor());
    x = config_.residual ? x + y : y;
  }
  return norm_ ? norm_->forward(x) : x;
}

at::Tensor Verbalizers::forward_rows(int64_t layer, const at::Tensor& rows) const {
  const auto found = std::find(layers_.begin(), layers_.end(), layer);
  TORCH_CHECK(found != layers_.end() && !config_.architecture->reads_all_tokens, "rows of layer ", layer,
              " alone for the verbalizers of ", at::IntArrayRef(layers_));
  return run_network(static_cast<size_t>(found - layers_.begin()), rows.to(at::kFloat), {}, {});
}

at::Tensor Verbalizers::forward(const at::Tensor& hidden, const Batch& batch) const {
  TORCH_CHECK(hidden.size(0) == static_cast<int64_t>(networks_.size()), hidden.size(0), " layers for ",
              networks_.size(), " verbalizers");
  const auto input = hidden.to(at::kFloat);
  const bool attends = config_.architecture->reads_all_tokens;
  const auto context =
      attends ? DecoderContext{rotary_table(batch.positions, backbone_, at::kFloat), find_runs(batch.sequence_starts)}
              : DecoderContext{};
  std::vector<at::Tensor> outputs;
  for (size_t i = 0; i < networks_.size(); ++i) {
    const auto rows = attends ? batch.answer_positions : at::Tensor();
    outputs.push_back(run_network(i, input[static_cast<int64_t>(i)], context, rows));
  }
  return at::stack(outputs);
}

NamedTensors Verbalizers::trained_parameters() const {
  auto parameters = named_parameters();
  std::erase_if(parameters, [](const auto& item) { return item.first == kFinalNorm; });
  return parameters;
}

void Verbalizers::save(const std::filesystem::path& directory, const BackboneFingerprint& backbone) const {
  TORCH_CHECK(config_.output_width == 0, "verbalizers without a head are not saved");
  AtomicDirectory out(directory);
  write_json(out.path() / kDescription, {{"format", kVerbalizersFormat},
                                         {"architecture", config_.architecture.text()},
                                         {"residual", config_.residual},
                                         {"final_norm", config_.final_norm},
                                         {"layers", layers_},
                                         {"backbone",
                                          {{"width", backbone.width},
                                           {"num_layers", backbone.num_layers},
                                           {"vocab_size", backbone.vocab_size},
                                           {"head", backbone.head},
                                           {"layers", backbone.layers},
                                           {"dtype", backbone.dtype}}}});
  NamedTensors tensors;
  for (const auto& item : named_parameters()) tensors.emplace_back(item.first, item.second.detach());
  write_safetensors(out.path() / kWeights, tensors);
  out.commit();
}

Cost verbalizers_cost(double num_networks, double num_values, double num_rows, double width) {
  Cost cost;
  // Input, gate, up, product and output of each network, and all of them joined, wide and narrow.
  cost.working_floats = (num_networks + 1) * num_rows * width * 7;
  cost.operations = 2 * num_networks * num_values * num_rows;
  return cost;
}

bool has_verbalizers(const std::filesystem::path& directory) {
  return std::filesystem::exists(directory / kDescription);
}

VerbalizersDescription read_verbalizers_description(const std::filesystem::path& directory) {
  const auto json = read_json(directory / kDescription);
  const std::string place = (directory / kDescription).string();
  check_format(json, kVerbalizersFormat, place, "train the verbalizers again");
  VerbalizersDescription description;
  auto& config = description.config;
  config.architecture = require<ChosenNetwork>(json, "architecture", place);
  config.residual = find<bool>(json, "residual", place).value_or(false);
  config.final_norm = find<bool>(json, "final_norm", place).value_or(false);
  if (config.residual && config.architecture->has_residuals_inside) {
    fail(place, ": architecture '", config.architecture->name,
         "' has residuals inside and goes with no other one, but residual is true");
  }
  description.layers = require<std::vector<int64_t>>(json, "layers", place);
  const auto backbone = require<Json>(json, "backbone", place);
  const std::string inside = place + ", backbone";
  const auto dtype = find<Dtype>(backbone, "dtype", inside);
  description.backbone = {
      require<int64_t>(backbone, "width", inside),      require<int64_t>(backbone, "num_layers", inside),
      require<int64_t>(backbone, "vocab_size", inside), require<std::string>(backbone, "head", inside),
      require<std::string>(backbone, "layers", inside), dtype ? dtype->text() : ""};
  return description;
}

namespace {

/// Whether there are layers, each deeper than the one before.
bool is_ascending(const std::vector<int64_t>& layers) {
  return !layers.empty() && std::adjacent_find(layers.begin(), layers.end(), std::greater_equal<>()) == layers.end();
}

}  // namespace

std::shared_ptr<Verbalizers> Verbalizers::load(const std::filesystem::path& directory, const TextConfig& text,
                                               const BackboneFingerprint& backbone,
                                               const std::vector<int64_t>& layers) {
  const auto [config, stored, trained_on] = read_verbalizers_description(directory);
  const std::string place = (directory / kDescription).string();
  const auto check = [&](const char* what, const auto& found, const auto& expected, const char* hint = "") {
    if (found != expected) {
      fail("loading verbalizers: ", place, ": they were trained on a backbone whose ", what, " is ", found,
           ", this one's is ", expected, hint);
    }
  };
  check("width", trained_on.width, backbone.width);
  check("num_layers", trained_on.num_layers, backbone.num_layers);
  check("vocab_size", trained_on.vocab_size, backbone.vocab_size);
  if (!trained_on.dtype.empty() && trained_on.dtype != backbone.dtype) {
    fail("loading verbalizers: ", place, ": they were trained in ", trained_on.dtype, ", and are to read a model in ",
         backbone.dtype, "; name the same dtype");
  }
  check("head", trained_on.head, backbone.head,
        "; its language head was trained since, or it is another model or in another dtype "
        "(vlsi lens: --head names the model they are for)");
  if (trained_on.layers != backbone.layers) {
    log_info("the verbalizers in " + directory.string() +
             " were trained on other decoder weights of the same architecture");
  }

  for (const auto* list : {&stored, &layers}) {
    if (!is_ascending(*list)) {
      fail("loading verbalizers: ", place, ": the layers ", at::IntArrayRef(*list), " are ",
           list == &stored ? "in it" : "asked for", ", expected ascending ones");
    }
  }
  for (const int64_t layer : layers) {
    if (std::find(stored.begin(), stored.end(), layer) == stored.end()) {
      fail("loading verbalizers: ", place, ": there is none for layer ", layer, ", but for ", at::IntArrayRef(stored));
    }
  }
  const std::shared_ptr<Verbalizers> verbalizers(new Verbalizers(config, text, layers));
  const auto file = SafetensorsFile::open(directory / kWeights);
  for (auto& item : verbalizers->named_parameters()) {
    const auto found = file->tensors().find(item.first);
    if (found == file->tensors().end()) fail("loading verbalizers: ", file->path().string(), ": missing ", item.first);
    const auto tensor = file->tensor(item.first);
    if (tensor.sizes() != item.second.sizes()) {
      fail("loading verbalizers: ", file->path().string(), ": ", item.first, " is ", tensor.sizes(), ", expected ",
           item.second.sizes());
    }
    item.second.set_data(tensor.to(at::kFloat).clone());
    item.second.set_requires_grad(false);
  }
  return verbalizers;
}

}  // namespace vlsi
