#include "report/metric_line.h"

#include <simdjson.h>
#include <algorithm>

#include <cmath>

#include "base/error.h"

namespace vlsi {
namespace {

namespace dom = simdjson::dom;

constexpr int64_t kMaxLayer = 1000;  // no model is as deep; a larger number is a broken file
constexpr size_t kMaxListLength = 1000;

/// The line with NaN, Infinity and -Infinity outside of strings replaced by null.
std::string without_nan(std::string_view line) {
  std::string text;
  bool in_string = false;
  for (size_t i = 0; i < line.size();) {
    if (in_string && line[i] == '\\') {
      text += line.substr(i, 2);
      i += 2;
      continue;
    }
    if (line[i] == '"') in_string = !in_string;
    bool replaced = false;
    for (const std::string_view word : {"NaN", "-Infinity", "Infinity"}) {
      if (in_string || line.substr(i, word.size()) != word) continue;
      text += "null";
      i += word.size();
      replaced = true;
      break;
    }
    if (!replaced) text += line[i++];
  }
  return text;
}

/// False when the value is neither a number nor null.
bool read(const dom::element& value, Measured& measured) {
  if (value.is_null()) {
    measured = std::nullopt;
    return true;
  }
  double number = 0;
  if (value.get_double().get(number) != simdjson::SUCCESS) return false;
  measured = std::isfinite(number) ? Measured(number) : std::nullopt;
  return true;
}

bool read(const dom::element& value, std::vector<Measured>& list) {
  dom::array array;
  if (value.get_array().get(array) != simdjson::SUCCESS || array.size() > kMaxListLength) return false;
  for (const auto item : array) {
    Measured measured;
    if (!read(item, measured)) return false;
    list.push_back(measured);
  }
  return true;
}

bool read(const dom::element& value, MatchHistory::Matrix& matrix) {
  dom::array rows;
  if (value.get_array().get(rows) != simdjson::SUCCESS || rows.size() > kMaxListLength) return false;
  for (const auto row : rows) {
    if (!read(row, matrix.emplace_back())) return false;
  }
  return true;
}

bool read(const dom::element& value, std::vector<MatchHistory::Pair>& matches) {
  dom::array pairs;
  if (value.get_array().get(pairs) != simdjson::SUCCESS) return false;
  for (const auto item : pairs) {
    dom::array pair;
    int64_t layers[2] = {0, 0};
    if (item.get_array().get(pair) != simdjson::SUCCESS || pair.size() != 2) return false;
    for (size_t i = 0; i < 2; ++i) {
      if (pair.at(i).get_int64().get(layers[i]) != simdjson::SUCCESS || layers[i] < 1 || layers[i] > kMaxLayer)
        return false;
    }
    matches.emplace_back(layers[0], layers[1]);
  }
  return true;
}

/// Files the value under its kind; false when it has none.
bool take(MetricLine& line, std::string_view key, const dom::element& value) {
  const auto take_into = [&](auto& target) {
    if (read(value, target)) return true;
    target.clear();
    return false;
  };
  if (key == "matches") return take_into(line.matching.matches);
  if (key == "match_weights") return take_into(line.matching.weights);
  if (key == "kl_matrix" || key == "l2_matrix") return take_into(line.matching.losses);
  if ((key == "kl" || key == "l2") && value.is_array()) return take_into(line.match_losses);
  Measured number;
  if (read(value, number)) {
    line.numbers.emplace_back(key, number);
    return true;
  }
  std::vector<Measured> list;
  if (!read(value, list)) return false;
  // Of the last layer there is one value, which has the form of the target layers' losses.
  if (key.starts_with("last_") && list.size() == 1) {
    line.numbers.emplace_back(key, list[0]);
    return true;
  }
  line.lists.emplace_back(key, std::move(list));
  return true;
}

}  // namespace

struct MetricLineParser::State {
  dom::parser parser;
};

MetricLineParser::MetricLineParser() : state_(std::make_unique<State>()) {}
MetricLineParser::~MetricLineParser() = default;

bool MetricLine::has(std::string_view key) const {
  return std::any_of(numbers.begin(), numbers.end(), [&](const auto& one) { return one.first == key; });
}

Measured MetricLine::number(std::string_view key) const {
  for (const auto& [name, value] : numbers) {
    if (name == key) return value;
  }
  return std::nullopt;
}

std::optional<MetricLine> MetricLineParser::parse(std::string_view line, std::string& problem) {
  dom::element root;
  auto error = state_->parser.parse(line.data(), line.size()).get(root);
  if (error != simdjson::SUCCESS) {
    const std::string repaired = without_nan(line);
    if (repaired == line || state_->parser.parse(repaired).get(root) != simdjson::SUCCESS) {
      problem = concat("is no JSON (", simdjson::error_message(error), ")");
      return std::nullopt;
    }
  }
  dom::object object;
  std::string_view step;
  MetricLine result;
  if (root.get_object().get(object) != simdjson::SUCCESS ||
      object["step"].get_string().get(step) != simdjson::SUCCESS ||
      object["iteration"].get_int64().get(result.iteration) != simdjson::SUCCESS) {
    problem = "has no step and iteration";
    return std::nullopt;
  }
  result.step = step;
  for (const auto& [key, value] : object) {
    if (key == "step" || key == "iteration") continue;
    if (!take(result, key, value) && problem.empty())
      problem = concat("has a '", key, "' of another kind than expected, which was left out");
  }
  result.matching.iteration = result.iteration;
  if (result.match_losses.size() != result.matching.matches.size()) result.match_losses.clear();
  return result;
}

}  // namespace vlsi
