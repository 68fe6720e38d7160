// From a conversation to a sample: the only code of the input side that knows a model family.
#pragma once

#include <cstdint>
#include <string>

#include "data/conversation.h"
#include "data/sample.h"
#include "text/tokenizer.h"

namespace vlsi {

/// What decides how a conversation becomes a sample: two processors with equal ones make the same of it.
struct ProcessorFingerprint {
  std::string tokenizer;       // of the tokenizer's files
  std::string chat_template;   // of what a conversation is rendered to
  std::string pre_processing;  // of pictures, in words
};

/// A family's tokenizer, chat template and image pre-processing. Immutable; used from several threads at once.
class Processor {
 public:
  virtual ~Processor() = default;

  /// The whole conversation; answer positions are those whose next token is content or end-of-turn of an assistant
  /// turn.
  virtual Sample encode(const Conversation& conversation) const = 0;

  /// The same without the rows of the pictures' patches: of pictures only the headers are read. Errors are those of
  /// encode that these show.
  virtual Sample outline(const Conversation& conversation) const { return encode(conversation); }
  /// Reads the rows that an outline of the conversation, or of its prompt, lacks, which becomes what encode or
  /// encode_prompt gives. Error for a picture that cannot be read, or has not the size that its headers say.
  virtual void fill(const Conversation& /*conversation*/, Sample& /*outline*/) const {}

  /// The conversation up to its last user turn, followed by the generation prompt. `answer_positions` is the last token
  /// alone; there are no labels.
  virtual Sample encode_prompt(const Conversation& conversation) const = 0;
  /// The same without the rows of the pictures' patches, as `outline` does it.
  virtual Sample outline_prompt(const Conversation& conversation) const { return encode_prompt(conversation); }

  virtual const Tokenizer& tokenizer() const = 0;
  /// The token that ends an answer.
  virtual int32_t end_of_turn() const = 0;

  virtual ProcessorFingerprint fingerprint() const = 0;
};

}  // namespace vlsi
