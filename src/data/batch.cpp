#include "data/batch.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "base/send.h"

namespace vlsi {
namespace {

/// Appends `values` + `offset` at `target` and moves it behind them.
void append(std::span<const int32_t> values, int64_t offset, int64_t*& target) {
  for (const int32_t value : values) *target++ = value + offset;
}

void check_shapes(const Sample& sample, size_t num_axes) {
  TORCH_CHECK(sample.positions.size() == num_axes, "sample ", sample.id, ": positions on ", sample.positions.size(),
              " axes, another sample's on ", num_axes);
  for (const auto& axis : sample.positions) {
    TORCH_CHECK(axis.size() == sample.tokens.size(), "sample ", sample.id, ": ", axis.size(), " positions for ",
                sample.tokens.size(), " tokens");
  }
  TORCH_CHECK(sample.labels.empty() || sample.labels.size() == sample.answer_positions.size(), "sample ", sample.id,
              ": ", sample.labels.size(), " labels for ", sample.answer_positions.size(), " answer positions");
  TORCH_CHECK(sample.label_weights.empty() || sample.label_weights.size() == sample.labels.size(), "sample ", sample.id,
              ": ", sample.label_weights.size(), " weights for ", sample.labels.size(), " labels");
}

/// The labels' weights of the samples, laid end to end in this order; undefined where no sample has any.
at::Tensor pack_weights(const std::vector<const Sample*>& samples, const std::vector<int64_t>& order) {
  if (std::all_of(samples.begin(), samples.end(), [](const Sample* s) { return s->label_weights.empty(); })) return {};
  std::vector<float> weights;
  for (const int64_t place : order) {
    const auto& own = samples[place]->label_weights;
    weights.insert(weights.end(), own.begin(), own.end());
    if (own.empty()) weights.insert(weights.end(), samples[place]->labels.size(), 1.0F);
  }
  return at::tensor(weights, at::kFloat);
}

/// The samples' places, shortest first.
std::vector<int64_t> order_of(const std::vector<const Sample*>& samples) {
  std::vector<int64_t> order(samples.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return samples[a]->tokens.size() < samples[b]->tokens.size(); });
  return order;
}

/// A batch of the samples in this order, its tensors without values.
Batch make_room(const std::vector<const Sample*>& samples, std::vector<int64_t> order) {
  TORCH_CHECK(!samples.empty(), "a batch needs at least one sample");
  const size_t num_axes = samples.front()->positions.size();
  int64_t num_tokens = 0, num_answers = 0, num_labels = 0, num_image_tokens = 0;
  for (const auto* sample : samples) {
    check_shapes(*sample, num_axes);
    num_tokens += std::ssize(sample->tokens);
    num_answers += std::ssize(sample->answer_positions);
    num_labels += std::ssize(sample->labels);
    num_image_tokens += std::ssize(sample->image_token_positions);
  }
  TORCH_CHECK(num_labels == 0 || num_labels == num_answers, "prompts and answered samples do not mix in a batch");
  Batch batch;
  batch.order = std::move(order);
  batch.tokens = at::empty({num_tokens}, at::kLong);
  batch.positions = at::empty({static_cast<int64_t>(num_axes), num_tokens}, at::kLong);
  batch.answer_positions = at::empty({num_answers}, at::kLong);
  batch.labels = at::empty({num_labels}, at::kLong);
  batch.image_token_positions = at::empty({num_image_tokens}, at::kLong);
  return batch;
}

Batch lay(const std::vector<const Sample*>& samples, std::vector<int64_t> order) {
  auto batch = make_room(samples, std::move(order));
  auto* tokens = batch.tokens.mutable_data_ptr<int64_t>();
  auto* axes = batch.positions.mutable_data_ptr<int64_t>();
  std::vector<int64_t*> positions;
  for (int64_t axis = 0; axis < batch.positions.size(0); ++axis)
    positions.push_back(axes + axis * batch.tokens.size(0));
  auto* answers = batch.answer_positions.mutable_data_ptr<int64_t>();
  auto* labels = batch.labels.mutable_data_ptr<int64_t>();
  auto* image_tokens = batch.image_token_positions.mutable_data_ptr<int64_t>();

  batch.sequence_starts = {0};
  batch.answer_starts = {0};
  std::vector<at::Tensor> rows;
  for (const int64_t place : batch.order) {
    const Sample* sample = samples[place];
    const int64_t start = batch.sequence_starts.back();
    batch.ids.push_back(sample->id);
    batch.next_positions.push_back(sample->next_position);
    append(sample->tokens, 0, tokens);
    for (size_t axis = 0; axis < positions.size(); ++axis) append(sample->positions[axis], 0, positions[axis]);
    append(sample->answer_positions, start, answers);
    append(sample->labels, 0, labels);
    append(sample->image_token_positions, start, image_tokens);
    std::vector<uint64_t> pictures;
    for (const auto& image : sample->images) {
      batch.pictures.push_back(image.shape);
      if (!image.rows.defined()) continue;
      rows.push_back(image.rows);
      pictures.push_back(fingerprint_of(image));
    }
    batch.fingerprints.insert(batch.fingerprints.end(), pictures.begin(), pictures.end());
    if (pictures.size() == sample->images.size()) {
      batch.sample_fingerprints.push_back(fingerprint_of(*sample, pictures));
    }
    batch.sequence_starts.push_back(start + std::ssize(sample->tokens));
    batch.answer_starts.push_back(batch.answer_starts.back() + std::ssize(sample->answer_positions));
  }
  batch.label_weights = pack_weights(samples, batch.order);
  TORCH_CHECK(rows.empty() || rows.size() == batch.pictures.size(), "outlines and whole samples do not mix in a batch");
  if (!rows.empty()) batch.patches = rows.size() == 1 ? rows.front() : at::cat(rows);
  return batch;
}

}  // namespace

double Batch::sum_of_weights() const {
  return label_weights.defined() ? label_weights.sum(at::kDouble).item<double>() : static_cast<double>(num_answers());
}

Batch pack(const std::vector<Sample>& samples) {
  std::vector<const Sample*> all;
  for (const auto& sample : samples) all.push_back(&sample);
  return lay(all, order_of(all));
}

Batch pack_pairs(const std::vector<SamplePair>& pairs) {
  std::vector<const Sample*> own, teachers;
  for (const auto& pair : pairs) {
    own.push_back(&pair.own);
    if (pair.teachers) teachers.push_back(&*pair.teachers);
  }
  auto batch = lay(own, order_of(own));
  if (teachers.empty()) return batch;
  TORCH_CHECK(teachers.size() == own.size(), "the teacher is shown ", teachers.size(), " of ", own.size(), " samples");
  batch.teachers = std::make_shared<const Batch>(lay(teachers, batch.order));
  TORCH_CHECK(batch.teachers->answer_starts == batch.answer_starts, "the answers of student and teacher differ");
  return batch;
}

Batch to_device(Batch batch, at::Device device) {
  const std::vector<at::Tensor*> places{&batch.tokens, &batch.positions, &batch.answer_positions,
                                        &batch.labels, &batch.patches,   &batch.image_token_positions};
  std::vector<at::Tensor> tensors;
  for (const auto* place : places) tensors.push_back(*place);
  tensors = Upload(tensors, device).receive();
  for (size_t i = 0; i < places.size(); ++i) *places[i] = tensors[i];
  if (batch.teachers) batch.teachers = std::make_shared<const Batch>(to_device(*batch.teachers, device));
  return batch;
}

}  // namespace vlsi
