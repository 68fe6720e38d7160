// The bodies of /v1/chat/completions and /v1/completions.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "data/conversation.h"
#include "generate/decoding.h"
#include "text/tokenizer.h"

namespace vlsi {

/// What requests are read by.
struct RequestRules {
  std::string model;                                             // the name that they must ask for
  Decoding defaults;                                             // for what they do not say
  int64_t vocab_size = 0;                                        // rows of the language head
  const Tokenizer* tokenizer = nullptr;                          // the model's; must be there
  std::filesystem::path media = {};                              // MessageRules
  std::function<void(const std::string& key)> ignore = nullptr;  // is given the keys that have no effect
  int64_t context = std::numeric_limits<int64_t>::max();         // of the model; a prompt's tokens are fewer
};

/// Of /v1/completions: text, or its tokens.
using PlainPrompt = std::variant<std::string, std::vector<int32_t>>;

struct AnswerRequest {
  bool is_chat = false;
  Conversation conversation;         // of a chat
  std::vector<PlainPrompt> prompts;  // of a completion; at least one
  Decoding decoding;                 // of one answer; num_answers differ by their seeds
  int64_t num_answers = 1;           // to each prompt
  bool is_stream = false, wants_usage = false;
  bool truncates_prompt = false;  // a conversation that is too long loses its oldest turns
};

/// RequestError: 400 naming the key for what is no JSON, of a wrong type, out of range, or not supported and would
/// change the answer; 404 for another model. Keys that are unknown, or have no effect, are ignored. Whole numbers may
/// be written as 5.0.
AnswerRequest read_chat_request(std::string_view body, const RequestRules& rules);
AnswerRequest read_completion_request(std::string_view body, const RequestRules& rules);

/// Answers that one request may ask for.
inline constexpr int64_t kMaxAnswers = 8;

}  // namespace vlsi
