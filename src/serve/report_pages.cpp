#include "serve/report_pages.h"

#include "report/page.h"

namespace vlsi {

std::vector<HttpPage> ReportPages::pages() {
  const auto page = [this](const HttpRequest&) -> HttpResponse {
    return {.content_type = "text/html; charset=utf-8", .body = page_html(data())};
  };
  const auto json = [this](const HttpRequest&) -> HttpResponse {
    return {.content_type = "application/json", .body = page_json(data())};
  };
  return {{"GET", "/", page}, {"GET", "/data.json", json}, {"GET", "/events", [this](const HttpRequest&) {
                                                              return events_.stream();
                                                            }}};
}

void ReportPages::refresh() {
  const std::lock_guard lock(mutex_);
  if (report_.refresh()) events_.send(std::to_string(++version_));
}

OrderedJson ReportPages::data() {
  const std::lock_guard lock(mutex_);
  return report_.data(/*live=*/true);
}

}  // namespace vlsi
