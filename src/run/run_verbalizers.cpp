#include "run/run_verbalizers.h"

#include "base/error.h"
#include "base/random.h"

namespace vlsi {
namespace {

std::string describe(const VerbalizerConfig& network) {
  return concat(network.architecture->name, network.residual ? " with residual" : "",
                network.final_norm ? " with final_norm" : "");
}

/// The student's verb-FFNs end in the teacher's width, so that their rows compare; the teacher's stay as they start.
InteractionVerbalizers verbalizers_without_head(const RunConfig& config, const Backbone& student,
                                                const Backbone& teacher) {
  VerbalizerConfig network;
  network.output_width = teacher.model().config().text.hidden_size;
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

const BackboneFingerprint& Backbone::fingerprint() const {
  if (!fingerprint_) fingerprint_ = BackboneFingerprint::of(*model_);
  return *fingerprint_;
}

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

std::shared_ptr<Verbalizers> verbalizers_to_train(const Backbone& backbone, const std::filesystem::path& given,
                                                  const VerbalizerConfig& network, const std::vector<int64_t>& layers,
                                                  uint64_t seed) {
  if (!given.empty()) return load_verbalizers(backbone, given, layers);
  const auto verbalizers = Verbalizers::of(backbone.model(), network, layers, seed);
  move_to(*verbalizers, backbone.model().device());
  return verbalizers;
}

std::shared_ptr<Verbalizers> load_verbalizers(const Backbone& backbone, const std::filesystem::path& directory,
                                              const std::vector<int64_t>& layers) {
  const auto verbalizers = Verbalizers::load(directory, backbone.model().config().text, backbone.fingerprint(), layers);
  move_to(*verbalizers, backbone.model().device());
  return verbalizers;
}

std::filesystem::path verbalizers_path(const RunConfig& config, StepKind step) {
  const auto own = config.out / entry_of(step).verbalizers_folder;
  const auto& given = settings_of(config, step).verbalizers;
  return std::filesystem::exists(own) || given.empty() ? own : given;
}

std::filesystem::path find_verbalizers(const RunConfig& config, StepKind step) {
  const auto path = verbalizers_path(config, step);
  if (!std::filesystem::exists(path)) {
    fail(config.out.string(),
         ": the interaction needs verbalizers: set verbalize.iterations, or name trained ones (looked in ",
         path.string(), ")");
  }
  return path;
}

InteractionVerbalizers interaction_verbalizers(const RunConfig& config, const Backbone& student,
                                               const Backbone* teacher) {
  const auto loss = config.interact.intermediate_loss;
  InteractionVerbalizers found;
  if (loss == LossKind::kNone) return found;
  if (!config.interact.head) {
    TORCH_CHECK(teacher != nullptr, "without heads the teacher runs");
    return verbalizers_without_head(config, student, *teacher);
  }
  found.student =
      load_verbalizers(student, find_verbalizers(config, StepKind::kVerbalizeStudent), config.student.layers);
  if (loss == LossKind::kCrossEntropy || teacher == nullptr) return found;
  found.teacher =
      load_verbalizers(*teacher, find_verbalizers(config, StepKind::kVerbalizeTeacher), config.teacher.layers);
  return found;
}

}  // namespace vlsi
