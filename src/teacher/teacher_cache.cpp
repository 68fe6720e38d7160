#include "teacher/teacher_cache.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "base/error.h"
#include "base/mapped_file.h"

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

}  // namespace

TeacherCache::TeacherCache(const fs::path& directory, const CacheOrigin& run)
    : directory_(directory), description_(read_description(directory)) {
  const std::string action = "opening teacher cache " + directory.string();
  if (const auto text = differences(description_.origin, run, /*any_layers=*/true); !text.empty())
    fail(action, ": ", text);
  if (!description_.complete) fail(action, ": it is not complete; finish it with vlsi cache");
  const auto paths = find_shards(directory);
  if (std::ssize(paths) < description_.num_shards) {
    int64_t missing = 0;
    while (missing < std::ssize(paths) && shard_number(paths[missing]) == missing) ++missing;
    fail(action, ": ", shard_path(directory, missing).filename().string(), " is missing: found ", paths.size(),
         " shards, expected ", description_.num_shards, "; make it again with vlsi cache");
  }
  for (const auto& path : paths) {
    const auto shard = static_cast<uint32_t>(shards_.size());
    shards_.push_back(CacheShard::open(path, description_.origin));
    const int64_t num_records = shards_.back().num_records();
    verified_.emplace_back(num_records);
    for (int64_t i = 0; i < num_records; ++i)
      index_.insert(shards_.back().sample(i), {shard, static_cast<uint32_t>(i)});
  }
}

TeacherCache::Record TeacherCache::record(const SampleIndex::Place& place) const {
  const auto& shard = shards_[place.shard];
  const int64_t start = shard.start(place.record), length = shard.start(place.record + 1) - start;
  return {shard.rows.narrow(0, start, length), shard.entropy.narrow(0, start, length)};
}

void TeacherCache::fail_to_find(const Batch& batch, int64_t index) const {
  const auto& id = batch.ids[index];
  for (const auto& shard : shards_) {
    for (int64_t i = 0; i < shard.num_records(); ++i) {
      if (shard.id(i) != id) continue;
      fail("teacher cache ", directory_.string(), ": sample '", id,
           "' has other text, answers or pictures than the one of that id in the cache; make it with vlsi cache on "
           "these data");
    }
  }
  fail("teacher cache ", directory_.string(), ": has no sample '", id, "'; add it with vlsi cache on these data");
}

TeacherCache::Record TeacherCache::find(const Batch& batch, int64_t index) {
  const uint64_t sample = batch.sample_fingerprints[index];
  const auto place = index_.find(sample);
  if (!place) fail_to_find(batch, index);
  const auto found = record(*place);
  const auto& shard = shards_[place->shard];
  auto verified = verified_[place->shard][place->record];
  if (!verified) {
    const int64_t expected = batch.answer_starts[index + 1] - batch.answer_starts[index];
    const uint64_t checksum = shard.checksums.const_data_ptr<uint64_t>()[place->record];
    if (found.rows.size(0) != expected || record_checksum(sample, found.rows, found.entropy) != checksum) {
      fail("reading ", shard.path.string(), ": the record of sample '", batch.ids[index],
           "' is damaged; remove the file and run vlsi cache again");
    }
    verified = true;
  }
  return found;
}

TeacherSummary TeacherCache::load(const Batch& batch, const std::vector<int64_t>& layers) {
  at::NoGradGuard no_grad;
  const auto places = places_of(layers, description_.origin.layers);
  const int64_t num_layers = places.size(0), num_answers = batch.num_answers();
  const auto rows = at::empty({num_layers, num_answers, description_.origin.width}, at::kFloat);
  const auto entropy = at::empty({num_layers, num_answers}, at::kFloat);
  const bool all = num_layers == static_cast<int64_t>(description_.origin.layers.size()) + 1;
  for (int64_t i = 0; i < batch.num_samples(); ++i) {
    const int64_t start = batch.answer_starts[i], length = batch.answer_starts[i + 1] - start;
    if (length == 0) continue;
    const auto found = find(batch, i);
    const auto chosen = [&](const at::Tensor& values) {
      return (all ? values : values.index_select(1, places)).transpose(0, 1);
    };
    rows.narrow(1, start, length).copy_(chosen(found.rows));
    entropy.narrow(1, start, length).copy_(chosen(found.entropy));
  }
  const auto device = batch.tokens.device();
  return {rows.to(device), entropy.to(device)};
}

void TeacherCache::read_ahead(const Sample& sample) const {
  const auto place = index_.find(fingerprint_of(sample));
  if (!place) return;  // said when its turn comes
  const auto found = record(*place);
  for (const auto* part : {&found.rows, &found.entropy}) {
    vlsi::read_ahead({static_cast<const std::byte*>(part->const_data_ptr()), part->nbytes()});
  }
}

}  // namespace vlsi
