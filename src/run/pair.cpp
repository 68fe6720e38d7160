#include "run/pair.h"

#include <algorithm>

#include "base/error.h"
#include "base/quoted.h"
#include "checkpoint/load.h"
#include "checkpoint/picture_features.h"
#include "family/family.h"
#include "run/student.h"

namespace vlsi {
void check_same_vocabulary(const Tokenizer& student, const Tokenizer& teacher) {
  const auto shown = [](const std::string& bytes) { return bytes.empty() ? "no token" : "'" + printable(bytes) + "'"; };
  std::string differences;
  int num_differences = 0;
  const int64_t size = std::max(student.size(), teacher.size());
  for (int32_t id = 0; id < size && num_differences < 3; ++id) {
    const auto a = student.bytes(id), b = teacher.bytes(id);
    if (a == b) continue;
    differences += concat(num_differences++ > 0 ? ", " : "", id, " (", shown(a), " against ", shown(b), ")");
  }
  if (num_differences > 0) {
    fail("pairing ", student.directory().string(), " with ", teacher.directory().string(),
         ": their tokenizers differ, first at ids ", differences, "; the method needs the same vocabulary");
  }
}

void check_layers(const std::vector<int64_t>& layers, const ModelConfig& model, const char* key,
                  const std::string& place) {
  const int64_t num_layers = model.text.num_hidden_layers;
  if (!layers.empty() && layers.back() > num_layers) {
    fail(place, ": key '", key, "' names layer ", layers.back(), ", the model has ", num_layers);
  }
}

void check_pair(const RunConfig& config, const Processor& student_processor, const ModelConfig& student) {
  const std::string place = config.out.string();
  const auto teacher = load_model_config(config.teacher.model);
  const auto teacher_processor = load_processor(config.teacher.model, config.data.special_tokens);
  check_same_vocabulary(student_processor.tokenizer(), teacher_processor->tokenizer());
  check_layers(config.teacher.layers, teacher, "teacher.layers", place);
  const auto of_student = student.own->patches_text(), of_teacher = teacher.own->patches_text();
  if (of_student != of_teacher) {
    fail(place, ": the student's patches are ", of_student, ", the teacher's ", of_teacher,
         "; both must read the same pictures");
  }
}

void check_head_stays(const InteractConfig& config, const ModelConfig& student, const std::string& place,
                      bool cached_teacher) {
  if (!logits_are_compared(config) && !cached_teacher) return;
  const bool tied = student.text.tie_word_embeddings;
  const std::string changes_head = tied ? "embeddings" : "head";
  if (std::find(config.train.begin(), config.train.end(), changes_head) == config.train.end()) return;
  fail(place, ": key 'interact.train' names '", changes_head, "'", tied ? ", which is the language head too" : "",
       ", but ", cached_teacher ? "a teacher cache is for one head and" : "the loss l2 through the heads",
       " needs a head that stays as it is; train other parts, or ",
       cached_teacher ? "run the teacher itself" : "take kl");
}

Pair::Pair(const RunConfig& config, const Ranks& ranks) : config_(config), ranks_(ranks) {
  student_.model = load_student(config, config.dtype, ranks.device_for(config.device));
  student_.processor = load_processor(config.student.model, config.data.special_tokens);
  forget_pictures();
}

void Pair::forget_pictures() { student_.pictures = std::make_shared<KeptPictureFeatures>(config_.vision_cache); }

Speaker& Pair::teacher() {
  if (teacher_.model) return teacher_;
  teacher_.model = load_vlm(config_.teacher.model, student_.model->dtype(), student_.model->device(),
                            config_.teacher.residency, ranks_);
  teacher_.pictures = std::make_shared<KeptPictureFeatures>(config_.vision_cache);
  return teacher_;
}

}  // namespace vlsi
