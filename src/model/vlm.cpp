#include "model/vlm.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "base/contains.h"
#include "base/error.h"
#include "model/checkpointed_layer.h"

namespace vlsi {

Vlm::Vlm(ModelConfig config, std::shared_ptr<VisionTower> tower, std::shared_ptr<Projector> projector)
    : config_(std::move(config)) {
  const auto& text = config_.text;
  tower_ = register_module("vision", std::move(tower));
  projector_ = register_module("projector", std::move(projector));
  embeddings_ = register_module("embeddings", std::make_shared<Embedding>(text.vocab_size, text.hidden_size));
  decoder_ = register_module("decoder", std::make_shared<Decoder>(text));
  if (text.tie_word_embeddings) return;
  head_ = register_module("head", std::make_shared<Linear>(text.hidden_size, text.vocab_size, /*with_bias=*/false));
}

PictureRows Vlm::look_at_pictures(const Batch& batch, PictureFeatures* pictures) const {
  const auto weights = tower_->named_parameters();
  const bool learns =
      std::any_of(weights.begin(), weights.end(), [](const auto& w) { return w.second.requires_grad(); });
  if (learns) return projector_->project(tower_->encode(batch.patches, batch.pictures), batch.pictures);
  // One picture at a time: what is remembered of it must not depend on its neighbours in a batch.
  std::vector<at::Tensor> features;
  int64_t first = 0;
  for (size_t i = 0; i < batch.pictures.size(); ++i) {
    const auto& picture = batch.pictures[i];
    const auto patches = batch.patches.narrow(0, first, picture.num_patches);
    features.push_back(pictures != nullptr ? pictures->of(*tower_, batch.fingerprints[i], patches, picture)
                                           : tower_->encode(patches, {&picture, 1}));
    first += picture.num_patches;
  }
  return projector_->project(at::cat(features), batch.pictures);
}

namespace {

/// Rows of zeros to put behind a batch's tokens: a bfloat16 product on a CPU takes up to 1.4 times as long where the
/// number of rows is no multiple of 8. They are a sequence of their own, and nobody reads them.
int64_t num_filler_rows(const at::Tensor& embedded, const CachedPass* pass) {
  constexpr int64_t kMultiple = 8;
  if ((pass != nullptr && pass->is_decoding()) || !embedded.is_cpu() || embedded.scalar_type() != at::kBFloat16)
    return 0;
  return (kMultiple - embedded.size(0) % kMultiple) % kMultiple;
}

/// A batch on its way through the decoder.
class Passage {
 public:
  /// `embedded` [T, D], the tokens of `batch`; `pictures`, without rows where it has none.
  Passage(const Batch& batch, const HiddenRequest& request, const TextConfig& config, const CachedPass* cached,
          const at::Tensor& embedded, PictureRows pictures)
      : batch_(batch), request_(request), config_(config), x_(embedded), pictures_(std::move(pictures)) {
    if (pictures_.rows.defined()) {
      TORCH_CHECK(pictures_.rows.size(0) == batch.image_token_positions.size(0), "the pictures give ",
                  pictures_.rows.size(0), " rows, the tokens have places for ", batch.image_token_positions.size(0));
      TORCH_CHECK(pictures_.added.size() == config.rows_added_after.size(), "the pictures give ",
                  pictures_.added.size(), " further rows, the decoder adds ", config.rows_added_after.size());
      x_ = embedded.index_copy(0, batch.image_token_positions, pictures_.rows.to(embedded.scalar_type()));
      pictures_.rows.reset();
    }
    auto positions = batch.positions;
    auto starts = batch.sequence_starts;
    if (const int64_t filler = num_filler_rows(x_, cached); filler > 0) {
      positions = at::constant_pad_nd(positions, {0, filler});
      starts.push_back(starts.back() + filler);
      x_ = at::constant_pad_nd(x_, {0, 0, 0, filler});
    }
    context_ = {rotary_table(positions, config, embedded.scalar_type()), find_runs(starts), cached};
  }

  /// Through layer `index`; `is_last`: of those that are needed, above which the answer positions are enough.
  void pass(const DecoderLayer& layer, int64_t index, bool is_last, bool checkpoints) {
    const bool is_wanted = contains(request_.layers, index + 1);
    const bool wanted_whole = is_wanted && request_.all_tokens;
    const auto added = rows_added_after(index);
    const bool narrows = is_last && !wanted_whole;  // to the answer positions
    const auto rows = narrows && !added.defined() ? batch_.answer_positions : at::Tensor();
    x_ =
        checkpoints ? forward_checkpointed(layer, x_, context_, index, rows) : layer.forward(x_, context_, index, rows);
    if (added.defined()) {
      x_ = x_.index_add(0, batch_.image_token_positions, added.to(x_.scalar_type()));
      if (narrows) x_ = x_.index_select(0, batch_.answer_positions);
    }
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
    wanted_.clear();
    x_ = at::Tensor();
    return hidden;
  }

