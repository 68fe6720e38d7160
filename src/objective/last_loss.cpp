#include "objective/last_loss.h"

namespace vlsi {

Table<LastLossEntry>& last_losses() {
  static Table<LastLossEntry> table = [] {
    Table<LastLossEntry> all{{"kl", "the KL from teacher to student", LossKind::kKl},
                             {"ce", "cross entropy of the answers", LossKind::kCrossEntropy},
                             {"l2", "mean squared difference of the logits", LossKind::kL2},
                             {"none", "nothing", LossKind::kNone}};
    for (const auto& entry : divergences()) all.add({entry.name, entry.meaning, LossKind::kDivergence, &entry});
    return all;
  }();
  return table;
}

const Divergence& LastLoss::divergence() const {
  TORCH_CHECK(entry_->divergence != nullptr, "the last loss is ", entry_->name);
  return *entry_->divergence;
}

std::optional<LastLoss> LastLoss::parse(const std::string& text) {
  return last_losses().find(text) == nullptr ? std::nullopt : std::optional(LastLoss(text));
}

}  // namespace vlsi
