#include "serve/openai/messages.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>

#include "data/picture_source.h"
#include "serve/openai/error.h"

namespace vlsi {
namespace {

constexpr size_t kMaxMessages = 4096, kMaxPictures = 256;

[[noreturn]] void refuse(const std::string& key, const std::string& found) {
  throw RequestError(400, key + ": " + found, key);
}

/// find and require of base/json.h for a request.
template <class T>
std::optional<T> read(const Json& object, const char* key, const std::string& place) {
  try {
    return find<T>(object, key, place);
  } catch (const Error& error) {
    throw RequestError(400, error.what(), concat(place, ".", key));
  }
}

template <class T>
T read_required(const Json& object, const char* key, const std::string& place) {
  auto value = read<T>(object, key, place);
  if (!value) throw RequestError(400, concat(place, ": key '", key, "' is missing"), concat(place, ".", key));
  return *std::move(value);
}

Role role_of(const std::string& name, const std::string& key) {
  if (name == "user") return Role::kUser;
  if (name == "assistant") return Role::kAssistant;
  if (name == "system" || name == "developer") return Role::kSystem;
  refuse(key, concat("is ", excerpt(name), ", expected system, developer, user or assistant"));
}

class MessageReader {
 public:
  explicit MessageReader(const MessageRules& rules) : rules_(rules) {}

  Turn turn(const Json& message, const std::string& place) {
    if (!message.is_object()) refuse(place, concat("is ", describe(message), ", expected an object"));
    Turn turn{role_of(read_required<std::string>(message, "role", place), place + ".role"), {}};
    const auto has = [&](const char* key) { return message.contains(key) && !message[key].is_null(); };
    const bool is_refusal = turn.role == Role::kAssistant && !has("content") && has("refusal");
    const std::string source = is_refusal ? "refusal" : "content";
    for (const auto& [key, value] : message.items()) {
      if (key == "role" || key == source || value.is_null()) continue;
      if (key == "tool_calls" || key == "function_call" || key == "audio")
        refuse(concat(place, ".", key), "is not supported, expected text and pictures alone");
      ignore(key);
    }
    const auto content = message.find(source);
    const auto key = concat(place, ".", source);
    if (content == message.end() || content->is_null()) refuse(key, "is missing");
    if (content->is_string()) {
      turn.contents.push_back({Content::Kind::kText, content->get<std::string>(), {}});
    } else if (content->is_array()) {
      for (size_t i = 0; i < content->size(); ++i)
        turn.contents.push_back(part((*content)[i], turn.role, concat(key, "[", i, "]")));
    } else {
      refuse(key, concat("is ", describe(*content), ", expected a string or an array of parts"));
    }
    return turn;
  }

 private:
  void ignore(const std::string& key) const {
    if (rules_.ignore) rules_.ignore(key);
  }

  Content part(const Json& part, Role role, const std::string& place) {
    if (!part.is_object()) refuse(place, concat("is ", describe(part), ", expected an object"));
    const auto type = read_required<std::string>(part, "type", place);
    if (type == "text" || (type == "refusal" && role == Role::kAssistant))
      return {Content::Kind::kText, read_required<std::string>(part, type.c_str(), place), {}};
    if (type != "image_url") refuse(place + ".type", concat("is ", excerpt(type), ", expected text or image_url"));
    if (role != Role::kUser) refuse(place, "is a picture in a message that is not the user's");
    if (++num_pictures_ > kMaxPictures) refuse(place, concat("has more than ", kMaxPictures, " pictures before it"));
    auto content = picture(part, place);
    try {
      content.limits = read_limits(part, place);
    } catch (const Error& error) {
      throw RequestError(400, error.what(), place);
    }
    return content;
  }

  Content picture(const Json& part, const std::string& place) const {
    const auto key = place + ".image_url";
    const auto named = part.find("image_url");
    if (named == part.end() || named->is_null()) refuse(key, "is missing");
    if (named->is_string()) return picture_of_url(named->get_ref<const std::string&>(), key);
    if (!named->is_object()) refuse(key, concat("is ", describe(*named), ", expected an object with a url"));
    for (const auto& [other, value] : named->items()) {
      if (other != "url" && !value.is_null()) ignore("image_url." + other);
    }
    return picture_of_url(read_required<std::string>(*named, "url", key), key + ".url");
  }

  Content picture_of_url(const std::string& url, const std::string& key) const {
    const auto colon = url.substr(0, 16).find(':');
    std::string scheme = url.substr(0, colon == url.npos ? 0 : colon);
    for (char& c : scheme) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (scheme == "http" || scheme == "https")
      refuse(key, concat("is ", excerpt(url), ", expected a data URL: pictures are not fetched"));
    if (scheme != "data" && scheme != "file")
      refuse(key, concat("is ", excerpt(url), ", expected data:image/...;base64, and the picture's bytes in base64"));
    try {
      auto content = picture_content(url, {}, key);
      return scheme == "data" ? content : from_media(content.image, key);
    } catch (const RequestError&) {
      throw;
    } catch (const Error& error) {
      throw RequestError(400, error.what(), key);
    }
  }

  /// The file with its bytes, if it lies below the folder for pictures. The same is said of files elsewhere and of
  /// files that are not there: who asks learns nothing of them.
  Content from_media(const std::filesystem::path& path, const std::string& key) const {
    namespace fs = std::filesystem;
    if (rules_.media.empty()) refuse(key, "is a file, expected a data URL: the server was given no folder of pictures");
    std::error_code unknown;
    const auto folder = fs::canonical(rules_.media, unknown);
    const auto file = unknown ? fs::path() : fs::canonical(path, unknown);
    const auto [end, ignored] = std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
    if (unknown || end != folder.end() || !fs::is_regular_file(file, unknown) || unknown)
      refuse(key, concat("names no picture in the server's folder: ", excerpt(path.string())));
    std::ifstream stream(file, std::ios::binary);
    Content content{Content::Kind::kImage, {}, file.filename()};
    content.picture_file.assign(std::istreambuf_iterator<char>(stream), {});
    if (content.picture_file.empty()) refuse(key, concat("names an empty file: ", excerpt(path.string())));
    return content;
  }

  const MessageRules& rules_;
  size_t num_pictures_ = 0;
};

}  // namespace

Conversation read_messages(const Json& messages, const MessageRules& rules) {
  const std::string place = "messages";
  if (!messages.is_array() || messages.empty())
    refuse(place, concat("is ", messages.is_array() ? "empty" : describe(messages), ", expected an array of messages"));
  if (messages.size() > kMaxMessages)
    refuse(place, concat("has ", messages.size(), " messages, expected at most ", kMaxMessages));
  Conversation conversation{"request", "", {}};
  MessageReader reader(rules);
  for (size_t i = 0; i < messages.size(); ++i)
    conversation.turns.push_back(reader.turn(messages[i], concat(place, "[", i, "]")));
  if (conversation.turns.back().role != Role::kUser)
    refuse(concat(place, "[", messages.size() - 1, "].role"), "is not user, expected the user's message at the end");
  return conversation;
}

}  // namespace vlsi
