// What step 2 learns at the target layers and at the last layer.
#pragma once

#include <optional>
#include <string>

#include "base/table.h"
#include "base/words.h"
#include "objective/divergence.h"

namespace vlsi {

/// kDivergence, which is one of divergences(), is for the last layer alone.
enum class LossKind { kKl, kCrossEntropy, kL2, kNone, kDivergence };

template <>
struct EnumNames<LossKind> {
  static constexpr EnumName<LossKind> all[]{
      {"kl", LossKind::kKl}, {"ce", LossKind::kCrossEntropy}, {"l2", LossKind::kL2}, {"none", LossKind::kNone}};
};

struct LastLossEntry {
  std::string name, meaning;
  LossKind kind;
  const Divergence* divergence = nullptr;  // of that kind
};

/// The kinds, and every divergence.
Table<LastLossEntry>& last_losses();

/// One of them: its kind, wherever that is enough.
class LastLoss {
 public:
  LastLoss(LossKind kind = LossKind::kKl) : entry_(text_of(kind)) {}
  explicit LastLoss(const std::string& name) : entry_(name) {}

  operator LossKind() const { return entry_->kind; }
  /// Where it is of kDivergence.
  const Divergence& divergence() const;

  static const Table<LastLossEntry>& table() { return last_losses(); }
  static std::optional<LastLoss> parse(const std::string& text);
  static std::string expected() { return Choice<LastLossEntry, last_losses>::expected(); }
  std::string text() const { return entry_.text(); }

 private:
  Choice<LastLossEntry, last_losses> entry_;
};

}  // namespace vlsi
