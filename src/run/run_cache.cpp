#include "run/run_cache.h"

#include "base/checksum.h"
#include "base/error.h"
#include "base/log.h"
#include "checkpoint/fingerprint.h"
#include "family/family.h"
#include "run/run_verbalizers.h"
#include "teacher/visual_advantage.h"

namespace vlsi {

namespace fs = std::filesystem;

namespace {

/// Of the teacher's processor; empty where its directory is gone.
ProcessorFingerprint teacher_fingerprint(const RunConfig& config, const PairProcessors& processors) {
  if (processors.teacher) return processors.teacher->fingerprint();
  const auto& directory = config.teacher.model;
  if (directory.empty() || !fs::exists(directory / "config.json")) return {};
  return load_processor(directory, config.data.special_tokens)->fingerprint();
}

/// Of description and weights.
std::string fingerprint_of_verbalizers(const fs::path& directory) {
  std::string text;
  for (const char* file : {"verbalizers.json", "verbalizers.safetensors"}) text += checksum_of_file(directory / file);
  return text;
}

}  // namespace

bool has_cache(const RunConfig& config) {
  return !config.teacher.cache.empty() && fs::exists(description_path(config.teacher.cache));
}

std::vector<int64_t> cached_layers(const RunConfig& config) {
  return config.interact.intermediate_loss == LossKind::kKl ? config.teacher.layers : std::vector<int64_t>{};
}

std::string blank_of(const RunConfig& config) { return config.interact.weighting.is_on() ? kBlankPatches : ""; }

CacheOrigin known_origin(const RunConfig& config, const PairProcessors& processors, const Vlm& student) {
  CacheOrigin origin;
  const auto own = processors.student->fingerprint(), theirs = teacher_fingerprint(config, processors);
  origin.tokenizer = own.tokenizer;
  origin.chat_template = own.chat_template;
  origin.pre_processing = own.pre_processing;
  origin.teacher_tokenizer = theirs.tokenizer;
  origin.teacher_chat_template = theirs.chat_template;
  origin.teacher_pre_processing = theirs.pre_processing;
  origin.student_head = fingerprint({{"head", student.head()}});
  origin.dtype = config.dtype.text();
  if (config.teacher.quantize != Quantization::kNone)
    origin.dtype += ", the teacher " + text_of(config.teacher.quantize);
  origin.layers = cached_layers(config);
  origin.width = student.head().size(1);
  origin.blank = blank_of(config);
  const auto verbalizers = verbalizers_path(config, StepKind::kVerbalizeTeacher);
  if (!origin.layers.empty() && fs::exists(verbalizers))
    origin.teacher_verbalizers = fingerprint_of_verbalizers(verbalizers);
  return origin;
}

Teacher cached_teacher(std::shared_ptr<TeacherCache> cache, const std::vector<int64_t>& layers) {
  Teacher teacher;
  teacher.summarize = [=](const Batch& batch) { return cache->load(batch, layers); };
  teacher.layers = layers;
  teacher.shared_rows = cache->shared_rows();
  teacher.read_ahead = [=](const Sample& sample) { cache->read_ahead(sample); };
  return teacher;
}

Teacher open_cached_teacher(const RunConfig& config, const PairProcessors& processors, const Vlm& student) {
  const auto origin = known_origin(config, processors, student);
  const auto cache = std::make_shared<TeacherCache>(config.teacher.cache, origin);
  log_info(concat("teacher: the cache in ", config.teacher.cache.string(), ", ", cache->num_samples(), " samples"));
  return cached_teacher(cache, origin.layers);
}

}  // namespace vlsi
