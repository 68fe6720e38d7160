// The student of a run: as the run starts it, as a checkpoint has it, as the run leaves it.
#pragma once

#include <filesystem>
#include <memory>

#include "model/vlm.h"
#include "run/config.h"
#include "train/run_directory.h"

namespace vlsi {

/// The run's student before any training, with new adapters by student.lora or those of student.adapter.
std::shared_ptr<Vlm> load_student(const RunConfig& config, at::ScalarType dtype, at::Device device);

/// The model that the run in `run` started from, on the CPU. Error, with `place`, where it is not there.
std::shared_ptr<Vlm> load_base(const std::filesystem::path& run, const RunConfig& config, const std::string& place);

/// The same with the adapters of `run`/adapter beside its weights, to be merged anew. Error where that is not
/// `run`/model, but for the rounding of the merged sums: student.model is another model than it was.
std::shared_ptr<Vlm> adapted_student(const std::filesystem::path& run, const RunConfig& config,
                                     const std::string& place);

/// Gives the student the weights that a checkpoint of the run's interaction or fine-tuning holds; nothing for one of
/// the verbalization. Error that lists every weight which the run's steps trained and the checkpoint lacks.
void restore_student(Vlm& student, const RunConfig& config, const FoundCheckpoint& found);

/// What the run's interaction trained and its fine-tuning does not.
NamedTensors changed_before_finetune(const Vlm& student, const RunConfig& config);

/// Writes the student to config.out/model and, where adapters are all that the run's interaction and, if it was
/// `finetuned`, its fine-tuning trained, to config.out/adapter; another adapter there goes.
void save_student(const Vlm& student, const RunConfig& config, bool finetuned);

/// The checkpoint whose student `run`/model is, by its folder's name, as summary.json has it: its key `student`, or
/// else the last step of `steps` that trains the student. Empty where it has neither.
std::string checkpoint_of_model(const std::filesystem::path& run);

/// Whether the run has a checkpoint that is newer than its model/ and adapter/. Where that cannot be read, warns, and
/// takes it that it has none.
bool is_past_its_model(const std::filesystem::path& run);

/// Whether `run`/model is there and the run is not past it.
bool has_newest_model(const std::filesystem::path& run);

/// The student as the run in `run` has it now, adapters beside their weights: from its newest checkpoint, on the CPU.
/// Error when nothing has trained the student yet, or student.model is not there, or, as far as the run's verbalizers
/// of the student tell it, is another model than the run started from. `place` names what it is wanted for.
std::shared_ptr<Vlm> trained_student(const std::filesystem::path& run, const std::string& place);

}  // namespace vlsi
