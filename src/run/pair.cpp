#include "run/pair.h"

#include <algorithm>

#include "base/error.h"
#include "checkpoint/load.h"
#include "family/family.h"
#include "run/data.h"

namespace vlsi {

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

}  // namespace vlsi
