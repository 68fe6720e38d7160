// A step's data: opened files, and loaders over them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "data/loader.h"
#include "model/vlm.h"
#include "run/config.h"

namespace vlsi {

/// Opens `config.train` and gives loaders over it, in the order that `seed` and `step` determine. `processor` and the
/// function itself must outlive them. `announce` is LoaderConfig's.
std::function<std::unique_ptr<Loader>(Cursor)> open_training_data(const DataConfig& config, const Processor& processor,
                                                                  uint64_t seed, const std::string& step,
                                                                  std::function<void(const Sample&)> announce = {});

/// How many iterations of `accumulate` batches go through `config.train` `epochs` times (above 0); at least 1. Counted
/// by packing the step's own batches, up to 1,024 records; where the epochs are longer, those records tell how many a
/// batch holds. A function of the arguments and the data alone. Errors are those of Loader.
int64_t iterations_of_epochs(double epochs, int64_t accumulate, const DataConfig& config, const Processor& processor,
                             uint64_t seed, const std::string& step);

/// Mean cross entropy of the answer tokens over `config.validation`, in nats: {"validation_loss",
/// "validation_loss_words"}; empty without validation data.
OrderedJson validate(const Vlm& model, const Processor& processor, const DataConfig& config);

/// Error when the first record of a file of `config.validation` cannot be used, where bad ones are not left out.
void check_validation(const Processor& processor, const DataConfig& config);

/// Error unless both tokenizers give the same ids their meaning; names the first ids that differ.
void check_same_vocabulary(const Tokenizer& student, const Tokenizer& teacher);

}  // namespace vlsi
