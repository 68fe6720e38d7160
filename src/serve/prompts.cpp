#include "serve/prompts.h"

#include <algorithm>

#include "data/rotary_positions.h"
#include "serve/openai/error.h"

namespace vlsi {
namespace {

Sample plain_sample(const PlainPrompt& prompt, const Tokenizer& tokenizer, int64_t num_axes) {
  const auto* text = std::get_if<std::string>(&prompt);
  Sample sample;
  sample.id = "request";
  sample.tokens =
      text != nullptr ? tokenizer.encode(*text, SpecialText::kPlain) : std::get<std::vector<int32_t>>(prompt);
  if (sample.tokens.empty()) throw RequestError(400, "the request: key 'prompt' is empty, expected text", "prompt");
  RotaryPositions positions(num_axes);
  positions.add_text(static_cast<int64_t>(sample.tokens.size()));
  sample.positions = positions.axes();
  sample.next_position = positions.next();
  sample.answer_positions = {static_cast<int32_t>(sample.tokens.size()) - 1};
  return sample;
}

/// Takes away the oldest turns up to the second turn of the user's. False when there is none.
bool drop_oldest_turns(Conversation& conversation) {
  auto& turns = conversation.turns;
  const auto is_system = [](const Turn& turn) { return turn.role == Role::kSystem; };
  const auto is_user = [](const Turn& turn) { return turn.role == Role::kUser; };
  const auto oldest = std::find_if_not(turns.begin(), turns.end(), is_system);
  if (oldest == turns.end() || oldest + 1 == turns.end()) return false;
  const auto next = std::find_if(oldest + 1, turns.end(), is_user);
  if (next == turns.end()) return false;
  turns.erase(std::remove_if(oldest, next, [&](const Turn& turn) { return !is_system(turn); }), next);
  return true;
}

Sample conversation_sample(const AnswerRequest& request, const Processor& processor, int64_t context) {
  auto conversation = request.conversation;
  auto sample = processor.encode_prompt(conversation);
  const int64_t room = context - std::min(request.decoding.max_new_tokens, context / 4);
  while (request.truncates_prompt && std::ssize(sample.tokens) > room && drop_oldest_turns(conversation))
    sample = processor.encode_prompt(conversation);
  return sample;
}

void check_context(const Sample& sample, int64_t context, const std::string& param) {
  if (std::ssize(sample.tokens) < context) return;
  throw RequestError(
      400,
      concat("the prompt has ", sample.tokens.size(), " tokens, expected fewer than the model's context of ", context,
             "; with \"truncate_prompt\": true a conversation loses its oldest turns"),
      param, "context_length_exceeded");
}

}  // namespace

std::vector<Sample> prompts_of(const AnswerRequest& request, const Processor& processor, const TextConfig& config) {
  const std::string param = request.is_chat ? "messages" : "prompt";
  std::vector<Sample> samples;
  try {
    if (request.is_chat) {
      samples.push_back(conversation_sample(request, processor, config.max_position_embeddings));
    } else {
      for (const auto& prompt : request.prompts)
        samples.push_back(plain_sample(prompt, processor.tokenizer(), config.num_axes()));
    }
  } catch (const RequestError&) {
    throw;
  } catch (const Error& error) {
    throw RequestError(400, error.what(), param);
  }
  for (const auto& sample : samples) check_context(sample, config.max_position_embeddings, param);
  return samples;
}

}  // namespace vlsi
