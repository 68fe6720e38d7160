#include "teacher/teacher_cache.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "base/error.h"
#include "base/send.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

/// Places of `layers`, and of the last layer, among a cache's layers. int64
at::Tensor places_of(const std::vector<int64_t>& layers, const std::vector<int64_t>& all) {
  std::vector<int64_t> places;
  for (const int64_t layer : layers) {
    const auto found = std::find(all.begin(), all.end(), layer);
    TORCH_CHECK(found != all.end(), "the cache has no layer ", layer);
    places.push_back(found - all.begin());
  }
  places.push_back(static_cast<int64_t>(all.size()));
  return at::tensor(places, at::kLong);
}

RecordShards open_records(const fs::path& directory, const CacheDescription& description, const CacheOrigin& run) {
  const std::string action = "opening teacher cache " + directory.string();
  if (const auto text = differences(description.origin, run, /*any_layers=*/true); !text.empty())
    fail(action, ": ", text);
  if (!description.complete) fail(action, ": it is not complete; finish it with vlsi cache");
  RecordShards records(directory, record_format(description.origin));
  if (records.num_shards() < description.num_shards) {
    fail(action, ": ", records.next_path().filename().string(), " is missing: found ", records.num_shards(),
         " shards, expected ", description.num_shards, "; make it again with vlsi cache");
  }
  return records;
}

}  // namespace

TeacherCache::TeacherCache(const fs::path& directory, const CacheOrigin& run)
    : directory_(directory),
      description_(read_description(directory)),
      records_(open_records(directory, description_, run)) {}

std::vector<at::Tensor> TeacherCache::find(const Batch& batch, int64_t index) {
  auto found = records_.find(batch.sample_fingerprints[index]);
  if (found) return std::move(*found);
  fail_without(batch.ids[index]);
}

void TeacherCache::fail_without(const std::string& id) const {
  if (records_.has_id(id)) {
    fail("teacher cache ", directory_.string(), ": sample '", id,
         "' has other text, answers or pictures than the one of that id in the cache; make it with vlsi cache on "
         "these data");
  }
  fail("teacher cache ", directory_.string(), ": has no sample '", id, "'; add it with vlsi cache on these data");
}

TeacherSummary TeacherCache::load(const Batch& batch, const std::vector<int64_t>& layers) {
  at::NoGradGuard no_grad;
  const auto places = places_of(layers, description_.origin.layers);
  const int64_t num_layers = places.size(0), num_answers = batch.num_answers();
  const auto rows = at::empty({num_layers, num_answers, description_.origin.width}, at::kFloat);
  const auto entropy = at::empty({num_layers, num_answers}, at::kFloat);
  const bool weighs = !description_.origin.blank.empty();
  const auto advantage = weighs ? at::empty({num_answers}, at::kFloat) : at::Tensor();
  const bool all = num_layers == static_cast<int64_t>(description_.origin.layers.size()) + 1;
  for (int64_t i = 0; i < batch.num_samples(); ++i) {
    const int64_t start = batch.answer_starts[i], length = batch.answer_starts[i + 1] - start;
    if (length == 0) continue;
    const auto values = find(batch, i);
    const auto chosen = [&](const at::Tensor& whole) {
      return (all ? whole : whole.index_select(1, places)).transpose(0, 1);
    };
    rows.narrow(1, start, length).copy_(chosen(values[0]));
    entropy.narrow(1, start, length).copy_(chosen(values[1]));
    if (weighs) advantage.narrow(0, start, length).copy_(values[2]);
  }
  const auto device = batch.tokens.device();
  return {send(rows, device), send(entropy, device), weighs ? send(advantage, device) : advantage};
}

void TeacherCache::read_ahead(const Sample& sample) const {
  if (sample.answer_positions.empty()) return;
  const auto key = fingerprint_of(sample);
  if (!records_.has(key)) fail_without(sample.id);
  records_.read_ahead(key);
}

}  // namespace vlsi
