#include "run/run_cache.h"

#include "base/checksum.h"
#include "base/error.h"
#include "base/log.h"
#include "checkpoint/fingerprint.h"
#include "run/run_verbalizers.h"

namespace vlsi {

namespace fs = std::filesystem;

bool has_cache(const RunConfig& config) {
  return !config.teacher.cache.empty() && fs::exists(description_path(config.teacher.cache));
}

std::vector<int64_t> cached_layers(const RunConfig& config) {
  return config.interact.intermediate_loss == LossKind::kKl ? config.teacher.layers : std::vector<int64_t>{};
}

std::string fingerprint_of_verbalizers(const fs::path& directory) {
  std::string text;
  for (const char* file : {"verbalizers.json", "verbalizers.safetensors"}) text += checksum_of_file(directory / file);
  return text;
}

CacheOrigin known_origin(const RunConfig& config, const Processor& processor, const Vlm& student) {
  const auto input = processor.fingerprint();
  CacheOrigin origin;
  origin.tokenizer = input.tokenizer;
  origin.chat_template = input.chat_template;
  origin.pre_processing = input.pre_processing;
  origin.student_head = fingerprint({{"head", student.head()}});
  origin.dtype = config.dtype.text();
  origin.layers = cached_layers(config);
  origin.width = student.head().size(1);
  const auto verbalizers = verbalizers_path(config, StepKind::kVerbalizeTeacher);
  if (!origin.layers.empty() && fs::exists(verbalizers))
    origin.teacher_verbalizers = fingerprint_of_verbalizers(verbalizers);
  return origin;
}

Teacher cached_teacher(std::shared_ptr<TeacherCache> cache, const std::vector<int64_t>& layers) {
  Teacher teacher;
  teacher.summarize = [=](const Batch& batch) { return cache->load(batch, layers); };
  teacher.layers = layers;
  teacher.vocab_size = cache->vocab_size();
  teacher.read_ahead = [=](const Sample& sample) { cache->read_ahead(sample); };
  return teacher;
}

Teacher open_cached_teacher(const RunConfig& config, const Processor& processor, const Vlm& student) {
  const auto origin = known_origin(config, processor, student);
  const auto cache = std::make_shared<TeacherCache>(config.teacher.cache, origin);
  log_info(concat("teacher: the cache in ", config.teacher.cache.string(), ", ", cache->num_samples(), " samples"));
  return cached_teacher(cache, origin.layers);
}

}  // namespace vlsi
