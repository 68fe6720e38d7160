#include "plan/data_shape.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "run/step_data.h"

namespace vlsi {
namespace {

constexpr int64_t kBatches = 4, kSamples = 64, kLookedAt = 4096;

BatchShape shape_of(const Batch& batch) {
  BatchShape shape;
  shape.samples = static_cast<double>(batch.num_samples());
  shape.tokens = static_cast<double>(batch.num_tokens());
  shape.answers = static_cast<double>(batch.num_answers());
  for (const auto& picture : batch.pictures) {
    const auto patches = static_cast<double>(picture.num_patches);
    shape.patches += patches;
    shape.largest_picture = std::max(shape.largest_picture, patches);
  }
  return shape;
}

constexpr double BatchShape::*kFields[] = {&BatchShape::samples, &BatchShape::tokens, &BatchShape::answers,
                                           &BatchShape::patches, &BatchShape::largest_picture};

void add(const BatchShape& shape, BatchShape& largest, BatchShape& sum) {
  for (const auto field : kFields) {
    largest.*field = std::max(largest.*field, shape.*field);
    sum.*field += shape.*field;
  }
}

/// Makes room for drawn answers, each as long as it may be, in as many samples as 98 % of micro-batches have at most.
void add_drawn_answers(const InteractConfig& config, DataShape& data) {
  const auto& drawn = config.on_policy;
  for (auto* batch : {&data.largest, &data.teacher_largest}) {
    const double mean = batch->samples * drawn.share, deviation = std::sqrt(mean * (1 - drawn.share));
    const double tokens = std::min(batch->samples, mean + 2 * deviation) * static_cast<double>(drawn.max_new_tokens);
    batch->tokens = std::min(static_cast<double>(config.data.batch_tokens), batch->tokens + tokens);
    batch->answers = std::min(batch->tokens, batch->answers + tokens);
  }
}

}  // namespace

DataShape look_at_data(const RunConfig& config, StepKind step, const SampleMaker& maker) {
  const auto open = open_training_data(config, step, maker).open;  // outlives its loaders
  const auto loader = open({}, {});
  DataShape data;
  std::set<int64_t> tokens;
  int64_t num_batches = 0;
  double num_samples = 0;
  while (num_batches < kBatches && num_samples < kSamples) {
    const auto batch = loader->next();
    const auto shape = shape_of(batch), shown = shape_of(batch.for_teacher());
    add(shape, data.largest, data.mean);
    add(shown, data.teacher_largest, data.teacher_mean);
    if (batch.teachers) data.is_shown_the_same = false;
    tokens.insert(batch.tokens.const_data_ptr<int64_t>(),
                  batch.tokens.const_data_ptr<int64_t>() + batch.tokens.numel());
    ++num_batches;
    num_samples += shape.samples;
    data.tokens += shape.tokens;
  }
  for (auto* mean : {&data.mean, &data.teacher_mean}) {
    for (const auto field : kFields) mean->*field /= static_cast<double>(num_batches);
  }
  if (step == StepKind::kInteract) add_drawn_answers(config.interact, data);
  data.distinct_tokens = static_cast<double>(tokens.size());
  const Mixture mixture(settings_of(config, step).data.train);
  data.epoch_records = static_cast<double>(mixture.size());
  data.distinct_pictures = distinct_pictures(mixture);
  return data;
}

double distinct_pictures(const Mixture& mixture) {
  const auto records = mixture.order(/*seed=*/0, /*epoch=*/0, /*shuffle=*/true);
  const auto num_looked_at = std::min<int64_t>(std::ssize(records), kLookedAt);
  std::set<std::filesystem::path> distinct;
  double num_pictures = 0;
  for (int64_t i = 0; i < num_looked_at; ++i) {
    const auto& [file, record] = records[i];
    try {
      for (const auto& turn : mixture.file(file).read(record).turns) {
        for (const auto& content : turn.contents) {
          if (content.kind != Content::Kind::kImage) continue;
          distinct.insert(content.image);
          num_pictures += 1;
        }
      }
    } catch (const Error&) {
      // It is said, or counted, when its turn comes.
    }
  }
  const auto found = static_cast<double>(distinct.size());
  const double all = num_pictures * static_cast<double>(records.size()) / static_cast<double>(num_looked_at);
  if (num_pictures == 0) return 1;
  if (num_looked_at == std::ssize(records)) return found / all;
  // Of D pictures that are equally frequent, n draws find D (1 - exp(-n / D)): D by bisection.
  double low = found, high = all;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (middle * -std::expm1(-num_pictures / middle) < found ? low : high) = middle;
  }
  return low / all;
}

DataShape largest_possible(const DataConfig& config, double patches_a_token, double teacher_patches_a_token) {
  DataShape data;
  const auto tokens = static_cast<double>(config.batch_tokens);
  const auto shape = [&](double patches) { return BatchShape{1, tokens, tokens, tokens * patches, tokens * patches}; };
  data.largest = data.mean = shape(patches_a_token);
  data.teacher_largest = data.teacher_mean = shape(teacher_patches_a_token);
  data.tokens = data.distinct_tokens = tokens;
  return data;
}

}  // namespace vlsi
