#include "run/steps.h"

#include <algorithm>

#include "base/contains.h"
#include "base/error.h"
#include "run/run_cache.h"

namespace vlsi {
namespace {

const std::vector<std::string> kNoParts;
const std::vector<int64_t> kNoLayers;
const std::filesystem::path kNoPath;
constexpr const char* kAll = "all";

template <class Section>
StepSettings settings(const Section& section, const DataConfig& data, const std::vector<std::string>& train,
                      const std::vector<int64_t>& layers, const std::filesystem::path& verbalizers) {
  return {section.iterations, section.epochs, section.optimizer, data, train, layers, verbalizers};
}

/// Whether nothing is left for a step's verbalizers to do: they are given, or the teacher's are in a cache.
bool is_left_out(const RunConfig& config, const StepEntry& step) {
  const auto& given = step.settings(config).verbalizers;
  if (!given.empty() && !config.verbalize.initial) return true;
  return step.kind == StepKind::kVerbalizeTeacher && has_cache(config);
}

}  // namespace

const Table<StepEntry>& step_table() {
  static const Table<StepEntry> table{
      {"verbalize-student", StepKind::kVerbalizeStudent, "verbalize", "student_data", "student-verbalizers",
       [](const RunConfig& c) {
         return settings(c.verbalize, c.verbalize.student_data, kNoParts, c.student.layers, c.student.verbalizers);
       }},
      {"verbalize-teacher", StepKind::kVerbalizeTeacher, "verbalize", "data", "teacher-verbalizers",
       [](const RunConfig& c) {
         return settings(c.verbalize, c.verbalize.data, kNoParts, c.teacher.layers, c.teacher.verbalizers);
       }},
      {"interact", StepKind::kInteract, "interact", "data", "",
       [](const RunConfig& c) {
         return settings(c.interact, c.interact.data, c.interact.train, c.student.layers, kNoPath);
       }},
      {"finetune", StepKind::kFinetune, "finetune", "data", "",
       [](const RunConfig& c) { return settings(c.finetune, c.finetune.data, c.finetune.train, kNoLayers, kNoPath); }}};
  return table;
}

const StepEntry& entry_of(StepKind step) {
  const auto found = std::find_if(step_table().begin(), step_table().end(),
                                  [&](const StepEntry& entry) { return entry.kind == step; });
  TORCH_CHECK(found != step_table().end(), "the table has every step");
  return *found;
}

StepKind step_of(const FoundCheckpoint& found) {
  const auto* entry = step_table().find(found.state.step);
  if (entry == nullptr) {
    fail("reading ", found.path.string(), ": its step is '", found.state.step, "', expected one of ",
         step_table().names());
  }
  return entry->kind;
}

bool runs_teacher(const RunConfig& config, StepKind step) {
  return step == StepKind::kVerbalizeTeacher ||
         (step == StepKind::kInteract && config.teacher.cache.empty() && teacher_is_read(config.interact));
}

std::vector<std::string> choices_of_steps() {
  std::vector<std::string> choices{kAll};
  for (const auto& step : step_table()) {
    if (choices.back() != step.key) choices.emplace_back(step.key);
  }
  return choices;
}

std::vector<StepKind> steps_by_choice(const std::string& choice) {
  std::vector<StepKind> steps;
  for (const auto& step : step_table()) {
    if (choice == kAll || choice == step.key) steps.push_back(step.kind);
  }
  return steps;
}

std::vector<StepKind> planned_steps(const RunConfig& config, const std::vector<StepKind>& among) {
  std::vector<StepKind> steps;
  for (const auto& step : step_table()) {
    const bool wanted = step.settings(config).iterations > 0 && contains(among, step.kind);
    if (wanted && !is_left_out(config, step)) steps.push_back(step.kind);
  }
  return steps;
}

}  // namespace vlsi
