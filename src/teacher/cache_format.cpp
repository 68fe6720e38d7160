#include "teacher/cache_format.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <functional>

#include "base/checksum.h"
#include "base/json.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kFormat = 1;
constexpr std::string_view kPrefix = "shard-", kSuffix = ".safetensors";
constexpr int64_t kMaxShards = int64_t{1} << 31;

std::span<const std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

struct TextField {
  const char* key;
  const char* words;
  std::string CacheOrigin::*value;
};

/// In the order in which a difference causes the others.
constexpr TextField kTexts[] = {{"tokenizer", "tokenizer", &CacheOrigin::tokenizer},
                                {"chat_template", "chat template", &CacheOrigin::chat_template},
                                {"pre_processing", "picture pre-processing", &CacheOrigin::pre_processing},
                                {"teacher", "teacher", &CacheOrigin::teacher},
                                {"teacher_verbalizers", "teacher's verbalizers", &CacheOrigin::teacher_verbalizers},
                                {"student_head", "student's language head", &CacheOrigin::student_head},
                                {"dtype", "dtype", &CacheOrigin::dtype}};

OrderedJson to_json(const CacheOrigin& origin) {
  OrderedJson json = OrderedJson::object();
  for (const auto& field : kTexts) json[field.key] = origin.*field.value;
  json["layers"] = origin.layers;
  json["width"] = origin.width;
  json["vocab_size"] = origin.vocab_size;
  return json;
}

std::string fingerprint_of(const CacheOrigin& origin) {
  Checksum checksum;
  checksum.update(to_json(origin).dump());
  return hexadecimal(checksum.value());
}

/// Of everything that says where records lie.
std::string index_checksum(const CacheShard& shard) {
  Checksum checksum;
  for (const auto* tensor : {&shard.samples, &shard.checksums, &shard.starts, &shard.id_starts, &shard.ids}) {
    checksum.update(bytes_of(*tensor));
  }
  return hexadecimal(checksum.value());
}

