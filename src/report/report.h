// The data of the report's page, of one or several runs.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "report/overview.h"
#include "report/run_data.h"
#include "report/samples.h"

namespace vlsi {

class Report {
 public:
  /// Opens the runs, reads the layers of their samples, and the results for the overview. Error for a directory that is
  /// no run, and for results that cannot be read.
  Report(const std::vector<std::filesystem::path>& runs, const SampleOptions& samples,
         const OverviewOptions& overview = {});

  /// Reads what is new in the runs. True if anything that is shown may have changed.
  bool refresh();

  /// docs/formats.md, "Report data". `live`: the page asks its server for more.
  OrderedJson data(bool live) const;

 private:
  std::vector<std::unique_ptr<RunData>> runs_;
  std::vector<OrderedJson> samples_;
  OrderedJson overview_;
};

/// The data of a page that shows the layers on one input: a sample as in read_samples.
OrderedJson lens_page_data(OrderedJson sample);

}  // namespace vlsi
