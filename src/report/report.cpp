#include "report/report.h"

#include "report/comparison.h"

namespace vlsi {
namespace {

constexpr int kFormat = 1;

}  // namespace

Report::Report(const std::vector<std::filesystem::path>& runs, const SampleOptions& samples) {
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
  return {{"format", kFormat},
          {"live", live},
          {"runs", std::move(runs)},
          {"comparison", std::move(comparison)},
          {"lens", nullptr}};
}

OrderedJson lens_page_data(OrderedJson sample) {
  return {{"format", kFormat},
          {"live", false},
          {"runs", OrderedJson::array()},
          {"comparison", OrderedJson::array()},
          {"lens", std::move(sample)}};
}

}  // namespace vlsi
