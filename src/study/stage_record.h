// What a stage's folder says of the stage: stage.json, written when it ends.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "study/children.h"
#include "study/stages.h"

namespace vlsi {

struct StageRecord {
  bool is_done = false;
  double seconds = 0;             // of all its starts, but for those that were killed
  int64_t peak_memory_bytes = 0;  // the highest of its starts
  std::string processor;
};

/// Nothing where the stage has not ended once. Error for a folder that holds another stage, and for a file that is
/// none.
std::optional<StageRecord> read_stage_record(const Stage& stage);

/// Adds a start of the stage that has ended.
void write_stage_record(const Stage& stage, const ChildEnd& end);

/// Whether the stage is finished.
bool is_done(const Stage& stage);

/// Seconds that the stage took: of a run, those of its iterations, whatever kills came between.
double seconds_of(const Stage& stage, const StageRecord& record);

}  // namespace vlsi
