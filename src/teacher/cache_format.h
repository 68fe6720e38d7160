// The files of a teacher cache: cache.json, which says what it was made from, and shards of records.
// (P answer positions of a sample, L target layers and the last layer, D student width)
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/record_shards.h"

namespace vlsi {

/// What the values of a cache depend on. A run that can only know a part of it leaves the rest empty.
struct CacheOrigin {
  std::string tokenizer, chat_template, pre_processing;  // of the student's samples: ProcessorFingerprint's
  std::string teacher_tokenizer, teacher_chat_template, teacher_pre_processing;  // of the teacher's
  std::string teacher, teacher_verbalizers, student_head;
  std::string dtype;            // of both models, and what the teacher's weights are quantised to
  std::vector<int64_t> layers;  // target layers of the teacher; the last layer's rows follow them
  int64_t width = 0;            // D
  int64_t shared_rows = 0;      // leading rows of both heads, whose ids mean the same
  std::string blank = {};       // how the teacher is kept from seeing, for its visual advantage; empty without one
};

/// cache.json.
struct CacheDescription {
  CacheOrigin origin;
  bool complete = false;                                       // all of the data that it was last made for are in
  int64_t num_shards = 0, num_samples = 0, num_positions = 0;  // of a complete one
};

std::filesystem::path description_path(const std::filesystem::path& cache);
/// Error for a directory without one, another format, and contents that contradict one another.
CacheDescription read_description(const std::filesystem::path& cache);
void write_description(const std::filesystem::path& cache, const CacheDescription& description);

/// In words, everything in which a cache's origin differs from what a run would make ("its tokenizer is .., the run's
/// is .."); empty when nothing does. What `run` leaves empty is not compared; with `any_layers`, the cache may hold
/// more layers.
std::string differences(const CacheOrigin& cache, const CacheOrigin& run, bool any_layers);

inline constexpr const char* kCachePrefix = "shard-";  // of the files' names

/// A cache's records. Of a sample, by the fingerprint of what the student is shown and with its id: the expected rows
/// [P, L, D] and the entropies [P, L] of TeacherSummary, and its visual advantage [P] where the origin has one.
RecordFormat record_format(const CacheOrigin& origin);

}  // namespace vlsi
