#include "data/conversation.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "base/quoted.h"

namespace vlsi {
namespace {

constexpr std::string_view kMarker = "<image>";

/// Text from a record inside a message: one line, at most 60 bytes, whole code points.
std::string excerpt(std::string_view text) {
  size_t length = std::min<size_t>(text.size(), 60);
  while (length > 0 && length < text.size() && (text[length] & 0xC0) == 0x80) --length;
  return concat('\'', printable(text.substr(0, length)), length < text.size() ? "...'" : "'");
}

/// The names that a format gives to the parts of a turn.
struct Format {
  const char* turns;
  const char* role;
  const char* content;
  bool share_gpt;
};

constexpr Format kShareGpt{"conversations", "from", "value", true};
constexpr Format kMessages{"messages", "role", "content", false};

bool has(const Json& object, const char* key) {
  const auto entry = object.find(key);
  return entry != object.end() && !entry->is_null();
}

Role read_role(const Json& turn, const Format& format, const std::string& place) {
  const auto name = require<std::string>(turn, format.role, place);
  if (name == "user" || (format.share_gpt && name == "human")) return Role::kUser;
  if (name == "assistant" || (format.share_gpt && name == "gpt")) return Role::kAssistant;
  if (name == "system") return Role::kSystem;
  fail(place, ".", format.role, ": role ", excerpt(name), " is unknown, expected ",
       format.share_gpt ? "human, user, gpt, assistant or system" : "user, assistant or system");
}

/// The record's `id` or `idx`; files number their records as often as they name them.
std::string read_id(const Json& record, const std::string& place, const std::string& default_id) {
  for (const char* key : {"id", "idx"}) {
    if (!has(record, key)) continue;
    const Json& id = record[key];
    if (id.is_string()) return id.get<std::string>();
    if (id.is_number()) return id.dump();
    fail(place, ", ", key, ": is ", describe(id), ", expected a string or a number");
  }
  return default_id;
}

/// Fills the turns of one record and hands its pictures to the places that ask for them.
class Reader {
 public:
  Reader(const Json& record, const std::filesystem::path& images, const std::string& place)
      : record_(record), images_(images), place_(place) {
    read_pictures();
  }

  std::vector<Turn> turns() {
    const Format& format = this->format();
    const Json& list = record_[format.turns];
    if (!list.is_array()) fail(place_, ", ", format.turns, ": is ", describe(list), ", expected an array of turns");
    std::vector<Turn> turns;
    bool dropped = false;
    for (size_t i = 0; i < list.size(); ++i) {
      const auto place = concat(place_, ", ", format.turns, "[", i, "]");
      if (!list[i].is_object()) fail(place, ": is ", describe(list[i]), ", expected an object");
      const Role role = read_role(list[i], format, place);
      const bool first = turns.empty() || turns.back().role == Role::kSystem;
      if (role == Role::kAssistant && first && !dropped) {
        dropped = true;  // some files open with a greeting that answers nothing
        continue;
      }
      check_order(role, turns, i, concat(place, ".", format.role));
      turns.push_back({role, contents(list[i], role, format, place)});
    }
    place_pictures(turns, concat(place_, ", ", format.turns));
    return turns;
  }

 private:
  const Format& format() const {
    const bool share_gpt = has(record_, kShareGpt.turns), messages = has(record_, kMessages.turns);
    if (share_gpt && messages) fail(place_, ": has both 'conversations' and 'messages', expected one of them");
    if (!share_gpt && !messages) fail(place_, ": key 'conversations' or 'messages' is missing");
    return share_gpt ? kShareGpt : kMessages;
  }

  static void check_order(Role role, const std::vector<Turn>& turns, size_t index, const std::string& place) {
    if (role == Role::kSystem) {
      if (index > 0) fail(place, ": a system turn after other turns, expected it first");
      return;
    }
    const bool first = turns.empty() || turns.back().role == Role::kSystem;
    if (role == Role::kAssistant && first) fail(place, ": an assistant turn without a question, expected a user turn");
    if (!first && turns.back().role == role) {
      fail(place, role == Role::kUser ? ": a user turn follows a user turn, expected an assistant turn"
                                      : ": an assistant turn follows an assistant turn, expected a user turn");
    }
  }

  std::filesystem::path path_of(const std::string& text, const std::string& place) const {
    if (text.empty()) fail(place, ": is empty, expected the path of a picture");
    if (text.find("://") != std::string::npos || text.starts_with("data:")) {
      fail(place, ": is the URL ", excerpt(text), ", expected the path of a picture file");
    }
    // The system would read the name up to the NUL only: another file.
    if (text.find('\0') != std::string::npos) fail(place, ": path ", excerpt(text), " holds a NUL character");
    return images_ / text;
  }

  void read_pictures() {
    for (const char* key : {"video", "videos"}) {
      if (has(record_, key) && !record_[key].empty())
        fail(place_, ", ", key, ": is ", describe(record_[key]), ", expected none: videos are not read");
    }
    for (const char* key : {"image", "images"}) {
      if (!has(record_, key)) continue;
      const Json& value = record_[key];
      const auto place = concat(place_, ", ", key);
      const size_t before = pictures_.size();
      if (value.is_string()) {
        pictures_.push_back(path_of(value.get_ref<const std::string&>(), place));
      } else if (value.is_array()) {
        for (size_t i = 0; i < value.size(); ++i) {
          const auto item = concat(place, "[", i, "]");
          if (!value[i].is_string()) fail(item, ": is ", describe(value[i]), ", expected the path of a picture");
          pictures_.push_back(path_of(value[i].get_ref<const std::string&>(), item));
        }
      } else {
        fail(place, ": is ", describe(value), ", expected a path, a list of paths or null");
      }
      if (before > 0 && pictures_.size() > before)
        fail(place_, ": has both 'image' and 'images', expected one of them");
    }
  }

