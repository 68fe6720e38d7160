// The verbalizers that a run's steps work with: new ones, given ones, or those that its own first step trained.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "method/config.h"
#include "model/verbalizer.h"

namespace vlsi {

/// Error naming the key when given verbalizers are of another architecture, or have other options, than `verbalize` says.
void check_given_verbalizers(const RunConfig& config);

/// Those that verbalization trains: the given ones further, or new ones. On the model's device.
std::shared_ptr<Verbalizers> verbalizers_to_train(const Vlm& model, const std::filesystem::path& given,
                                                  const VerbalizerConfig& network, const std::vector<int64_t>& layers,
                                                  uint64_t seed);

/// Trained ones of `directory`, frozen, on the model's device.
std::shared_ptr<Verbalizers> load_verbalizers(const Vlm& model, const std::filesystem::path& directory,
                                              const std::vector<int64_t>& layers);

}  // namespace vlsi
