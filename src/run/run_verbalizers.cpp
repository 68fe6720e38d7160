#include "run/run_verbalizers.h"

#include "base/error.h"
#include "base/random.h"

namespace vlsi {
namespace {

std::string describe(const VerbalizerConfig& network) {
  return concat(network.architecture->name, network.residual ? " with residual" : "",
                network.final_norm ? " with final_norm" : "");
}

void take(Speaker& speaker, const std::filesystem::path& given, const VerbalizerConfig& network,
          const std::vector<int64_t>& layers, uint64_t seed) {
  if (!given.empty()) return load_verbalizers(speaker, given, layers);
  speaker.verbalizers = Verbalizers::of(*speaker.model, network, layers, seed);
  move_to(*speaker.verbalizers, speaker.model->device());
}

/// The student's verb-FFNs end in the teacher's width, so that their rows compare; the teacher's stay as they start.
NamedTensors take_verbalizers_without_head(const RunConfig& config, Speaker& student, Speaker& teacher) {
  VerbalizerConfig network;
  network.output_width = teacher.model->config().text.hidden_size;
  take(student, {}, network, config.student.layers, derive_seed(config.seed, "student without head"));
  take(teacher, config.teacher.verbalizers, {}, config.teacher.layers,
       derive_seed(config.seed, "teacher without head"));
  NamedTensors trained;
  for (auto& [name, parameter] : student.verbalizers->trained_parameters()) {
    trained.emplace_back("verbalizers." + name, parameter.set_requires_grad(true));
  }
  return trained;
}

}  // namespace

void check_given_verbalizers(const RunConfig& config) {
  const auto wanted = describe(config.verbalize.network);
  for (const auto& [key, given] : {std::pair("student.verbalizers", config.student.verbalizers),
                                   std::pair("teacher.verbalizers", config.teacher.verbalizers)}) {
    if (given.empty()) continue;
    const auto found = describe(read_verbalizers_description(given).config);
    if (found != wanted) {
      fail("key '", key, "': the verbalizers in ", given.string(), " are ", found, ", the keys of `verbalize` say ",
           wanted);
    }
  }
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

void take_verbalizers_to_train(const RunConfig& config, StepKind step, Speaker& speaker) {
  const auto settings = settings_of(config, step);
  take(speaker, settings.verbalizers, config.verbalize.network, settings.layers,
       derive_seed(config.seed, name_of(step)));
}

NamedTensors take_interaction_verbalizers(const RunConfig& config, Speaker& student, Speaker* teacher) {
  const auto loss = config.interact.intermediate_loss;
  if (loss == LossKind::kNone) return {};
  if (!config.interact.head) {
    TORCH_CHECK(teacher != nullptr, "without heads the teacher runs");
    return take_verbalizers_without_head(config, student, *teacher);
  }
  load_verbalizers(student, find_verbalizers(config, StepKind::kVerbalizeStudent), config.student.layers);
  if (loss != LossKind::kCrossEntropy && teacher != nullptr) {
    load_verbalizers(*teacher, find_verbalizers(config, StepKind::kVerbalizeTeacher), config.teacher.layers);
  }
  return {};
}

}  // namespace vlsi
