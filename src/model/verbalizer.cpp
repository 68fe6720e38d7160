#include "model/verbalizer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/safetensors.h"
#include "model/fingerprint.h"
#include "model/fused.h"
#include "model/parts.h"

namespace vlsi {
namespace {

constexpr const char* kDescription = "verbalizers.json";
constexpr const char* kWeights = "verbalizers.safetensors";

}  // namespace

VerbFfn::VerbFfn(int64_t width) {
  gate_ = register_module("gate", std::make_shared<Linear>(width, width, /*with_bias=*/false));
  up_ = register_module("up", std::make_shared<Linear>(width, width, /*with_bias=*/false));
  down_ = register_module("down", std::make_shared<Linear>(width, width, /*with_bias=*/false));
}

at::Tensor VerbFfn::forward(const at::Tensor& h) const {
  const auto projected = forward_together(h, {gate_.get(), up_.get()});
  return down_->forward(swiglu(projected[0], projected[1]));
}

BackboneFingerprint BackboneFingerprint::of(const Vlm& model) {
  NamedTensors layers;
  for (const auto& item : model.named_parameters()) {
    if (part_of(item.first) == "decoder") layers.emplace_back(item.first, item.second);
  }
  return {model.config().text.hidden_size, model.num_layers(), model.config().text.vocab_size,
          fingerprint({{"head", model.head()}}), fingerprint(layers)};
}

Verbalizers::Verbalizers(int64_t width, const std::vector<int64_t>& layers, uint64_t seed) : layers_(layers) {
  at::NoGradGuard no_grad;
  auto generator = at::detail::createCPUGenerator(seed);
  const auto list = register_module("layers", std::make_shared<Module>());
  for (const int64_t layer : layers_) {
    networks_.push_back(list->register_module(std::to_string(layer), std::make_shared<VerbFfn>(width)));
  }
  for (auto& [name, parameter] : named_parameters()) parameter.normal_(0, 1 / std::sqrt(static_cast<double>(width)), generator);
}

at::Tensor Verbalizers::forward(const at::Tensor& hidden) const {
  TORCH_CHECK(hidden.size(0) == static_cast<int64_t>(networks_.size()), hidden.size(0), " layers for ", networks_.size(),
              " verbalizers");
  const auto rows = hidden.to(networks_.front()->dtype());
  std::vector<at::Tensor> outputs;
  for (size_t i = 0; i < networks_.size(); ++i) outputs.push_back(networks_[i]->forward(rows[static_cast<int64_t>(i)]));
  return at::stack(outputs);
}

void Verbalizers::save(const std::filesystem::path& directory, const BackboneFingerprint& backbone) const {
  AtomicDirectory out(directory);
  write_json(out.path() / kDescription,
             {{"architecture", "verb_ffn"},
              {"layers", layers_},
              {"backbone",
               {{"width", backbone.width},
                {"num_layers", backbone.num_layers},
                {"vocab_size", backbone.vocab_size},
                {"head", backbone.head},
                {"layers", backbone.layers}}}});
  NamedTensors tensors;
  for (const auto& item : named_parameters()) tensors.emplace_back(item.first, item.second.detach());
  write_safetensors(out.path() / kWeights, tensors);
  out.commit();
}

std::shared_ptr<Verbalizers> Verbalizers::load(const std::filesystem::path& directory, const BackboneFingerprint& backbone,
                                               const std::vector<int64_t>& layers) {
  const auto description = read_json(directory / kDescription);
  const std::string place = (directory / kDescription).string();
  if (const auto found = require<std::string>(description, "architecture", place); found != "verb_ffn") {
    fail(place, ": architecture is '", found, "', expected verb_ffn");
  }
  const auto trained_on = require<Json>(description, "backbone", place);
  const auto check = [&](const char* what, const auto& expected) {
    const auto found = require<std::decay_t<decltype(expected)>>(trained_on, what, place + ", backbone");
    if (found != expected) {
      fail("loading verbalizers: ", place, ": they were trained on a backbone whose ", what, " is ", found,
           ", this one's is ", expected);
    }
  };
  check("width", backbone.width);
  check("num_layers", backbone.num_layers);
  check("vocab_size", backbone.vocab_size);
  check("head", backbone.head);
  if (require<std::string>(trained_on, "layers", place + ", backbone") != backbone.layers) {
    log_info("the verbalizers in " + directory.string() + " were trained on other decoder weights of the same architecture");
  }

  const auto stored = require<std::vector<int64_t>>(description, "layers", place);
  for (const int64_t layer : layers) {
    if (std::find(stored.begin(), stored.end(), layer) == stored.end()) {
      fail("loading verbalizers: ", place, ": there is none for layer ", layer, ", but for ", at::IntArrayRef(stored));
    }
  }
  auto verbalizers = std::make_shared<Verbalizers>(backbone.width, layers, /*seed=*/0);
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
