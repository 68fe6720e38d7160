#include "run/pair.h"

#include "base/contains.h"
#include "base/error.h"
#include "checkpoint/finite_weights.h"
#include "checkpoint/load.h"
#include "checkpoint/picture_features.h"
#include "run/student.h"

namespace vlsi {

void check_layers(const std::vector<int64_t>& layers, const ModelConfig& model, const char* key,
                  const std::string& place) {
  const int64_t num_layers = model.text.num_hidden_layers;
  if (!layers.empty() && layers.back() > num_layers) {
    fail(place, ": key '", key, "' names layer ", layers.back(), ", the model has ", num_layers);
  }
}

void check_head_stays(const InteractConfig& config, const ModelConfig& student, const std::string& place,
                      bool cached_teacher) {
  if (!logits_are_compared(config) && !cached_teacher) return;
  const bool tied = student.text.tie_word_embeddings;
  const std::string changes_head = tied ? "embeddings" : "head";
  if (!contains(config.train, changes_head)) return;
  fail(place, ": key 'interact.train' names '", changes_head, "'", tied ? ", which is the language head too" : "",
       ", but ", cached_teacher ? "a teacher cache is for one head and" : "the loss l2 through the heads",
       " needs a head that stays as it is; train other parts, or ",
       cached_teacher ? "run the teacher itself" : "take kl");
}

Pair::Pair(const RunConfig& config, const Ranks& ranks, bool with_teacher)
    : config_(config), ranks_(ranks), processors_(load_processors(config, with_teacher)) {
  student_.model = load_student(config, config.dtype, ranks.device_for(config.device));
  check_finite_weights(*student_.model, "loading the student in " + config.student.model.string());
  student_.processor = processors_.student;
  forget_pictures();
}

void Pair::forget_pictures() { student_.pictures = std::make_shared<KeptPictureFeatures>(config_.vision_cache); }

Speaker& Pair::teacher() {
  if (teacher_.model) return teacher_;
  teacher_.model = load_vlm(config_.teacher.model, student_.model->dtype(), student_.model->device(),
                            config_.teacher.residency, ranks_);
  if (residency_among(ranks_.size(), config_.teacher.residency) == Residency::kResident)
    check_finite_weights(*teacher_.model, "loading the teacher in " + config_.teacher.model.string());
  if (config_.teacher.quantize != Quantization::kNone) {
    backbone_of(teacher_);  // its verbalizers know it by its weights as they are in the files
    quantize(*teacher_.model, config_.teacher.quantize, config_.out);
  }
  teacher_.processor = processors_.teacher;
  teacher_.pictures = std::make_shared<KeptPictureFeatures>(config_.vision_cache);
  return teacher_;
}

}  // namespace vlsi
