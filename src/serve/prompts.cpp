#include "serve/prompts.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "data/rotary_positions.h"
#include "serve/openai/error.h"

namespace vlsi {
namespace {

/// Nothing but its text marks the roles in a prompt: control tokens are taken as such.
Sample plain_sample(const PlainPrompt& prompt, const Tokenizer& tokenizer, const ModelConfig& config) {
  const auto* text = std::get_if<std::string>(&prompt);
  Sample sample;
  sample.id = "request";
  sample.tokens =
      text != nullptr ? tokenizer.encode(*text, SpecialText::kControl) : std::get<std::vector<int32_t>>(prompt);
  if (sample.tokens.empty()) throw RequestError(400, "the request: key 'prompt' is empty, expected text", "prompt");
  check_context(std::ssize(sample.tokens), config.text.max_position_embeddings, "prompt");
  if (std::find(sample.tokens.begin(), sample.tokens.end(), config.image_token_id) != sample.tokens.end()) {
    throw RequestError(400,
                       "the request: key 'prompt' has the token of a picture, but a prompt has no pictures: "
                       "/v1/chat/completions takes them",
                       "prompt");
  }
  RotaryPositions positions(config.text.num_axes());
  positions.add_text(static_cast<int64_t>(sample.tokens.size()));
  sample.positions = positions.axes();
  sample.next_position = positions.next();
  sample.answer_positions = {static_cast<int32_t>(sample.tokens.size()) - 1};
  return sample;
}

bool is_system(const Turn& turn) { return turn.role == Role::kSystem; }

/// The user's turns that a shorter conversation may begin with: all but the first of those that are not the system's.
std::vector<size_t> later_beginnings(const std::vector<Turn>& turns) {
  std::vector<size_t> places;
  auto turn = std::find_if_not(turns.begin(), turns.end(), is_system);
  for (bool is_first = true; turn != turns.end(); ++turn, is_first = false) {
    if (!is_first && turn->role == Role::kUser) places.push_back(static_cast<size_t>(turn - turns.begin()));
  }
  return places;
}

/// Without the turns before `begin`, but for the system's.
Conversation from_turn(const Conversation& conversation, size_t begin) {
  Conversation rest = conversation;
  const auto end = rest.turns.begin() + static_cast<std::ptrdiff_t>(begin);
  rest.turns.erase(std::remove_if(rest.turns.begin(), end, std::not_fn(is_system)), end);
  return rest;
}

size_t num_pictures_from(const std::vector<Turn>& turns, size_t begin) {
  size_t count = 0;
  for (size_t i = begin; i < turns.size(); ++i) {
    for (const auto& content : turns[i].contents) count += content.kind == Content::Kind::kImage;
  }
  return count;
}

/// The conversation without as few of its oldest turns as leave at most `room` tokens; its end where none do.
Conversation in_room(const Conversation& conversation, const Processor& processor, int64_t room,
                     const std::function<void()>& check) {
  const auto beginnings = later_beginnings(conversation.turns);
  if (beginnings.empty()) return conversation;
  const auto is_too_long = [&](size_t begin) {
    check();
    return std::ssize(processor.outline_prompt(from_turn(conversation, begin)).tokens) > room;
  };
  // Fewer turns have fewer tokens, so that half of the places are ruled out at a time; but a picture that is the only
  // one left may be cut into more views than it had beside others.
  const auto alone = std::partition_point(beginnings.begin(), beginnings.end(), [&](size_t begin) {
    return num_pictures_from(conversation.turns, begin) > 1;
  });
  auto found = std::partition_point(beginnings.begin(), alone, is_too_long);
  if (found == alone) found = std::partition_point(alone, beginnings.end(), is_too_long);
  return from_turn(conversation, found == beginnings.end() ? beginnings.back() : *found);
}

Sample conversation_sample(const AnswerRequest& request, const Processor& processor, int64_t context,
                           const std::function<void()>& check) {
  std::optional<Conversation> shorter;
  auto sample = processor.outline_prompt(request.conversation);
  const int64_t room = context - std::min(request.decoding.max_new_tokens, context / 4);
  if (request.truncates_prompt && std::ssize(sample.tokens) > room) {
    shorter = in_room(request.conversation, processor, room, check);
    sample = processor.outline_prompt(*shorter);
  }
  check_context(std::ssize(sample.tokens), context, "messages");
  check();
  processor.fill(shorter ? *shorter : request.conversation, sample);
  return sample;
}

}  // namespace

std::vector<Sample> prompts_of(const AnswerRequest& request, const Processor& processor, const ModelConfig& config,
                               const std::function<void()>& check) {
  const int64_t context = config.text.max_position_embeddings;
  const std::string param = request.is_chat ? "messages" : "prompt";
  std::vector<Sample> samples;
  try {
    if (request.is_chat) {
      samples.push_back(conversation_sample(request, processor, context, check));
    } else {
      for (const auto& prompt : request.prompts) {
        samples.push_back(plain_sample(prompt, processor.tokenizer(), config));
        check();
      }
    }
  } catch (const RequestError&) {
    throw;
  } catch (const Error& error) {
    throw RequestError(400, error.what(), param);
  }
  return samples;
}

}  // namespace vlsi
