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
    features.push_back(
        look_at_picture(batch.fingerprints[i], batch.patches.narrow(0, first, num_patches), batch.grids[i]));
    first += num_patches;
  }
  return visual_->merge(at::cat(features));
}

at::Tensor Vlm::look_at_picture(uint64_t picture, const at::Tensor& patches, const ImageGrid& grid) const {
  if (auto seen = features_.find(picture)) return *seen;
  if (!vision_cache_.empty() && !feature_files_) {
    feature_files_ =
        std::make_unique<FeatureFiles>(vision_cache_, visual_->fingerprint(), config_.vision.embed_dim, dtype());
  }
  auto features = feature_files_ ? feature_files_->find(picture) : std::nullopt;
  if (features) {
    features = features->to(device());
  } else {
    features = visual_->encode(patches, {grid});
    if (feature_files_) feature_files_->insert(picture, *features);
  }
  features_.insert(picture, *features);
  return *features;
}

at::Tensor Vlm::embed(const Batch& batch) const {
  const auto embedded = model_->embed_tokens().forward(batch.tokens);
  if (!batch.patches.defined()) return embedded;
  const auto features = look_at_pictures(batch).to(embedded.scalar_type());
  TORCH_CHECK(features.size(0) == batch.image_token_positions.size(0), "the pictures give ", features.size(0),
              " rows, the tokens have places for ", batch.image_token_positions.size(0));
  return embedded.index_copy(0, batch.image_token_positions, features);
}

namespace {

/// Rows of zeros to put behind a batch's tokens: a bfloat16 product on a CPU takes up to 1.4 times as long where the
/// number of rows is no multiple of 8. They are a sequence of their own, and nobody reads them.
int64_t num_filler_rows(const at::Tensor& embedded, const KvCache* cache) {
  constexpr int64_t kMultiple = 8;
  if (cache != nullptr || !embedded.is_cpu() || embedded.scalar_type() != at::kBFloat16) return 0;
  return (kMultiple - embedded.size(0) % kMultiple) % kMultiple;
}

/// A batch on its way through the decoder.
class Passage {
 public:
  /// `embedded` [T, D], the tokens of `batch`.
  Passage(const Batch& batch, const HiddenRequest& request, const TextConfig& config, KvCache* cache,
          const at::Tensor& embedded)
      : batch_(batch), request_(request), x_(embedded) {
    auto positions = batch.positions;
    auto starts = batch.sequence_starts;
    if (const int64_t filler = num_filler_rows(embedded, cache); filler > 0) {
      positions = at::constant_pad_nd(positions, {0, filler});
      starts.push_back(starts.back() + filler);
      x_ = at::constant_pad_nd(x_, {0, 0, 0, filler});
    }
    context_ = {mrope_table(positions, config, embedded.scalar_type()), find_runs(starts), cache};
  }

  /// Through layer `index`; `is_last`: of those that are needed, above which the answer positions are enough.
  void pass(const DecoderLayer& layer, int64_t index, bool is_last, bool checkpoints) {
    const bool is_wanted =
        std::find(request_.layers.begin(), request_.layers.end(), index + 1) != request_.layers.end();
    const bool wanted_whole = is_wanted && request_.all_tokens;
    const auto rows = is_last && !wanted_whole ? batch_.answer_positions : at::Tensor();
    x_ =
        checkpoints ? forward_checkpointed(layer, x_, context_, index, rows) : layer.forward(x_, context_, index, rows);
    if (wanted_whole) {
      wanted_.push_back(x_.narrow(0, 0, batch_.num_tokens()));
    } else if (is_wanted) {
      wanted_.push_back(is_last ? x_ : x_.index_select(0, batch_.answer_positions));
    }
    if (is_last && wanted_whole) x_ = x_.index_select(0, batch_.answer_positions);
  }

  Hidden finish(const RmsNormLayer& norm) {
    Hidden hidden;
    if (!wanted_.empty()) hidden.layers = at::stack(wanted_);
    if (request_.final_rows) hidden.final_rows = norm.forward(x_);
    if (context_.cache != nullptr) context_.cache->finish_prompt(context_.runs);
    wanted_.clear();
    x_ = at::Tensor();
    return hidden;
  }

 private:
  const Batch& batch_;
  const HiddenRequest& request_;
  DecoderContext context_;
  at::Tensor x_;  // the residual stream, with filler rows at its end
  std::vector<at::Tensor> wanted_;
};

}  // namespace

std::optional<WeightStream::Held> Vlm::hold(size_t part, std::optional<size_t> next) const {
  if (!stream_) return std::nullopt;
  return stream_->hold(part, next);
}

std::vector<Hidden> Vlm::run(std::span<const Batch> batches, const HiddenRequest& request, KvCache* cache) const {
  const int64_t num_layers_needed =
      request.final_rows ? num_layers() : (request.layers.empty() ? 0 : request.layers.back());
  TORCH_CHECK(num_layers_needed <= num_layers(), "layer ", num_layers_needed, " of ", num_layers());
  TORCH_CHECK(!is_streamed() || !at::GradMode::is_enabled(), "a streamed model has no gradient");
  const bool is_exchange =
      stream_ && stream_->is_exchange();  // then it runs in step with other processes, whatever their batches
  if (batches.empty() && !is_exchange) return {};
  const bool checkpoints = checkpoints_activations_ && at::GradMode::is_enabled() && cache == nullptr;

  std::vector<Passage> passages;
  {
    const bool has_pictures =
        std::any_of(batches.begin(), batches.end(), [](const auto& b) { return b.patches.defined(); });
    const auto tower = has_pictures || is_exchange ? hold(0) : std::nullopt;
    for (const auto& batch : batches) passages.emplace_back(batch, request, config_.text, cache, embed(batch));
  }
  if (is_streamed())
    release_memory();  // of the embeddings, and of the head, which nobody reads until the layers are through
  for (int64_t i = 0; i < num_layers_needed; ++i) {
    const bool is_last = i + 1 == num_layers_needed;
    const auto part = static_cast<size_t>(i) + 1;
    const auto layer = hold(part, is_last ? std::nullopt : std::optional(part + 1));
    for (auto& passage : passages) passage.pass(model_->layer(i), i, is_last, checkpoints);
  }
  std::vector<Hidden> results;
  for (auto& passage : passages) results.push_back(passage.finish(model_->norm()));
  return results;
}

Hidden Vlm::forward(const Batch& batch, const HiddenRequest& request, KvCache* cache) const {
  return std::move(run({&batch, 1}, request, cache).front());
}

std::vector<Hidden> Vlm::forward(std::span<const Batch> batches, const HiddenRequest& request) const {
  return run(batches, request, /*cache=*/nullptr);
}

void Vlm::for_each_weight(const std::function<void(const std::string&, const at::Tensor&)>& visit) const {
  std::optional<size_t> current;
  std::optional<WeightStream::Held> held;
  for (const auto& [name, parameter] : named_parameters()) {
    const auto part = is_streamed() ? streamed_part(name) : std::nullopt;
    if (part != current) {
      held.reset();
      if (part) held.emplace(stream_->hold(*part));
      current = part;
    }
    visit(name, parameter);
  }
}

at::Tensor Vlm::forward_next(const at::Tensor& tokens, const at::Tensor& positions, KvCache& cache) const {
  TORCH_CHECK(!is_streamed(), "a streamed model generates nothing");
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

}  // namespace vlsi
