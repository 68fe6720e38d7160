// A step's validation data: whether they can be read, and the loss on them.
#pragma once

#include <optional>

#include "run/config.h"
#include "run/speaker.h"

namespace vlsi {

/// Mean cross entropy of the answer tokens over `config.validation`, in nats: {"validation_loss",
/// "validation_loss_words"}; empty without validation data. Nothing when an interrupt came first.
std::optional<OrderedJson> validate(const Speaker& speaker, const DataConfig& config);

/// Error when the first record of a file of `config.validation` cannot be used, where bad ones are not left out.
void check_validation(const Processor& processor, const DataConfig& config);

}  // namespace vlsi
