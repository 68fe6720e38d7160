#include "generate/passes.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace vlsi {
namespace {

/// Pieces with equally many known and new tokens become neighbours: they share an attention call.
std::vector<int64_t> order_of(const std::vector<PassPiece>& pieces) {
  std::vector<int64_t> order(pieces.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    const auto key = [&](int64_t i) { return std::pair(pieces[i].branch->num_known, pieces[i].count); };
    return key(a) < key(b);
  });
  return order;
}

/// Of the rows of a prompt's pictures those that stand in a piece, which `places` says: rows [first, first + count).
void append_rows(const PictureRows& all, int64_t first, int64_t count, std::vector<PictureRows>& found) {
  PictureRows some{all.rows.narrow(0, first, count), {}};
  for (const auto& added : all.added) some.added.push_back(added.narrow(0, first, count));
  found.push_back(std::move(some));
}

PictureRows join(const std::vector<PictureRows>& parts) {
  if (parts.empty()) return {};
  PictureRows joined;
  std::vector<at::Tensor> rows;
  for (const auto& part : parts) rows.push_back(part.rows);
  joined.rows = at::cat(rows);
  for (size_t i = 0; i < parts.front().added.size(); ++i) {
    std::vector<at::Tensor> added;
    for (const auto& part : parts) added.push_back(part.added[i]);
    joined.added.push_back(at::cat(added));
  }
  return joined;
}

/// Pieces laid end to end as a batch.
class PassBuilder {
 public:
  PassBuilder(const Vlm& model, PictureFeatures* pictures)
      : model_(model), pictures_(pictures), positions_(static_cast<size_t>(model.config().text.num_axes())) {}

  void add(const PassPiece& piece) {
    const auto& [job, branch, count] = piece;
    const int64_t first = branch->num_known, start = std::ssize(tokens_);
    for (int64_t token = first; token < first + count; ++token) {
      tokens_.push_back(branch->tokens[token]);
      for (size_t axis = 0; axis < positions_.size(); ++axis) {
        positions_[axis].push_back(job->position_of(static_cast<int64_t>(axis), token));
      }
    }
    const auto& places = job->prompt().image_token_positions;
    const auto begin = std::lower_bound(places.begin(), places.end(), first),
               end = std::lower_bound(begin, places.end(), first + count);
    if (begin != end) {
      append_rows(job->picture_rows(model_, pictures_), begin - places.begin(), end - begin, picture_rows_);
      for (auto place = begin; place != end; ++place) image_tokens_.push_back(*place - first + start);
    }
    starts_.push_back(std::ssize(tokens_));
    last_rows_.push_back(std::ssize(tokens_) - 1);
    sequences_.push_back({branch->blocks, first, count});
  }

  at::Tensor run(KvCache& cache) {
    Batch batch;
    batch.tokens = at::tensor(tokens_, at::kLong);
    std::vector<at::Tensor> axes;
    for (const auto& axis : positions_) axes.push_back(at::tensor(axis, at::kLong));
    batch.positions = at::stack(axes);
    batch.sequence_starts = starts_;
    batch.answer_positions = at::tensor(last_rows_, at::kLong);
    batch.image_token_positions = at::tensor(image_tokens_, at::kLong);
    for (auto* tensor : {&batch.tokens, &batch.positions, &batch.answer_positions, &batch.image_token_positions}) {
      *tensor = tensor->to(model_.device());
    }
    const CachedPass pass(cache, std::move(sequences_));
    return model_.forward_cached(batch, join(picture_rows_), pass).final_rows;
  }

 private:
  const Vlm& model_;
  PictureFeatures* const pictures_;
  std::vector<int64_t> tokens_, image_tokens_, last_rows_, starts_{0};
  std::vector<std::vector<int64_t>> positions_;
  std::vector<PictureRows> picture_rows_;
  std::vector<CachedSequence> sequences_;
};

}  // namespace

at::Tensor run_pass(const Vlm& model, PictureFeatures* pictures, KvCache& cache, const std::vector<PassPiece>& pieces) {
  PassBuilder builder(model, pictures);
  const auto order = order_of(pieces);
  for (const int64_t index : order) builder.add(pieces[index]);
  const auto rows = builder.run(cache);
  for (const auto& piece : pieces) piece.branch->num_known += piece.count;
  if (std::is_sorted(order.begin(), order.end())) return rows;
  return at::empty_like(rows).index_copy_(0, at::tensor(order, at::kLong).to(rows.device()), rows);
}

std::string describe_not_finite(const Vlm& model, PictureFeatures* pictures, Answering& job, const Branch& branch) {
  Sample whole = job.prompt();
  whole.tokens = branch.tokens;
  for (size_t axis = 0; axis < whole.positions.size(); ++axis) {
    for (auto token = std::ssize(whole.positions[axis]); token < std::ssize(whole.tokens); ++token) {
      whole.positions[axis].push_back(static_cast<int32_t>(job.position_of(static_cast<int64_t>(axis), token)));
    }
  }
  whole.answer_positions = {static_cast<int32_t>(whole.tokens.size()) - 1};
  HiddenRequest request;
  for (int64_t layer = 1; layer <= model.num_layers(); ++layer) request.layers.push_back(layer);
  const auto hidden = model.forward(to_device(pack({whole}), model.device()), request, pictures);
  for (int64_t i = 0; i < model.num_layers(); ++i) {
    if (!hidden.layers[i].isfinite().all().item<bool>()) {
      return concat("the rows of decoder layer ", i + 1, " of ", model.num_layers(), " are NaN or infinite");
    }
  }
  return "the logits of the language head are NaN or infinite";
}

}  // namespace vlsi
