// Stages as child processes of this program, each in its folder with its log.
#pragma once

#include <map>
#include <vector>

#include "study/children.h"
#include "study/schedule.h"
#include "study/stages.h"

namespace vlsi {

class StageRunner : public TaskRunner {
 public:
  /// Tasks are the stages by their numbers; they outlive it.
  StageRunner(const std::vector<Stage>& stages, std::filesystem::path program)
      : stages_(stages), program_(std::move(program)) {}

  /// Of a run on the CPU, as vlsi plan says; of what reads one model, twice its weights and half a GiB.
  double memory_bytes(size_t task) override;
  /// A run that has begun is resumed, and answering and evaluating go on from their answers by themselves; a model that
  /// `init` left half-done is removed.
  void start(size_t task) override;
  std::vector<End> wait() override;
  void stop() override;

 private:
  const std::vector<Stage>& stages_;
  std::filesystem::path program_;
  std::map<size_t, Child> running_;
};

/// The command line of a stage whose folder holds what is needed; `resume` where a run in it has begun.
std::vector<std::string> arguments_of(const Stage& stage, bool resume);

}  // namespace vlsi
