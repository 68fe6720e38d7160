// A report as pages of a server: the page, its data, and an event for every change.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "report/report.h"
#include "serve/events.h"
#include "serve/http.h"

namespace vlsi {

class ReportPages {
 public:
  explicit ReportPages(Report report) : report_(std::move(report)) {}

  /// GET "/", "/data.json" and "/events"; this object must outlive them.
  std::vector<HttpPage> pages();

  /// Reads what is new in the runs, and sends an event if anything that is shown may have changed.
  void refresh();

 private:
  OrderedJson data();

  std::mutex mutex_;
  Report report_;
  Events events_;
  int64_t version_ = 0;
};

}  // namespace vlsi
