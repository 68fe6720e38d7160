// A plan as JSON and as a table.
#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>

#include "base/progress.h"
#include "base/size_text.h"
#include "plan/plan.h"

namespace vlsi {
namespace {

std::string size(double bytes) { return bytes > 0 ? size_text(std::llround(bytes)) : "-"; }

std::string number(double value, const char* unit = "") {
  std::ostringstream text;
  text << std::fixed << std::setprecision(value < 10 ? 2 : (value < 100 ? 1 : 0)) << value << unit;
  return text.str();
}

std::string count(double value) { return std::to_string(std::llround(value)); }

std::string flops(double value, const char* unit) {
  const bool is_tera = value >= 1e12;
  return number(value / (is_tera ? 1e12 : 1e9), is_tera ? " T" : " G") + unit;
}

std::string seconds_text(double seconds) {
  return seconds < 0.1 ? number(1000 * seconds, " ms") : number(seconds, " s");
}

double per_hour(const StepPlan& step) { return step.samples * 3600 / *step.seconds; }

/// Lines of a name and a column a step.
class Columns {
 public:
  explicit Columns(const Plan& plan) : plan_(plan) {}

  template <class Cell>
  void row(const std::string& name, const Cell& cell) {
    text_ << std::left << std::setw(18) << name << std::right;
    for (const auto& step : plan_.steps) text_ << ' ' << std::setw(18) << cell(step);
    text_ << '\n';
  }
  void heading(const std::string& name) { text_ << name << '\n'; }
  std::string text() const { return text_.str(); }

