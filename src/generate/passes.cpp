#include "generate/passes.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <span>

#include "base/error.h"
#include "base/send.h"

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

/// Tokens of branches laid end to end as a batch.
class PassBuilder {
 public:
  /// Wanted are the rows of each branch's last token, or with kOneByOne those of all.
  PassBuilder(const Vlm& model, PictureFeatures* pictures, NewTokens new_tokens = NewTokens::kTogether)
      : model_(model),
        pictures_(pictures),
        new_tokens_(new_tokens),
        positions_(static_cast<size_t>(model.config().text.num_axes())) {}

  /// Tokens first ... first + count - 1 of a branch and its draft.
  void add(Answering& job, const Branch& branch, int64_t first, int64_t count) {
    const int64_t start = std::ssize(tokens_), length = std::ssize(branch.tokens);
    for (int64_t token = first; token < first + count; ++token) {
      tokens_.push_back(token < length ? branch.tokens[token] : branch.draft[token - length]);
      for (size_t axis = 0; axis < positions_.size(); ++axis) {
        positions_[axis].push_back(job.position_of(static_cast<int64_t>(axis), token));
      }
    }
    const auto& places = job.prompt().image_token_positions;
    const auto begin = std::lower_bound(places.begin(), places.end(), first),
               end = std::lower_bound(begin, places.end(), first + count);
    if (begin != end) {
      append_rows(job.picture_rows(model_, pictures_), begin - places.begin(), end - begin, picture_rows_);
      for (auto place = begin; place != end; ++place) image_tokens_.push_back(*place - first + start);
    }
    starts_.push_back(std::ssize(tokens_));
    for (int64_t row = new_tokens_ == NewTokens::kOneByOne ? 0 : count - 1; row < count; ++row) {
      wanted_rows_.push_back(start + row);
    }
    sequences_.push_back({branch.blocks, first, count});
  }

  /// The last tokens that were added are these, [1] each, which lie on the device.
  void replace_last(std::span<const at::Tensor> tokens) {
    const int64_t first = std::ssize(tokens_) - std::ssize(tokens);
    for (int64_t i = 0; i < std::ssize(tokens); ++i) unread_places_.push_back(first + i);
    unread_.insert(unread_.end(), tokens.begin(), tokens.end());
  }

  Hidden run(KvCache& cache, const HiddenRequest& request = {}, const LowerRows& lower = {}) {
    Batch batch;
    batch.tokens = at::tensor(tokens_, at::kLong);
    std::vector<at::Tensor> axes;
    for (const auto& axis : positions_) axes.push_back(at::tensor(axis, at::kLong));
    batch.positions = at::stack(axes);
    batch.sequence_starts = starts_;
    batch.answer_positions = at::tensor(wanted_rows_, at::kLong);
    batch.image_token_positions = at::tensor(image_tokens_, at::kLong);
    for (auto* tensor : {&batch.tokens, &batch.positions, &batch.answer_positions, &batch.image_token_positions}) {
      *tensor = send(*tensor, model_.device());
    }
    if (!unread_.empty()) {
      batch.tokens.index_copy_(0, send(at::tensor(unread_places_, at::kLong), model_.device()), at::cat(unread_));
    }
    const CachedPass pass(cache, std::move(sequences_), new_tokens_);
    return model_.forward_cached(batch, join(picture_rows_), pass, request, lower);
  }

 private:
  const Vlm& model_;
  PictureFeatures* const pictures_;
  const NewTokens new_tokens_;
  std::vector<int64_t> tokens_, image_tokens_, wanted_rows_, unread_places_, starts_{0};
  std::vector<at::Tensor> unread_;
  std::vector<std::vector<int64_t>> positions_;
  std::vector<PictureRows> picture_rows_;
  std::vector<CachedSequence> sequences_;
};

/// Tokens of each piece's draft on the device, [1] each.
using UnreadDrafts = std::vector<std::vector<at::Tensor>>;

/// Lets the branches of the pieces `open`, whose last tokens have the rows [open, D] after the draft's layer, each
/// draft one token more; into `unread`, if there is one, with a place in the branch's draft. Returns the pieces that
/// did.
std::vector<size_t> extend_drafts(const Draft& draft, const std::vector<PassPiece>& pieces,
                                  const std::vector<size_t>& open, const at::Tensor& rows, UnreadDrafts* unread) {
  std::vector<size_t> asked, extended;
  std::vector<int64_t> places;
  for (size_t i = 0; i < open.size(); ++i) {
    const auto& piece = pieces[open[i]];
    if (std::ssize(piece.branch->draft) >= piece.max_draft) continue;
    asked.push_back(open[i]);
    places.push_back(static_cast<int64_t>(i));
  }
  if (asked.empty()) return {};
  const auto logits =
      draft.logits(rows.index_select(0, send(at::tensor(places, at::kLong), rows.device())));  // [asked, V]
  auto likeliest = logits.argmax(-1);
  if (unread != nullptr) {
    for (size_t i = 0; i < asked.size(); ++i) {
      (*unread)[asked[i]].push_back(likeliest.narrow(0, static_cast<int64_t>(i), 1));
      pieces[asked[i]].branch->draft.push_back(0);
    }
    return asked;
  }
  likeliest = likeliest.cpu();
  for (size_t i = 0; i < asked.size(); ++i) {
    const auto& [job, branch, count, max_draft] = pieces[asked[i]];
    const auto token = job->has_rules() ? job->expect(logits[static_cast<int64_t>(i)])
                                        : static_cast<int32_t>(likeliest.const_data_ptr<int64_t>()[i]);
    if (job->request().decoding.stops_at(token)) continue;  // nothing follows it
    branch->draft.push_back(token);
    extended.push_back(asked[i]);
  }
  return extended;
}

}  // namespace

