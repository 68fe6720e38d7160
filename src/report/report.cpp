#include "report/report.h"

#include "report/comparison.h"

namespace vlsi {
namespace {

OrderedJson page_data(bool live, OrderedJson runs, OrderedJson comparison, OrderedJson lens, OrderedJson overview) {
  return {{"format", 1},
          {"live", live},
          {"runs", std::move(runs)},
          {"comparison", std::move(comparison)},
          {"lens", std::move(lens)},
          {"overview", std::move(overview)}};
}

}  // namespace

Report::Report(const std::vector<std::filesystem::path>& runs, const SampleOptions& samples,
               const OverviewOptions& overview)
    : overview_(overview_json(overview)) {
  for (const auto& run : runs) runs_.push_back(std::make_unique<RunData>(run));
  for (const auto& run : runs_) samples_.push_back(read_samples(run->directory(), run->settings(), samples));
}

bool Report::refresh() {
  bool changed = false;
  for (auto& run : runs_) changed = run->refresh() || changed;
  return changed;
}

OrderedJson Report::data(bool live) const {
  OrderedJson runs = OrderedJson::array();
  std::vector<const RunData*> pointers;
  for (size_t i = 0; i < runs_.size(); ++i) {
    runs.push_back(runs_[i]->to_json());
    runs.back().update(samples_[i]);
    pointers.push_back(runs_[i].get());
  }
  auto comparison = compare_runs(pointers, runs);
  return page_data(live, std::move(runs), std::move(comparison), nullptr, overview_);
}

OrderedJson lens_page_data(OrderedJson sample) {
  return page_data(false, OrderedJson::array(), OrderedJson::array(), std::move(sample), nullptr);
}

}  // namespace vlsi
