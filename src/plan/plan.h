// The plan of a run: memory, disk, work and time of each step, and what would take less memory. No weight is read for
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "plan/machine.h"
#include "plan/step_memory.h"
#include "plan/step_work.h"
#include "run/steps.h"

namespace vlsi {

struct StepPlan {
  StepKind step{};
  DataShape data;
  double iterations = 0;  // counted from the mean micro-batch where the configuration says epochs
  double samples = 0;     // of an iteration, of all ranks
  std::vector<MemoryPart> memory;
  StepWork work;                  // of an iteration, of one rank
  std::optional<double> seconds;  // of an iteration; with measured rates
};

/// A change of the configuration, and the run's peak with it.
struct Advice {
  std::string change;
  double peak_bytes = 0;
};

struct Plan {
  std::vector<StepPlan> steps;
  std::optional<int64_t> available_bytes;  // of the device's memory, now
  std::vector<MemoryPart> disk;            // what the run writes
  int64_t free_disk_bytes = 0;             // where it writes it
  int64_t own_disk_bytes = 0;              // what a run that is continued has there already, of these parts
  std::optional<MachineRates> rates;
  std::vector<Advice> advice;  // changes that lower the peak, the lowest first

  double peak_bytes() const;
  const StepPlan& largest_step() const;
  bool fits() const { return !available_bytes || peak_bytes() <= static_cast<double>(*available_bytes); }
  bool fits_disk() const;
};

struct PlanOptions {
  std::vector<StepKind> among = steps_by_choice();
  bool measures = true;                      // the machine's rates
  bool resume = false;                       // what is left of the run in its folder, from its newest checkpoint on
  int64_t num_ranks = 1;                     // memory, work and time are those of one of them, on a machine of its own
  std::optional<double> program_bytes = {};  // of memory before the run begins; if not given, those of this process,
                                             // which on another device than the CPU are none
};

/// The plan of `config` (checked by check()) on this machine. Reads configurations, headers, tokenizers and the first
/// records of the data. Memory is that of the device. Error for what the run itself would refuse of these, for a device
/// that is not here, and for a run without steps.
Plan make_plan(const RunConfig& config, const PlanOptions& options);

/// {"peak_bytes", "available_bytes", "fits", "steps", "disk", "rates", "advice"}; docs/formats.md.
OrderedJson to_json(const Plan& plan);

/// The same as a table for people.
std::string to_text(const Plan& plan);

/// What a run may take.
struct Room {
  std::optional<int64_t> memory_bytes;  // nothing where the system does not say
  int64_t disk_bytes = 0;               // free in the run's folder
};
Room room_for(const RunConfig& config);

/// Error naming step, need and remedies when the planned part of a run needs more memory or disk than there
/// is. The data is only looked at where the largest micro-batches that the configuration allows would not fit.
void check_fits(const RunConfig& config, const PlanOptions& options, const Room& room);

}  // namespace vlsi