 private:
  const Plan& plan_;
  std::ostringstream text_;
};

OrderedJson json_of(const BatchShape& shape) {
  return {{"samples", shape.samples}, {"tokens", shape.tokens}, {"answers", shape.answers}, {"patches", shape.patches}};
}

OrderedJson json_of(const BatchShape& largest, const BatchShape& mean) {
  return {{"largest", json_of(largest)}, {"mean", json_of(mean)}};
}

bool is_shown_otherwise(const StepPlan& step) { return !step.data.is_shown_the_same; }

OrderedJson json_of(const std::vector<MemoryPart>& parts) {
  OrderedJson json = OrderedJson::object();
  for (const auto& part : parts) json[part.name] = std::llround(part.bytes);
  return json;
}

}  // namespace

OrderedJson to_json(const Plan& plan) {
  OrderedJson json{{"peak_bytes", std::llround(plan.peak_bytes())},
                   {"largest_step", name_of(plan.largest_step().step)}};
  json["available_bytes"] = plan.available_bytes ? OrderedJson(*plan.available_bytes) : OrderedJson();
  json["fits"] = plan.fits();
  json["steps"] = OrderedJson::array();
  for (const auto& step : plan.steps) {
    OrderedJson item{{"step", name_of(step.step)},
                     {"iterations", step.iterations},
                     {"micro_batch", json_of(step.data.largest, step.data.mean)},
                     {"memory", json_of(step.memory)},
                     {"memory_bytes", std::llround(total_bytes(step.memory))},
                     {"flops", step.work.model_flops},
                     {"float32_flops", step.work.float32_flops},
                     {"read_bytes", step.work.read_bytes}};
    if (is_shown_otherwise(step))
      item["teacher_micro_batch"] = json_of(step.data.teacher_largest, step.data.teacher_mean);
    if (step.seconds) item.update({{"seconds", *step.seconds}, {"samples_per_hour", per_hour(step)}});
    json["steps"].push_back(std::move(item));
  }
  json["disk"] = json_of(plan.disk);
  json["disk_bytes"] = std::llround(total_bytes(plan.disk));
  json["free_disk_bytes"] = plan.free_disk_bytes;
  json["own_disk_bytes"] = plan.own_disk_bytes;
  if (plan.rates) {
    json["rates"] = {{"flops_per_second", plan.rates->model_flops_per_second},
                     {"float32_flops_per_second", plan.rates->float32_flops_per_second},
                     {"read_bytes_per_second", plan.rates->read_bytes_per_second}};
  }
  json["advice"] = OrderedJson::array();
  for (const auto& advice : plan.advice)
    json["advice"].push_back({{"change", advice.change}, {"peak_bytes", std::llround(advice.peak_bytes)}});
  return json;
}

std::string to_text(const Plan& plan) {
  Columns table(plan);
  table.row("memory", [](const StepPlan& step) { return name_of(step.step); });
  for (size_t i = 0; i < plan.steps.front().memory.size(); ++i) {
    const bool is_empty =
        std::all_of(plan.steps.begin(), plan.steps.end(), [&](const auto& step) { return step.memory[i].bytes < 1; });
    if (!is_empty)
      table.row("  " + plan.steps.front().memory[i].name,
                [&](const StepPlan& step) { return size(step.memory[i].bytes); });
  }
  table.row("  together", [](const StepPlan& step) { return size(total_bytes(step.memory)); });
  table.heading("a micro-batch");
  table.row("  tokens, at most", [](const StepPlan& step) { return count(step.data.largest.tokens); });
  if (std::any_of(plan.steps.begin(), plan.steps.end(), is_shown_otherwise)) {
    table.row("  to the teacher", [](const StepPlan& step) {
      return is_shown_otherwise(step) ? count(step.data.teacher_largest.tokens) : "-";
    });
  }
  table.row("  answer positions", [](const StepPlan& step) { return count(step.data.largest.answers); });
  table.heading("an iteration");
  table.row("  samples", [](const StepPlan& step) { return count(step.samples); });
  table.row("  work",
            [](const StepPlan& step) { return flops(step.work.model_flops + step.work.float32_flops, "FLOP"); });
  table.row("  read", [](const StepPlan& step) { return size(step.work.read_bytes); });
  if (plan.rates) {
    table.row("  time", [](const StepPlan& step) { return seconds_text(*step.seconds); });
    table.row("  samples an hour", [](const StepPlan& step) { return count(per_hour(step)); });
  }
  table.heading("the step");
  table.row("  iterations", [](const StepPlan& step) { return count(step.iterations); });
  if (plan.rates)
    table.row("  time", [](const StepPlan& step) { return duration_text(*step.seconds * step.iterations); });

  std::ostringstream text;
  text << table.text() << '\n';
  text << "peak " << size(plan.peak_bytes()) << ", in " << name_of(plan.largest_step().step);
  if (plan.available_bytes)
    text << "; available " << size_text(*plan.available_bytes) << (plan.fits() ? ": it fits" : ": it does not fit");
  text << "\ndisk " << size(total_bytes(plan.disk)) << " (";
  const char* comma = "";
  for (const auto& part : plan.disk) {
    if (part.bytes < 1) continue;
    text << comma << part.name << ' ' << size(part.bytes);
    comma = ", ";
  }
  text << "); free " << size_text(plan.free_disk_bytes);
  if (plan.own_disk_bytes > 0) text << ", the run's own " << size_text(plan.own_disk_bytes);
  text << (plan.fits_disk() ? "" : ": too little") << '\n';
  if (plan.rates) {
    text << "this machine: products " << flops(plan.rates->model_flops_per_second, "FLOP/s") << ", in float32 "
         << flops(plan.rates->float32_flops_per_second, "FLOP/s");
    if (plan.rates->read_bytes_per_second > 0)
      text << ", reading the teacher's files " << size(plan.rates->read_bytes_per_second) << "/s";
    text << '\n';
  }
  if (!plan.advice.empty()) text << "less memory:\n";
  for (const auto& advice : plan.advice)
    text << "  " << std::setw(10) << size(advice.peak_bytes) << "  " << advice.change << '\n';
  return text.str();
}

}  // namespace vlsi