 private:
  /// The pictures' rows to add behind layer `index`; undefined for none.
  at::Tensor rows_added_after(int64_t index) const {
    const auto& layers = config_.rows_added_after;
    const auto found = std::find(layers.begin(), layers.end(), index);
    return found == layers.end() || pictures_.added.empty() ? at::Tensor() : pictures_.added[found - layers.begin()];
  }

  const Batch& batch_;
  const HiddenRequest& request_;
  const TextConfig& config_;
  DecoderContext context_;
  at::Tensor x_;  // the residual stream, with filler rows at its end
  PictureRows pictures_;
  std::vector<at::Tensor> wanted_;
};

}  // namespace

std::optional<WeightStream::Held> Vlm::hold(size_t part, std::optional<size_t> next) const {
  if (!stream_) return std::nullopt;
  return stream_->hold(part, next);
}

std::vector<Hidden> Vlm::forward(std::span<const Batch> batches, const HiddenRequest& request,
                                 PictureFeatures* pictures) const {
  const int64_t num_layers_needed =
      request.final_rows ? num_layers() : (request.layers.empty() ? 0 : request.layers.back());
  TORCH_CHECK(num_layers_needed <= num_layers(), "layer ", num_layers_needed, " of ", num_layers());
  TORCH_CHECK(!is_streamed() || !at::GradMode::is_enabled(), "a streamed model has no gradient");
  const bool is_exchange =
      stream_ && stream_->is_exchange();  // then it runs in step with other processes, whatever their batches
  if (batches.empty() && !is_exchange) return {};
  const bool checkpoints = checkpoints_activations_ && at::GradMode::is_enabled();

  std::vector<Passage> passages;
  {
    const bool has_pictures =
        std::any_of(batches.begin(), batches.end(), [](const auto& b) { return b.patches.defined(); });
    const auto tower = has_pictures || is_exchange ? hold(0) : std::nullopt;
    for (const auto& batch : batches) {
      passages.emplace_back(batch, request, config_.text, /*cached=*/nullptr, embeddings_->forward(batch.tokens),
                            batch.patches.defined() ? look_at_pictures(batch, pictures) : PictureRows{});
    }
  }
  if (is_streamed())
    release_memory();  // of the embeddings, and of the head, which nobody reads until the layers are through
  for (int64_t i = 0; i < num_layers_needed; ++i) {
    const bool is_last = i + 1 == num_layers_needed;
    const auto part = static_cast<size_t>(i) + 1;
    const auto layer = hold(part, is_last ? std::nullopt : std::optional(part + 1));
    for (auto& passage : passages) passage.pass(decoder_->layer(i), i, is_last, checkpoints);
  }
  std::vector<Hidden> results;
  for (auto& passage : passages) results.push_back(passage.finish(decoder_->norm()));
  return results;
}

Hidden Vlm::forward(const Batch& batch, const HiddenRequest& request, PictureFeatures* pictures) const {
  return std::move(forward({&batch, 1}, request, pictures).front());
}

Hidden Vlm::forward_cached(const Batch& batch, PictureRows pictures, const CachedPass& pass,
                           const HiddenRequest& request, const LowerRows& lower) const {
  TORCH_CHECK(!is_streamed(), "a streamed model generates nothing");
  TORCH_CHECK(!lower.rows.defined() || !pictures.rows.defined(), "pictures among tokens whose lower rows are known");
  const auto x = lower.rows.defined() ? lower.rows : embeddings_->forward(batch.tokens);
  Passage passage(batch, request, config_.text, &pass, x, std::move(pictures));
  const int64_t num_needed = request.final_rows ? num_layers() : request.layers.back();
  for (int64_t i = lower.num_layers; i < num_needed; ++i) {
    passage.pass(decoder_->layer(i), i, i + 1 == num_needed, false);
  }
  return passage.finish(decoder_->norm());
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

void Vlm::add_lora(int64_t rank, double alpha, const std::vector<std::string>& targets, uint64_t seed,
                   const std::string& place) {
  auto generator = at::detail::createCPUGenerator(seed);
  std::vector<std::string> unused = targets;
  decoder_->for_each_module([&](const std::string& path, Module& module) {
    const auto name = path.substr(path.rfind('.') + 1);
    auto* linear = dynamic_cast<Linear*>(&module);
    if (linear == nullptr || !contains(targets, name)) return;
    linear->add_lora(rank, alpha, generator);
    std::erase(unused, name);
  });
  if (!unused.empty()) fail(place, ": the decoder has no linear map called '", unused.front(), "'");
}

}  // namespace vlsi
