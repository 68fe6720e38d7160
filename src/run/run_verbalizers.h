// The verbalizers that a run's steps work with: new ones, given ones, or those that its own first step trained.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "run/steps.h"
#include "teacher/verbalizers.h"

namespace vlsi {

/// Error naming the key when given verbalizers have another architecture or other options than `verbalize` says.
void check_given_verbalizers(const RunConfig& config);

/// A model that verbalizers stand on. Its fingerprint, for which every weight is read, is made once, when it is first
/// asked for.
class Backbone {
 public:
  explicit Backbone(std::shared_ptr<const Vlm> model) : model_(std::move(model)) {}

  const Vlm& model() const { return *model_; }
  const BackboneFingerprint& fingerprint() const;

 private:
  std::shared_ptr<const Vlm> model_;
  mutable std::optional<BackboneFingerprint> fingerprint_;
};

/// Those that verbalization trains: the given ones further, or new ones. On the model's device.
std::shared_ptr<Verbalizers> verbalizers_to_train(const Backbone& backbone, const std::filesystem::path& given,
                                                  const VerbalizerConfig& network, const std::vector<int64_t>& layers,
                                                  uint64_t seed);

/// Trained ones of `directory`, frozen, on the model's device.
std::shared_ptr<Verbalizers> load_verbalizers(const Backbone& backbone, const std::filesystem::path& directory,
                                              const std::vector<int64_t>& layers);

/// Where those are that the verbalization `step` trains: in config.out, or the given ones where that is not there.
std::filesystem::path verbalizers_path(const RunConfig& config, StepKind step);
/// The same; Error when nothing is there.
std::filesystem::path find_verbalizers(const RunConfig& config, StepKind step);

/// The verbalizers of the interaction; null for both where no target layer's loss reads them, for the teacher where
/// none compares the two models.
struct InteractionVerbalizers {
  std::shared_ptr<Verbalizers> student, teacher;
  NamedTensors trained;  // what learns with the student, as "verbalizers.<name>": its own ones, without heads
};

/// Those that step 1 left in config.out, else the given ones. Without heads: new ones of the run's seed (a teacher's
/// may be given). `teacher` is null for one that does not run: then the student's alone. Error when there are none.
InteractionVerbalizers interaction_verbalizers(const RunConfig& config, const Backbone& student,
                                               const Backbone* teacher);

}  // namespace vlsi
