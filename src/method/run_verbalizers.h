// The verbalizers that a run's steps work with: new ones, given ones, or those that its own first step trained.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "method/config.h"
#include "model/verbalizer.h"

namespace vlsi {

/// Error naming the key when given verbalizers have another architecture or other options than `verbalize` says.
void check_given_verbalizers(const RunConfig& config);

/// Those that verbalization trains: the given ones further, or new ones. On the model's device.
std::shared_ptr<Verbalizers> verbalizers_to_train(const Vlm& model, const std::filesystem::path& given,
                                                  const VerbalizerConfig& network, const std::vector<int64_t>& layers,
                                                  uint64_t seed);

/// Trained ones of `directory`, frozen, on the model's device.
std::shared_ptr<Verbalizers> load_verbalizers(const Vlm& model, const std::filesystem::path& directory,
                                              const std::vector<int64_t>& layers);

/// The verbalizers of the interaction; null for both where no target layer's loss reads them, for the teacher where
/// none compares the two models.
struct InteractionVerbalizers {
  std::shared_ptr<Verbalizers> student, teacher;
  NamedTensors trained;  // what learns with the student, as "verbalizers.<name>": its own ones, without heads
};

/// Those that step 1 left in config.out, else the given ones. Without heads: new ones of the run's seed (a teacher's
/// may be given). Error when there are none.
InteractionVerbalizers interaction_verbalizers(const RunConfig& config, const Vlm& student, const Vlm& teacher);

}  // namespace vlsi
