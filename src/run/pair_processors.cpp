#include "run/pair_processors.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/quoted.h"
#include "family/family.h"

namespace vlsi {
namespace {

/// The first ids, at most `count`, that the tokenizers give different texts, or only one of them any.
std::vector<int32_t> differing_ids(const Tokenizer& student, const Tokenizer& teacher, size_t count) {
  std::vector<int32_t> ids;
  const int64_t size = std::max(student.size(), teacher.size());
  for (int32_t id = 0; id < size && ids.size() < count; ++id) {
    if (student.bytes(id) != teacher.bytes(id)) ids.push_back(id);
  }
  return ids;
}

bool equal(const ProcessorFingerprint& a, const ProcessorFingerprint& b) {
  return a.tokenizer == b.tokenizer && a.chat_template == b.chat_template && a.pre_processing == b.pre_processing;
}

}  // namespace

int64_t count_shared_ids(const Tokenizer& student, const Tokenizer& teacher) {
  const auto ids = differing_ids(student, teacher, 1);
  return ids.empty() ? kAllIds : ids.front();
}

int64_t check_shared_ids(const Processor& student, const Processor& teacher) {
  const auto &own = student.tokenizer(), &theirs = teacher.tokenizer();
  const int64_t shared = count_shared_ids(own, theirs);
  const bool same_end = student.end_of_turn() == teacher.end_of_turn() && student.end_of_turn() < shared;
  if (same_end && shared >= std::max(own.num_pieces(), theirs.num_pieces())) return shared;
  const auto shown = [](const std::string& bytes) { return bytes.empty() ? "no token" : "'" + printable(bytes) + "'"; };
  std::string differences;
  for (const int32_t id : differing_ids(own, theirs, 3)) {
    differences += concat(differences.empty() ? ", first at ids " : ", ", id, " (", shown(own.bytes(id)), " against ",
                          shown(theirs.bytes(id)), ")");
  }
  fail("pairing ", own.directory().string(), " with ", theirs.directory().string(), ": their tokenizers differ",
       differences, "; a turn ends with ", student.end_of_turn(), " and ", teacher.end_of_turn(),
       "; expected the same ids up to ", std::max(own.num_pieces(), theirs.num_pieces()) - 1,
       ", which are pieces of text, and the same end of turn");
}

const Processor& PairProcessors::of(StepKind step) const {
  return step == StepKind::kVerbalizeTeacher && teacher ? *teacher : *student;
}

SampleMaker PairProcessors::both() const {
  if (teacher && teacher != student) return {*student, *teacher, shared_ids};
  return *student;
}

SampleMaker PairProcessors::maker(const RunConfig& config, StepKind step) const {
  const bool compares = !is_verbalization(step) && runs_teacher(config, step);
  return compares ? both() : of(step);
}

const std::filesystem::path& teacher_directory(const RunConfig& config) {
  const auto& teacher = config.teacher;
  if (!teacher.model.empty()) return teacher.model;
  fail(config.out.string(), ": key 'teacher.model' is missing, and a step runs the teacher",
       teacher.cache.empty() ? "" : concat("; there is no whole cache in ", teacher.cache.string()));
}

PairProcessors load_processors(const RunConfig& config, bool with_teacher) {
  PairProcessors processors;
  if (with_teacher) teacher_directory(config);
  processors.student = load_processor(config.student.model, config.data.special_tokens);
  if (!with_teacher) return processors;
  processors.teacher = load_processor(teacher_directory(config), config.data.special_tokens);
  processors.shared_ids = check_shared_ids(*processors.student, *processors.teacher);
  if (equal(processors.student->fingerprint(), processors.teacher->fingerprint()))
    processors.teacher = processors.student;
  return processors;
}

}  // namespace vlsi
