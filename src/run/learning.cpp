#include "run/learning.h"

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "model/parts.h"

namespace vlsi {
namespace {

double num_values_of(const at::Tensor& tensor) { return static_cast<double>(tensor.numel()); }

OrderedJson part_json(const std::string& part, const NamedTensors& parameters, double whole) {
  int64_t tensors = 0;
  double values = 0;
  for (const auto& [name, parameter] : parameters) {
    if (part_of(name) != part) continue;
    tensors += 1;
    values += num_values_of(parameter);
  }
  return {
      {"part", part}, {"tensors", tensors}, {"parameters", static_cast<int64_t>(values)}, {"share", values / whole}};
}

/// How many maps of each name have an adapter.
OrderedJson adapters_json(const NamedTensors& parameters) {
  OrderedJson counts = OrderedJson::object();
  constexpr std::string_view kSuffix = ".lora_A";
  for (const auto& [name, parameter] : parameters) {
    if (!name.ends_with(kSuffix)) continue;
    const auto path = name.substr(0, name.size() - kSuffix.size());
    const auto module = path.substr(path.rfind('.') + 1);
    counts[module] = counts.value(module, int64_t{0}) + 1;
  }
  return counts;
}

std::string percent_text(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g %%", 100 * share);
  return text;
}

}  // namespace

OrderedJson learning_json(const RunConfig& config, const Vlm& student, const std::vector<StepKind>& steps) {
  const auto parameters = student.named_parameters();
  double whole = 0;
  for (const auto& [name, parameter] : parameters) whole += num_values_of(parameter);
  OrderedJson learning{{"parameters", static_cast<int64_t>(whole)}, {"steps", OrderedJson::array()}};
  for (const auto step : steps) {
    if (is_verbalization(step)) continue;
    OrderedJson parts = OrderedJson::array();
    for (const auto& part : settings_of(config, step).train) parts.push_back(part_json(part, parameters, whole));
    learning["steps"].push_back({{"step", name_of(step)}, {"parts", parts}});
  }
  if (auto adapters = adapters_json(parameters); !adapters.empty()) learning["lora"] = std::move(adapters);
  return learning;
}

std::vector<std::string> learning_lines(const OrderedJson& learning) {
  std::vector<std::string> lines;
  for (const auto& step : learning.at("steps")) {
    std::string parts;
    for (const auto& part : step.at("parts")) {
      if (part.at("tensors") == 0) continue;  // a tied head
      parts += concat(parts.empty() ? "" : "; ", part.at("part").get<std::string>(), ", ",
                      part.at("tensors").get<int64_t>(), " tensors, ", part.at("parameters").get<int64_t>(),
                      " parameters, ", percent_text(part.at("share").get<double>()), " of the student");
    }
    lines.push_back(concat(step.at("step").get<std::string>(), " trains ", parts.empty() ? "nothing of it" : parts));
  }
  if (!learning.contains("lora")) return lines;
  std::string adapters;
  for (const auto& [module, count] : learning.at("lora").items()) {
    adapters += concat(adapters.empty() ? "" : ", ", module, ' ', count.get<int64_t>());
  }
  lines.push_back("adapters by map: " + adapters);
  return lines;
}

}  // namespace vlsi
