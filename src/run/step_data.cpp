#include "run/step_data.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace vlsi {
namespace {

LoaderConfig loader_config(const RunConfig& config, StepKind step) {
  const auto& data = settings_of(config, step).data;
  LoaderConfig loader;
  loader.seed = derive_seed(config.seed, "data of " + name_of(step));
  loader.shuffle = data.shuffle;
  loader.batch_tokens = data.batch_tokens;
  loader.sample_tokens = data.sample_tokens;
  loader.on_error = data.on_error;
  loader.num_workers = static_cast<int>(data.workers);
  return loader;
}

}  // namespace

TrainingData open_training_data(const RunConfig& config, StepKind step, const SampleMaker& maker,
                                std::function<void(const Sample&)> announce) {
  auto loader = loader_config(config, step);
  loader.announce = std::move(announce);
  const auto mixture = std::make_shared<Mixture>(settings_of(config, step).data.train);
  TrainingData data;
  for (int32_t file = 0; file < mixture->num_files(); ++file) data.files.push_back(mixture->file(file).fingerprint());
  // The function holds the mixture that its loaders borrow.
  data.open = [mixture, loader, maker](Cursor start, const BatchShare& share) {
    auto shared = loader;
    shared.share = share;
    if (start.index > mixture->size()) start = {start.epoch + 1, 0};
    return std::make_unique<Loader>(*mixture, maker, shared, start);
  };
  return data;
}

int64_t iterations_of_epochs(const RunConfig& config, StepKind step, const SampleMaker& maker, int64_t num_ranks) {
  constexpr double kMeasuredRecords = 1024;
  const auto settings = settings_of(config, step);
  const Mixture mixture(settings.data.train);
  const double num_records = settings.epochs * static_cast<double>(mixture.size());
  auto counted = loader_config(config, step);
  counted.share = {nullptr, /*num_batches=*/1, /*first=*/0, /*end=*/0};  // none is one's own: no picture is decoded
  Loader loader(mixture, maker, counted);
  double num_seen = 0, num_batches = 0;
  while (num_seen < std::min(num_records, kMeasuredRecords)) {
    loader.next();
    num_batches += 1;
    num_seen = static_cast<double>(loader.cursor().epoch * mixture.size() + loader.cursor().index);
  }
  if (num_seen < num_records) num_batches *= num_records / num_seen;
  // Rounding of the quotient must not add an iteration.
  const auto batches_of_iteration = static_cast<double>(settings.optimizer.accumulate * num_ranks);
  return std::max<int64_t>(1, static_cast<int64_t>(std::ceil(num_batches / batches_of_iteration - 1e-9)));
}

}  // namespace vlsi
