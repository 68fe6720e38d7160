#include "run/validate.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "base/interrupt.h"
#include "base/progress.h"
#include "data/one_pass.h"
#include "method/step3_finetune.h"

namespace vlsi {

std::optional<OrderedJson> validate(const Speaker& speaker, const DataConfig& config) {
  if (config.validation.empty()) return OrderedJson::object();
  at::NoGradGuard no_grad;
  const auto& model = *speaker.model;
  const auto& processor = *speaker.processor;
  MetricSums sums;
  for (const auto& source : config.validation) {
    for (const auto& file : open_files(source)) {
      if (file.size() == 0) continue;
      OnePass pass(file, processor, {Encoding::kWhole, config.batch_tokens, config.on_error});
      Progress progress("validating on " + file.path().filename().string(), "records", file.size());
      while (auto part = pass.next()) {
        if (interrupted()) return std::nullopt;
        const auto batch = to_device(std::move(part->batch), model.device());
        const auto output = finetune(model, batch, processor.end_of_turn(), speaker.pictures.get());
        for (const auto& [name, mean] : output.means) sums.add(name, mean);
        settle(output.checks);
        progress.update(pass.num_done());
      }
      pass.finish("validating");
    }
  }
  sums.to_host();
  const auto means = sums.means();
  return OrderedJson{{"validation_loss", means["answer_loss"]}, {"validation_loss_words", means["answer_loss_words"]}};
}

void check_validation(const Processor& processor, const DataConfig& config) {
  if (config.on_error == OnError::kSkip) return;
  for (const auto& source : config.validation) {
    const auto files = open_files(source);
    const auto first = std::find_if(files.begin(), files.end(), [](const auto& file) { return file.size() > 0; });
    OnePass(*first, processor, {Encoding::kWhole, /*batch_tokens=*/1, config.on_error}).next();
  }
}

}  // namespace vlsi
