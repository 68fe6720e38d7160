// The messages of a chat request as a conversation.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "base/json.h"
#include "data/conversation.h"

namespace vlsi {

/// What a request may show.
struct MessageRules {
  std::filesystem::path media = {};                              // file:// below it is read; empty: nowhere
  std::function<void(const std::string& key)> ignore = nullptr;  // is given the keys that have no effect
};

/// `messages`: objects {role: system|developer|user|assistant, content: text or parts}; parts are {type: text, text}
/// and, of the user's turns, {type: image_url, image_url: {url} or url}, with PictureLimits beside the type; of the
/// assistant's, {type: refusal, refusal}, and in the place of no content the message's own `refusal`, texts both. Their
/// order is kept. A URL is a data URL or file://, whose file, after all links, lies below `media`. Texts are texts,
/// whatever they look like. RequestError 400 naming the key for everything else, and where the last message is not the
/// user's.
Conversation read_messages(const Json& messages, const MessageRules& rules);

}  // namespace vlsi
