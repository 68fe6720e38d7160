#include "data/sample_pair.h"

#include <algorithm>

#include "base/error.h"
#include "base/quoted.h"

namespace vlsi {
namespace {

/// The label's token in quotes, or what stands for none.
std::string label_text(const Sample& sample, size_t index, const Processor& processor) {
  if (index >= sample.labels.size()) return "nothing";
  const int32_t id = sample.labels[index];
  return concat("'", printable(processor.tokenizer().bytes(id)), "' (", id, ")");
}

}  // namespace

SamplePair SampleMaker::encode(const Conversation& conversation, int64_t sample_tokens, int64_t batch_tokens) const {
  auto pair = outline(conversation, sample_tokens, batch_tokens);
  fill(conversation, pair);
  return pair;
}

SamplePair SampleMaker::outline(const Conversation& conversation, int64_t sample_tokens, int64_t batch_tokens) const {
  SamplePair pair;
  pair.own = own_->outline(conversation);
  check_length(pair.own, sample_tokens, batch_tokens);
  if (teacher_ == nullptr) return pair;
  try {
    pair.teachers = teacher_->outline(conversation);
    check_length(*pair.teachers, sample_tokens, batch_tokens);
  } catch (const Error& error) {
    fail("for the teacher: ", error.what());
  }
  check_same_answers(pair.own, *pair.teachers);
  return pair;
}

void SampleMaker::fill(const Conversation& conversation, SamplePair& outlines) const {
  own_->fill(conversation, outlines.own);
  if (!outlines.teachers) return;
  try {
    teacher_->fill(conversation, *outlines.teachers);
  } catch (const Error& error) {
    fail("for the teacher: ", error.what());
  }
}

void SampleMaker::check_same_answers(const Sample& student, const Sample& teacher) const {
  const auto &own = student.labels, &theirs = teacher.labels;
  const auto is_foreign = [&](int32_t id) { return id >= shared_ids_; };
  const size_t differs = std::mismatch(own.begin(), own.end(), theirs.begin(), theirs.end()).first - own.begin(),
               foreign = std::find_if(own.begin(), own.end(), is_foreign) - own.begin();
  if (own == theirs && foreign == own.size()) return;
  const size_t place = std::min(differs, foreign);
  fail("the answers are ", own.size(), " tokens to the student and ", theirs.size(),
       " to the teacher; the first that differ, number ", place + 1, ", are ", label_text(student, place, *own_),
       " and ", label_text(teacher, place, *teacher_), "; expected the same tokens for both");
}

}  // namespace vlsi
