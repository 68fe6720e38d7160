#include "model/vlm.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "base/error.h"
#include "model/checkpointed_layer.h"

namespace vlsi {

namespace {

constexpr int64_t kFeatureCacheBytes = int64_t{256} << 20;

}  // namespace

Vlm::Vlm(const ModelConfig& config) : config_(config), features_(kFeatureCacheBytes) {
  visual_ = register_module("visual", std::make_shared<VisionTower>(config.vision));
  model_ = register_module("model", std::make_shared<Decoder>(config.text));
  if (!config.text.tie_word_embeddings) {
    lm_head_ = register_module(
        "lm_head", std::make_shared<Linear>(config.text.hidden_size, config.text.vocab_size, /*with_bias=*/false));
  }
}

at::Tensor Vlm::look_at_pictures(const Batch& batch) const {
  if (!visual_->is_frozen()) return visual_->merge(visual_->encode(batch.patches, batch.grids));
  // One picture at a time: what is remembered of it must not depend on its neighbours in a batch.
  std::vector<at::Tensor> features;
  int64_t first = 0;
  for (size_t i = 0; i < batch.grids.size(); ++i) {
    const int64_t num_patches = batch.grids[i].num_patches();
    auto seen = features_.find(batch.fingerprints[i]);
    if (!seen) {
      seen = visual_->encode(batch.patches.narrow(0, first, num_patches), {batch.grids[i]});
      features_.insert(batch.fingerprints[i], *seen);
    }
    features.push_back(*seen);
    first += num_patches;
  }
  return visual_->merge(at::cat(features));
}

at::Tensor Vlm::embed(const Batch& batch) const {
  const auto embedded = model_->embed_tokens().forward(batch.tokens);
  if (!batch.patches.defined()) return embedded;
  const auto features = look_at_pictures(batch).to(embedded.scalar_type());
  TORCH_CHECK(features.size(0) == batch.image_token_positions.size(0), "the pictures give ", features.size(0),
              " rows, the tokens have places for ", batch.image_token_positions.size(0));
  return embedded.index_copy(0, batch.image_token_positions, features);
}

Hidden Vlm::forward(const Batch& batch, const HiddenRequest& request, KvCache* cache) const {
  const int64_t num_layers_needed =
      request.final_rows ? num_layers() : (request.layers.empty() ? 0 : request.layers.back());
  TORCH_CHECK(num_layers_needed <= num_layers(), "layer ", num_layers_needed, " of ", num_layers());

  const DecoderContext context{mrope_table(batch.positions, config_.text, dtype()), find_runs(batch.sequence_starts), cache};
  const bool checkpoints = checkpoints_activations_ && at::GradMode::is_enabled() && cache == nullptr;
  auto x = embed(batch);
  Hidden hidden;
  std::vector<at::Tensor> wanted;
  for (int64_t i = 0; i < num_layers_needed; ++i) {
    const bool is_wanted = std::find(request.layers.begin(), request.layers.end(), i + 1) != request.layers.end();
    const bool wanted_whole = is_wanted && request.all_tokens;
    // Above the last layer that is needed, only the answer positions are.
    const bool is_last = i + 1 == num_layers_needed;
    const auto rows = is_last && !wanted_whole ? batch.answer_positions : at::Tensor();
    x = checkpoints ? forward_checkpointed(model_->layer(i), x, context, i, rows)
                    : model_->layer(i).forward(x, context, i, rows);
    if (is_wanted) wanted.push_back(is_last || wanted_whole ? x : x.index_select(0, batch.answer_positions));
    if (is_last && wanted_whole) x = x.index_select(0, batch.answer_positions);
  }
  if (!wanted.empty()) hidden.layers = at::stack(wanted);
  if (request.final_rows) hidden.final_rows = model_->norm().forward(x);
  if (cache != nullptr) cache->finish_prompt(context.runs);
  return hidden;
}

at::Tensor Vlm::forward_next(const at::Tensor& tokens, const at::Tensor& positions, KvCache& cache) const {
  const DecoderContext context{mrope_table(positions.unsqueeze(0).expand({3, -1}), config_.text, dtype()), {}, &cache};
  auto x = model_->embed_tokens().forward(tokens);
  for (int64_t i = 0; i < num_layers(); ++i) x = model_->layer(i).forward(x, context, i);
  cache.finish_step();
  return model_->norm().forward(x);
}

void Vlm::add_lora(int64_t rank, double alpha, const std::vector<std::string>& targets, uint64_t seed,
                   const std::string& place) {
  auto generator = at::detail::createCPUGenerator(seed);
  std::vector<std::string> unused = targets;
  model_->for_each_module([&](const std::string& path, Module& module) {
    const auto name = path.substr(path.rfind('.') + 1);
    auto* linear = dynamic_cast<Linear*>(&module);
    if (linear == nullptr || std::find(targets.begin(), targets.end(), name) == targets.end()) return;
    linear->add_lora(rank, alpha, generator);
    std::erase(unused, name);
  });
  if (!unused.empty()) fail(place, ": the decoder has no linear map called '", unused.front(), "'");
}

void Vlm::merge_lora() {
  model_->for_each_module([](const std::string&, Module& module) {
    if (auto* linear = dynamic_cast<Linear*>(&module)) linear->merge_lora();
  });
}

}  // namespace vlsi
