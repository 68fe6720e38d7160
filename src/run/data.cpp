#include "run/data.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/progress.h"
#include "base/quoted.h"
#include "base/random.h"
#include "data/one_pass.h"
#include "method/step3_finetune.h"

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

std::function<std::unique_ptr<Loader>(Cursor)> open_training_data(const RunConfig& config, StepKind step,
                                                                  const Processor& processor,
                                                                  std::function<void(const Sample&)> announce) {
  auto loader = loader_config(config, step);
  loader.announce = std::move(announce);
  const auto mixture = std::make_shared<Mixture>(settings_of(config, step).data.train);
  // The function holds the mixture that its loaders borrow.
  return [mixture, loader, &processor](Cursor start) {
    return std::make_unique<Loader>(*mixture, processor, loader, start);
  };
}

int64_t iterations_of_epochs(const RunConfig& config, StepKind step, const Processor& processor, int64_t num_ranks) {
  constexpr double kCountedRecords = 1024;
  const auto settings = settings_of(config, step);
  const Mixture mixture(settings.data.train);
  const double num_records = settings.epochs * static_cast<double>(mixture.size());
  Loader loader(mixture, processor, loader_config(config, step));
  double num_seen = 0, num_batches = 0;
  while (num_seen < std::min(num_records, kCountedRecords)) {
    loader.next();
    num_batches += 1;
    num_seen = static_cast<double>(loader.cursor().epoch * mixture.size() + loader.cursor().index);
  }
  if (num_seen < num_records) num_batches *= num_records / num_seen;
  // Rounding of the quotient must not add an iteration.
  const auto batches_of_iteration = static_cast<double>(settings.optimizer.accumulate * num_ranks);
  return std::max<int64_t>(1, static_cast<int64_t>(std::ceil(num_batches / batches_of_iteration - 1e-9)));
}

OrderedJson validate(const Vlm& model, const Processor& processor, const DataConfig& config) {
  if (config.validation.empty()) return OrderedJson::object();
  at::NoGradGuard no_grad;
  MetricSums sums;
  for (const auto& source : config.validation) {
    const RecordFile file(source.path, source.images);
    OnePass pass(file, processor, {Encoding::kWhole, config.batch_tokens, config.on_error});
    Progress progress("validating on " + source.path.filename().string(), "records", file.size());
    while (auto part = pass.next()) {
      const auto output = finetune(model, to_device(std::move(part->batch), model.device()), processor.end_of_turn());
      for (const auto& [name, mean] : output.means) sums.add(name, mean);
      progress.update(pass.num_done());
    }
    pass.finish("validating");
  }
  const auto means = sums.means();
  return {{"validation_loss", means["answer_loss"]}, {"validation_loss_words", means["answer_loss_words"]}};
}

void check_validation(const Processor& processor, const DataConfig& config) {
  if (config.on_error == OnError::kSkip) return;
  for (const auto& source : config.validation) {
    const RecordFile file(source.path, source.images);
    OnePass(file, processor, {Encoding::kWhole, /*batch_tokens=*/1, config.on_error}).next();
  }
}

void check_same_vocabulary(const Tokenizer& student, const Tokenizer& teacher) {
  const auto shown = [](const std::string& bytes) { return bytes.empty() ? "no token" : "'" + printable(bytes) + "'"; };
  std::string differences;
  int num_differences = 0;
  const int64_t size = std::max(student.size(), teacher.size());
  for (int32_t id = 0; id < size && num_differences < 3; ++id) {
    const auto a = student.bytes(id), b = teacher.bytes(id);
    if (a == b) continue;
    differences += concat(num_differences++ > 0 ? ", " : "", id, " (", shown(a), " against ", shown(b), ")");
  }
  if (num_differences > 0) {
    fail("pairing ", student.directory().string(), " with ", teacher.directory().string(),
         ": their tokenizers differ, first at ids ", differences, "; the method needs the same vocabulary");
  }
}

}  // namespace vlsi
