#include "teacher/cache_format.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>

#include "base/checksum.h"
#include "base/json.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kCacheFormat = 3;

struct TextField {
  const char* key;
  const char* words;
  std::string CacheOrigin::*value;
};

/// In the order in which a difference causes the others.
constexpr TextField kTexts[] = {
    {"tokenizer", "tokenizer", &CacheOrigin::tokenizer},
    {"chat_template", "chat template", &CacheOrigin::chat_template},
    {"pre_processing", "picture pre-processing", &CacheOrigin::pre_processing},
    {"teacher_tokenizer", "teacher's tokenizer", &CacheOrigin::teacher_tokenizer},
    {"teacher_chat_template", "teacher's chat template", &CacheOrigin::teacher_chat_template},
    {"teacher_pre_processing", "teacher's picture pre-processing", &CacheOrigin::teacher_pre_processing},
    {"teacher", "teacher", &CacheOrigin::teacher},
    {"teacher_verbalizers", "teacher's verbalizers", &CacheOrigin::teacher_verbalizers},
    {"student_head", "student's language head", &CacheOrigin::student_head},
    {"dtype", "dtype", &CacheOrigin::dtype}};

OrderedJson to_json(const CacheOrigin& origin) {
  OrderedJson json = OrderedJson::object();
  for (const auto& field : kTexts) json[field.key] = origin.*field.value;
  json["layers"] = origin.layers;
  json["width"] = origin.width;
  json["shared_rows"] = origin.shared_rows;
  if (!origin.blank.empty()) json["blank"] = origin.blank;
  return json;
}

std::string fingerprint_of(const CacheOrigin& origin) {
  Checksum checksum;
  checksum.update(to_json(origin).dump());
  return hexadecimal(checksum.value());
}

int64_t count(const Json& json, const char* key, const std::string& place) {
  const auto value = require<int64_t>(json, key, place);
  if (value < 0) fail(place, ": key '", key, "' is ", value, ", expected 0 or more");
  return value;
}

}  // namespace

fs::path description_path(const fs::path& cache) { return cache / "cache.json"; }

CacheDescription read_description(const fs::path& cache) {
  const auto path = description_path(cache);
  const std::string place = path.string();
  if (!fs::exists(path)) {
    fail("opening teacher cache ", cache.string(), ": there is no cache.json; make a cache with vlsi cache RUN.yaml");
  }
  const auto json = read_json(path);
  check_format(json, kCacheFormat, place, "remove the cache and run vlsi cache again");
  CacheDescription description;
  auto& origin = description.origin;
  const auto made_from = require<Json>(json, "made_from", place);
  const std::string inner = place + ", made_from";
  for (const auto& field : kTexts) origin.*field.value = require<std::string>(made_from, field.key, inner);
  origin.layers = require<std::vector<int64_t>>(made_from, "layers", inner);
  origin.width = count(made_from, "width", inner);
  origin.shared_rows = count(made_from, "shared_rows", inner);
  origin.blank = find<std::string>(made_from, "blank", inner).value_or("");
  const auto& layers = origin.layers;
  if (std::adjacent_find(layers.begin(), layers.end(), std::greater_equal<>()) != layers.end()) {
    fail(inner, ": key 'layers' is ", at::IntArrayRef(layers), ", expected ascending numbers");
  }
  description.complete = require<bool>(json, "complete", place);
  description.num_shards = count(json, "num_shards", place);
  description.num_samples = count(json, "num_samples", place);
  description.num_positions = count(json, "num_positions", place);
  return description;
}

void write_description(const fs::path& cache, const CacheDescription& description) {
  write_json(description_path(cache), {{"format", kCacheFormat},
                                       {"complete", description.complete},
                                       {"num_shards", description.num_shards},
                                       {"num_samples", description.num_samples},
                                       {"num_positions", description.num_positions},
                                       {"made_from", to_json(description.origin)}});
}

std::string differences(const CacheOrigin& cache, const CacheOrigin& run, bool any_layers) {
  std::string text;
  const auto differ = [&](const auto& what, const auto& there, const auto& here) {
    text += concat(text.empty() ? "" : "; ", "its ", what, " is ", there, ", the run's is ", here);
  };
  for (const auto& field : kTexts) {
    const auto &there = cache.*field.value, &here = run.*field.value;
    if (!here.empty() && there != here) differ(field.words, "'" + there + "'", "'" + here + "'");
  }
  if (cache.blank != run.blank && !(any_layers && run.blank.empty())) {
    const auto words = [](const std::string& blank) { return "'" + (blank.empty() ? "none" : blank) + "'"; };
    differ("visual advantage", words(cache.blank), words(run.blank));
  }
  const bool has_layers =
      any_layers ? std::includes(cache.layers.begin(), cache.layers.end(), run.layers.begin(), run.layers.end())
                 : cache.layers == run.layers;
  if (!has_layers) differ("list of target layers", at::IntArrayRef(cache.layers), at::IntArrayRef(run.layers));
  if (cache.width != run.width) differ("width", cache.width, run.width);
  if (run.shared_rows != 0 && cache.shared_rows != run.shared_rows) {
    differ("number of shared vocabulary rows", cache.shared_rows, run.shared_rows);
  }
  return text;
}

RecordFormat record_format(const CacheOrigin& origin) {
  const int64_t num_layers = std::ssize(origin.layers) + 1;
  std::vector<RecordFormat::Values> values{{"expected_rows", at::kHalf, {num_layers, origin.width}},
                                           {"entropy", at::kFloat, {num_layers}}};
  if (!origin.blank.empty()) values.push_back({"advantage", at::kFloat, {}});
  return {.prefix = kCachePrefix,
          .what = "teacher cache",
          .record = "sample",
          .remedy = "remove the file and run vlsi cache again",
          .origin = fingerprint_of(origin),
          .other_origin = "the shard is of another cache than the cache.json beside it",
          .values = std::move(values)};
}

}  // namespace vlsi
