#include "cli/chat_session.h"

#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "data/read_picture.h"

namespace vlsi {
namespace {

Content text_of_chat(const std::string& text) { return {Content::Kind::kText, text, {}}; }

/// The turn as a message, in which a text's marker for pictures is text.
OrderedJson message_of(const Turn& turn) {
  auto parts = OrderedJson::array();
  for (const auto& content : turn.contents) {
    if (content.kind == Content::Kind::kImage) {
      parts.push_back({{"type", "image"}, {"image", content.image.string()}});
      continue;
    }
    OrderedJson part{{"type", "text"}, {"text", content.text}};
    if (content.text.find("<image>") != content.text.npos) part["markers"] = false;
    parts.push_back(std::move(part));
  }
  const char* const role = turn.role == Role::kUser ? "user" : turn.role == Role::kAssistant ? "assistant" : "system";
  return {{"role", role}, {"content", std::move(parts)}};
}

}  // namespace

void ChatSession::add_picture(const std::filesystem::path& path) {
  Content picture{Content::Kind::kImage, {}, std::filesystem::absolute(path)};
  read_picture(picture, {});
  pictures_.push_back(std::move(picture));
}

void ChatSession::set_system(const std::string& text) { system_ = text; }

void ChatSession::reset() {
  turns_.clear();
  pictures_.clear();
}

Reply ChatSession::ask(const std::string& question, const std::function<bool(std::string_view)>& on_text) {
  Conversation conversation{"chat", "", {}};
  if (!system_.empty()) conversation.turns.push_back({Role::kSystem, {text_of_chat(system_)}});
  conversation.turns.insert(conversation.turns.end(), turns_.begin(), turns_.end());
  // Pictures that cannot be read must not stand in front of the next question, too.
  Turn turn{Role::kUser, std::exchange(pictures_, {})};
  turn.contents.push_back(text_of_chat(question));
  conversation.turns.push_back(turn);
  auto reply = generate(engine_, speaker_.processor->encode_prompt(conversation), decoding_, on_text);
  decoding_.seed += 1;  // the same question again may have another answer
  if (reply.finish == Finish::kCancelled && reply.text.empty()) return reply;
  turns_.push_back(std::move(turn));
  turns_.push_back({Role::kAssistant, {text_of_chat(reply.text)}});
  return reply;
}

void ChatSession::save(const std::filesystem::path& path) const {
  const std::string action = "saving the conversation to " + path.string();
  if (turns_.empty()) fail(action, ": it has no answer yet");
  if (std::filesystem::exists(path)) fail(action, ": the file is there already");
  auto messages = OrderedJson::array();
  if (!system_.empty()) messages.push_back(message_of({Role::kSystem, {text_of_chat(system_)}}));
  for (const auto& turn : turns_) messages.push_back(message_of(turn));
  write_json(path, OrderedJson::array({OrderedJson{{"id", "chat"}, {"messages", std::move(messages)}}}));
}

}  // namespace vlsi
