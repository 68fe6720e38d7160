#include "method/run_verbalizers.h"

#include "base/error.h"
#include "base/random.h"

namespace vlsi {
namespace {

std::string describe(const VerbalizerConfig& network) {
  return concat(name_of(network.architecture), network.residual ? " with residual" : "",
                network.final_norm ? " with final_norm" : "");
}

/// The run's own, else the given ones.
std::shared_ptr<Verbalizers> find_verbalizers(const RunConfig& config, const Vlm& model,
                                              const std::filesystem::path& given, const char* folder,
                                              const std::vector<int64_t>& layers) {
  const auto own = config.out / folder;
  const auto& path = std::filesystem::exists(own) || given.empty() ? own : given;
  if (!std::filesystem::exists(path)) {
    fail(config.out.string(),
         ": the interaction needs verbalizers: set verbalize.iterations, or name trained ones (looked in ",
         path.string(), ")");
  }
  return load_verbalizers(model, path, layers);
}

/// The student's verb-FFNs end in the teacher's width, so that their rows compare; the teacher's stay as they start.
InteractionVerbalizers verbalizers_without_head(const RunConfig& config, const Vlm& student, const Vlm& teacher) {
  VerbalizerConfig network;
  network.output_width = teacher.config().text.hidden_size;
  InteractionVerbalizers found;
  found.student = verbalizers_to_train(student, {}, network, config.student.layers,
                                       derive_seed(config.seed, "student without head"));
  found.teacher = verbalizers_to_train(teacher, config.teacher.verbalizers, {}, config.teacher.layers,
                                       derive_seed(config.seed, "teacher without head"));
  for (auto& [name, parameter] : found.student->trained_parameters()) {
    found.trained.emplace_back("verbalizers." + name, parameter.set_requires_grad(true));
  }
  return found;
}

}  // namespace

void check_given_verbalizers(const RunConfig& config) {
  const auto wanted = describe(config.verbalize.network);
  for (const auto& [key, given] : {std::pair("student.verbalizers", config.student.verbalizers),
                                   std::pair("teacher.verbalizers", config.teacher.verbalizers)}) {
    if (given.empty()) continue;
    const auto found = describe(read_verbalizer_config(given));
    if (found != wanted) {
      fail("key '", key, "': the verbalizers in ", given.string(), " are ", found, ", the keys of `verbalize` say ",
           wanted);
    }
  }
}

std::shared_ptr<Verbalizers> verbalizers_to_train(const Vlm& model, const std::filesystem::path& given,
                                                  const VerbalizerConfig& network, const std::vector<int64_t>& layers,
                                                  uint64_t seed) {
  if (!given.empty()) return load_verbalizers(model, given, layers);
  const auto verbalizers = Verbalizers::of(model, network, layers, seed);
  move_to(*verbalizers, model.device());
  return verbalizers;
}

std::shared_ptr<Verbalizers> load_verbalizers(const Vlm& model, const std::filesystem::path& directory,
                                              const std::vector<int64_t>& layers) {
  const auto verbalizers = Verbalizers::load(directory, model.config().text, BackboneFingerprint::of(model), layers);
  move_to(*verbalizers, model.device());
  return verbalizers;
}

InteractionVerbalizers interaction_verbalizers(const RunConfig& config, const Vlm& student, const Vlm& teacher) {
  const auto loss = config.interact.intermediate_loss;
  InteractionVerbalizers found;
  if (loss == LossKind::kNone) return found;
  if (!config.interact.head) return verbalizers_without_head(config, student, teacher);
  found.student =
      find_verbalizers(config, student, config.student.verbalizers, "student-verbalizers", config.student.layers);
  if (loss == LossKind::kCrossEntropy) return found;
  found.teacher =
      find_verbalizers(config, teacher, config.teacher.verbalizers, "teacher-verbalizers", config.teacher.layers);
  return found;
}

}  // namespace vlsi