at::Tensor run_pass(const Vlm& model, PictureFeatures* pictures, KvCache& cache, const std::vector<PassPiece>& pieces) {
  PassBuilder builder(model, pictures);
  const auto order = order_of(pieces);
  for (const int64_t index : order) {
    const auto& piece = pieces[index];
    builder.add(*piece.job, *piece.branch, piece.branch->num_known, piece.count);
  }
  const auto rows = builder.run(cache).final_rows;
  for (const auto& piece : pieces) piece.branch->num_known += piece.count;
  if (std::is_sorted(order.begin(), order.end())) return rows;
  return at::empty_like(rows).index_copy_(0, send(at::tensor(order, at::kLong), rows.device()), rows);
}

at::Tensor run_drafted_pass(const Vlm& model, KvCache& cache, const Draft& draft, const std::vector<PassPiece>& pieces,
                            at::Tensor& unread) {
  const bool defers = !model.device().is_cpu() && std::none_of(pieces.begin(), pieces.end(), [](const auto& piece) {
    return piece.job->takes_logits();
  });
  UnreadDrafts drafts(pieces.size());
  for (const auto& piece : pieces) piece.branch->draft.clear();
  std::vector<std::vector<at::Tensor>> lower(pieces.size());  // [1, D] of each token of a piece and its draft
  std::vector<size_t> open(pieces.size());                    // pieces with a token that has no lower row yet
  std::iota(open.begin(), open.end(), 0);
  while (!open.empty()) {
    PassBuilder builder(model, nullptr, NewTokens::kOneByOne);
    for (const size_t index : open) {
      const auto& [job, branch, count, max_draft] = pieces[index];
      builder.add(*job, *branch, branch->num_known + std::ssize(branch->draft), 1);
      if (!drafts[index].empty()) builder.replace_last({&drafts[index].back(), 1});
    }
    const auto rows = builder.run(cache, {{draft.layer}, /*final_rows=*/false}).layers[0];  // [open, D]
    for (size_t i = 0; i < open.size(); ++i) lower[open[i]].push_back(rows.narrow(0, static_cast<int64_t>(i), 1));
    open = extend_drafts(draft, pieces, open, rows, defers ? &drafts : nullptr);
  }
  PassBuilder builder(model, nullptr, NewTokens::kOneByOne);
  std::vector<at::Tensor> rows, tokens;
  for (size_t i = 0; i < pieces.size(); ++i) {
    auto& branch = *pieces[i].branch;
    builder.add(*pieces[i].job, branch, branch.num_known++, 1 + std::ssize(branch.draft));
    builder.replace_last(drafts[i]);
    tokens.insert(tokens.end(), drafts[i].begin(), drafts[i].end());
    rows.insert(rows.end(), lower[i].begin(), lower[i].end());
  }
  if (!tokens.empty()) unread = at::cat(tokens);
  return builder.run(cache, {}, {draft.layer, at::cat(rows)}).final_rows;
}

void name_drafts(const std::vector<PassPiece>& pieces, const at::Tensor& tokens) {
  const auto* next = tokens.const_data_ptr<int64_t>();
  for (const auto& piece : pieces) {
    for (auto& token : piece.branch->draft) token = static_cast<int32_t>(*next++);
  }
}

Largest largest_on_host(const at::Tensor& logits, const at::Tensor& unread) {
  const auto [highest, likeliest] = logits.max(-1);
  if (logits.is_cpu()) return {highest, likeliest, unread.defined() ? unread.cpu() : at::Tensor()};
  std::vector<at::Tensor> all{highest.to(at::kDouble), likeliest.to(at::kDouble)};  // a token's id is exact
  if (unread.defined()) all.push_back(unread.to(at::kDouble));
  const auto read = at::cat(all).cpu();
  const int64_t count = highest.size(0);
  const auto tokens = read.narrow(0, count, read.size(0) - count).to(at::kLong);
  return {read.narrow(0, 0, count).to(at::kFloat), tokens.narrow(0, 0, count),
          unread.defined() ? tokens.narrow(0, count, unread.size(0)) : at::Tensor()};
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