/// starts [R + 1] must rise from 0 to `end`; `strictly`: by at least one a record.
void check_starts(const at::Tensor& starts, int64_t end, bool strictly, const char* name, const fs::path& path) {
  const auto* values = starts.const_data_ptr<int64_t>();
  const int64_t last = starts.size(0) - 1;
  bool good = values[0] == 0 && values[last] == end;
  for (int64_t i = 0; good && i < last; ++i) good = values[i + 1] >= values[i] + (strictly ? 1 : 0);
  if (!good) fail("reading ", path.string(), ": ", name, " does not rise from 0 to ", end, "; the shard is damaged");
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
  if (const auto format = require<int64_t>(json, "format", place); format != kFormat) {
    fail(place, ": key 'format' is ", format, ", expected ", kFormat);
  }
  CacheDescription description;
  auto& origin = description.origin;
  const auto made_from = require<Json>(json, "made_from", place);
  const std::string inner = place + ", made_from";
  for (const auto& field : kTexts) origin.*field.value = require<std::string>(made_from, field.key, inner);
  origin.layers = require<std::vector<int64_t>>(made_from, "layers", inner);
  origin.width = count(made_from, "width", inner);
  origin.vocab_size = count(made_from, "vocab_size", inner);
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
  write_json(description_path(cache), {{"format", kFormat},
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
  const bool has_layers =
      any_layers ? std::includes(cache.layers.begin(), cache.layers.end(), run.layers.begin(), run.layers.end())
                 : cache.layers == run.layers;
  if (!has_layers) differ("list of target layers", at::IntArrayRef(cache.layers), at::IntArrayRef(run.layers));
  if (cache.width != run.width) differ("width", cache.width, run.width);
  if (run.vocab_size != 0 && cache.vocab_size != run.vocab_size) {
    differ("number of vocabulary rows", cache.vocab_size, run.vocab_size);
  }
  return text;
}

int64_t bytes_per_position(int64_t num_layers, int64_t width) { return num_layers * (2 * width + 4); }

int64_t shard_number(const fs::path& path) {
  const auto name = path.filename().string();
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return -1;
  const char* const begin = name.data() + kPrefix.size();
  const char* const end = name.data() + name.size() - kSuffix.size();
  int64_t number = -1;
  const auto [stopped, error] = std::from_chars(begin, end, number);
  return error == std::errc() && stopped == end && number >= 0 && number < kMaxShards ? number : -1;
}

fs::path shard_path(const fs::path& cache, int64_t number) {
  char digits[24];
  std::snprintf(digits, sizeof(digits), "%05lld", static_cast<long long>(number));
  return cache / concat(kPrefix, digits, kSuffix);
}

std::vector<fs::path> find_shards(const fs::path& cache) {
  std::vector<fs::path> shards;
  for (const auto& entry : fs::directory_iterator(cache)) {
    if (shard_number(entry.path()) >= 0) shards.push_back(entry.path());
  }
  std::sort(shards.begin(), shards.end(),
            [](const auto& a, const auto& b) { return shard_number(a) < shard_number(b); });
  return shards;
}

std::string CacheShard::id(int64_t record) const {
  const auto* at = id_starts.const_data_ptr<int64_t>() + record;
  return {reinterpret_cast<const char*>(ids.const_data_ptr<uint8_t>()) + at[0], static_cast<size_t>(at[1] - at[0])};
}

CacheShard CacheShard::open(const fs::path& path, const CacheOrigin& origin) {
  const auto file = SafetensorsFile::open(path);
  const auto& metadata = file->metadata();
  const auto metadata_at = [&](const char* key) {
    const auto found = metadata.find(key);
    return found == metadata.end() ? std::string() : found->second;
  };
  if (metadata_at("cache") != fingerprint_of(origin)) {
    fail("reading ", path.string(), ": the shard is of another cache than the cache.json beside it");
  }
  const auto take = [&](const char* name, at::ScalarType dtype, const std::vector<int64_t>& shape) {
    const auto found = file->tensors().find(name);
    if (found == file->tensors().end()) fail("reading ", path.string(), ": missing tensor ", name);
    const auto& info = found->second;
    bool fits = info.dtype == dtype && info.shape.size() == shape.size();
    for (size_t i = 0; fits && i < shape.size(); ++i) fits = shape[i] < 0 || info.shape[i] == shape[i];
    if (!fits) {
      fail("reading ", path.string(), ": tensor ", name, " is ", c10::toString(info.dtype), ' ',
           at::IntArrayRef(info.shape), ", expected ", c10::toString(dtype), ' ', at::IntArrayRef(shape), " (-1: any)");
    }
    // Such a tensor would have to be copied, and a shard may be larger than the memory.
    if (info.begin % c10::elementSize(dtype) != 0)
      fail("reading ", path.string(), ": tensor ", name, " is not aligned");
    return file->tensor(name);
  };
  const int64_t num_layers = static_cast<int64_t>(origin.layers.size()) + 1;
  CacheShard shard;
  shard.path = path;
  shard.rows = take("expected_rows", at::kHalf, {-1, num_layers, origin.width});
  shard.entropy = take("entropy", at::kFloat, {shard.num_positions(), num_layers});
  shard.samples = take("samples", at::kUInt64, {-1});
  shard.checksums = take("checksums", at::kUInt64, {shard.num_records()});
  shard.starts = take("starts", at::kLong, {shard.num_records() + 1});
  shard.id_starts = take("id_starts", at::kLong, {shard.num_records() + 1});
  shard.ids = take("ids", at::kByte, {-1});
  if (metadata_at("index") != index_checksum(shard)) {
    fail("reading ", path.string(),
         ": the checksum of its index is wrong: the shard is damaged; remove it and run vlsi cache again");
  }
  check_starts(shard.starts, shard.num_positions(), /*strictly=*/true, "starts", path);
  check_starts(shard.id_starts, shard.ids.size(0), /*strictly=*/false, "id_starts", path);
  return shard;
}

void write_shard(const CacheShard& shard, const CacheOrigin& origin) {
  write_safetensors(shard.path,
                    {{"expected_rows", shard.rows},
                     {"entropy", shard.entropy},
                     {"samples", shard.samples},
                     {"checksums", shard.checksums},
                     {"starts", shard.starts},
                     {"id_starts", shard.id_starts},
                     {"ids", shard.ids}},
                    {{"cache", fingerprint_of(origin)}, {"index", index_checksum(shard)}});
}

uint64_t record_checksum(uint64_t sample, const at::Tensor& rows, const at::Tensor& entropy) {
  TORCH_CHECK(rows.is_contiguous() && entropy.is_contiguous(), "a record is contiguous");
  Checksum checksum(sample);
  checksum.update(bytes_of(rows));
  checksum.update(bytes_of(entropy));
  return checksum.value();
}

}  // namespace vlsi