  std::vector<Content> contents(const Json& turn, Role role, const Format& format, const std::string& place) {
    std::vector<Content> result;
    const auto key = concat(place, ".", format.content);
    if (has(turn, format.content) && !format.share_gpt && turn[format.content].is_array()) {
      const Json& list = turn[format.content];
      for (size_t i = 0; i < list.size(); ++i) add_part(list[i], role, concat(key, "[", i, "]"), result);
    } else if (has(turn, format.content) && !turn[format.content].is_string()) {
      fail(key, ": is ", describe(turn[format.content]),
           format.share_gpt ? ", expected a string" : ", expected a string or a list of parts");
    } else {
      add_text(require<std::string>(turn, format.content, place), role, result);
    }
    return result;
  }

  void add_part(const Json& part, Role role, const std::string& place, std::vector<Content>& result) {
    if (!part.is_object()) fail(place, ": is ", describe(part), ", expected an object");
    const auto type = require<std::string>(part, "type", place);
    if (type == "text") return add_text(require<std::string>(part, "text", place), role, result);
    if (type != "image" && type != "image_url") {
      fail(place, ".type: ", excerpt(type), " is unknown, expected text, image or image_url");
    }
    if (role != Role::kUser)
      fail(place, ": a picture in a turn that is not the user's, expected pictures in user turns");
    if (type == "image_url") {
      if (!has(part, "image_url")) fail(place, ": key 'image_url' is missing");
      const auto url = require<std::string>(part["image_url"], "url", place + ".image_url");
      result.push_back({Content::Kind::kImage, {}, path_of(url, place + ".image_url.url")});
      num_named_ += 1;
    } else if (const auto path = find<std::string>(part, "image", place)) {
      result.push_back({Content::Kind::kImage, {}, path_of(*path, place + ".image")});
      num_named_ += 1;
    } else {
      add_picture(result);
    }
  }

  void add_text(std::string_view text, Role role, std::vector<Content>& result) {
    const auto add = [&](std::string_view piece) {
      if (!piece.empty()) result.push_back({Content::Kind::kText, std::string(piece), {}});
    };
    while (role == Role::kUser) {
      const size_t marker = text.find(kMarker);
      if (marker == std::string_view::npos) break;
      auto before = text.substr(0, marker);
      text.remove_prefix(marker + kMarker.size());
      if (text.starts_with('\n')) {
        text.remove_prefix(1);
      } else if (before.ends_with('\n')) {
        before.remove_suffix(1);
      }
      add(before);
      add_picture(result);
    }
    add(text);
  }

  /// The next picture; one too many gets an empty path until the counts are compared.
  void add_picture(std::vector<Content>& result) {
    result.push_back({Content::Kind::kImage, {}, num_placed_ < pictures_.size() ? pictures_[num_placed_] : ""});
    num_placed_ += 1;
  }

  void place_pictures(std::vector<Turn>& turns, const std::string& place) const {
    const auto first =
        std::find_if(turns.begin(), turns.end(), [](const Turn& turn) { return turn.role == Role::kUser; });
    if (first == turns.end()) fail(place, ": has no user turn, expected at least one");
    if (num_placed_ == 0 && num_named_ == 0) {
      std::vector<Content> pictures;
      for (const auto& path : pictures_) pictures.push_back({Content::Kind::kImage, {}, path});
      first->contents.insert(first->contents.begin(), pictures.begin(), pictures.end());
    } else if (num_placed_ != pictures_.size()) {
      fail(place, ": ", num_placed_, " places for pictures (<image>) in the user turns, but the record has ",
           pictures_.size(), " pictures, expected as many");
    }
  }

  const Json& record_;
  const std::filesystem::path& images_;
  const std::string& place_;
  std::vector<std::filesystem::path> pictures_;
  size_t num_placed_ = 0, num_named_ = 0;
};

bool has_answer(const std::vector<Turn>& turns) {
  for (const auto& turn : turns) {
    if (turn.role != Role::kAssistant) continue;
    for (const auto& content : turn.contents) {
      if (content.text.find_first_not_of(" \t\r\n") != std::string::npos) return true;
    }
  }
  return false;
}

}  // namespace

std::string text_of(const Turn& turn) {
  std::string text;
  for (const auto& content : turn.contents) text += content.text;
  return text;
}

Conversation parse_conversation(const Json& record, const std::filesystem::path& images, const std::string& place,
                                const std::string& default_id, bool answers_required) {
  if (!record.is_object()) fail(place, ": is ", describe(record), ", expected an object");
  Conversation conversation;
  conversation.images = images.empty() ? "." : images;
  conversation.id = read_id(record, place, default_id);
  conversation.category = find<std::string>(record, "category", place).value_or("");
  conversation.turns = Reader(record, images, place).turns();
  if (answers_required && !has_answer(conversation.turns)) {
    fail(place, ": has no answer, expected an assistant turn that is not empty");
  }
  return conversation;
}

}  // namespace vlsi
