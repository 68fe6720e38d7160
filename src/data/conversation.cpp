#include "data/conversation.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "data/picture_source.h"
#include "data/table_record.h"

namespace vlsi {
namespace {

constexpr std::string_view kMarker = "<image>", kOtherMarker = "<|image|>";
constexpr double kLeastWeight = 1e-6, kLargestWeight = 1e6;  // so that sums of them stay numbers

/// The names that a format gives to the parts of a turn.
struct Format {
  const char* turns;
  const char* role;
  const char* content;
  bool share_gpt;
};

constexpr Format kShareGpt{"conversations", "from", "value", true};
constexpr Format kMessages{"messages", "role", "content", false};
constexpr const char *kPairs = "texts", *kPairAnswer = "assistant";
constexpr const char *kInstruction = "instruction", *kOutput = "output", *kHistory = "history";

/// Whether a text anywhere in the value has `part`.
bool has_text(const Json& value, std::string_view part) {
  if (value.is_string()) return value.get_ref<const std::string&>().find(part) != std::string::npos;
  return value.is_structured() &&
         std::any_of(value.begin(), value.end(), [&](const Json& one) { return has_text(one, part); });
}

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

/// What the keys of a turn make of its weight: a product, so that each of them can exclude the turn. Null is no value.
double read_weight(const Json& turn, Role role, const std::string& place) {
  double weight = 1;
  for (const char* key : {"loss", "loss_scale", "weight", "train"}) {
    if (!has(turn, key)) continue;
    const Json& value = turn[key];
    if (!value.is_boolean() && !value.is_number())
      fail(place, ".", key, ": is ", describe(value), ", expected true, false or a number");
    const double own = value.is_boolean() ? (value.get<bool>() ? 1 : 0) : value.get<double>();
    if (own != 0 && !(own >= kLeastWeight && own <= kLargestWeight)) {
      fail(place, ".", key, ": is ", value.dump(), ", expected 0 or a number from ", kLeastWeight, " to ",
           kLargestWeight);
    }
    if (own != 0 && role != Role::kAssistant)
      fail(place, ".", key, ": is ", value.dump(), " in a turn that is not the assistant's, expected false, 0 or null");
    weight *= own;
  }
  return weight;
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
    refuse_unsupported();
    read_pictures();
    if (!pictures_.empty() && !has_text(record_, kMarker) && has_text(record_, kOtherMarker)) marker_ = kOtherMarker;
  }

  std::vector<Turn> turns() {
    if (has(record_, kPairs)) return pairs();
    if (has(record_, kInstruction)) return instruction();
    const Format& format = this->format();
    const Json& list = record_[format.turns];
    if (!list.is_array()) fail(place_, ", ", format.turns, ": is ", describe(list), ", expected an array of turns");
    auto turns = system_turn();
    const bool has_key = !turns.empty();
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
      if (has_key && role == Role::kSystem)
        fail(place, ": is a system turn, but the record has a key 'system', expected one of them");
      check_order(role, turns, i, concat(place, ".", format.role));
      turns.push_back({role, contents(list[i], role, format, place), read_weight(list[i], role, place)});
    }
    place_pictures(turns, concat(place_, ", ", format.turns));
    return turns;
  }

 private:
  const Format& format() const {
    const bool share_gpt = has(record_, kShareGpt.turns), messages = has(record_, kMessages.turns);
    if (share_gpt && messages) fail(place_, ": has both 'conversations' and 'messages', expected one of them");
    if (!share_gpt && !messages)
      fail(place_, ": keys 'conversations', 'messages', 'texts' and 'instruction' are missing, expected one of them");
    return share_gpt ? kShareGpt : kMessages;
  }

  void refuse_other_turns(const char* key) const {
    for (const auto* other : {&kShareGpt, &kMessages}) {
      if (has(record_, other->turns))
        fail(place_, ": has both '", key, "' and '", other->turns, "', expected one of them");
    }
  }

  void add_exchange(const std::string& question, const std::string& answer, std::vector<Turn>& turns) {
    Turn user{Role::kUser, {}}, assistant{Role::kAssistant, {}};
    add_text(question, true, user.contents);
    add_text(answer, false, assistant.contents);
    turns.push_back(std::move(user));
    turns.push_back(std::move(assistant));
  }

  /// The turns of questions with their answers.
  std::vector<Turn> pairs() {
    refuse_other_turns(kPairs);
    const Json& list = record_[kPairs];
    const auto all = concat(place_, ", ", kPairs);
    if (!list.is_array()) fail(all, ": is ", describe(list), ", expected an array of {user, assistant}");
    auto turns = system_turn();
    for (size_t i = 0; i < list.size(); ++i) {
      const auto place = concat(all, "[", i, "]");
      add_exchange(require<std::string>(list[i], "user", place), require<std::string>(list[i], kPairAnswer, place),
                   turns);
    }
    place_pictures(turns, all);
    return turns;
  }

  /// A question `instruction`, with `input` behind it, and its answer `output`, behind the turns of `history`.
  std::vector<Turn> instruction() {
    refuse_other_turns(kInstruction);
    auto question = require<std::string>(record_, kInstruction, place_);
    if (const auto input = find<std::string>(record_, "input", place_).value_or(""); !input.empty()) {
      question += "\n" + input;
    }
    auto turns = system_turn();
    if (has(record_, kHistory) && !is_nothing(record_[kHistory]))
      add_history(record_[kHistory], concat(place_, ", ", kHistory), turns);
    add_exchange(question, find<std::string>(record_, kOutput, place_).value_or(""), turns);
    place_pictures(turns, concat(place_, ", ", kInstruction));
    return turns;
  }

  /// Null, false, nothing, or a list or an object of such; also as the text of one.
  static bool is_nothing(const Json& value) {
    if (value.is_structured()) return std::all_of(value.begin(), value.end(), is_nothing);
    if (!value.is_string()) return value.is_null() || value == false;
    const auto& text = value.get_ref<const std::string&>();
    return text.find_first_not_of(" []{}") == text.npos || text == "null";
  }

  void add_history(const Json& list, const std::string& all, std::vector<Turn>& turns) {
    if (!list.is_array()) fail(all, ": is ", describe(list), ", expected an array of [user, assistant]");
    for (size_t i = 0; i < list.size(); ++i) {
      const Json& pair = list[i];
      if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string())
        fail(all, "[", i, "]: is ", describe(pair), ", expected two texts [user, assistant]");
      add_exchange(pair[0].get<std::string>(), pair[1].get<std::string>(), turns);
    }
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

  /// The record's key `system`; an empty text is none.
  std::vector<Turn> system_turn() const {
    const auto text = find<std::string>(record_, "system", place_).value_or("");
    if (text.empty()) return {};
    return {{Role::kSystem, {{Content::Kind::kText, text, {}}}}};
  }

  /// Error for a key without which the turns mean another thing, and which is not read.
  void refuse_unsupported() const {
    const auto refuse = [&](const char* key, const char* why) {
      if (has(record_, key) && !is_nothing(record_[key]))
        fail(place_, ", ", key, ": is ", describe(record_[key]), ", expected none: ", why);
    };
    for (const char* key : {"video", "videos"}) refuse(key, "videos are not read");
    refuse("tools", "tools are not supported");
    if (has(record_, "objects") && (has_text(record_, "<ref-object>") || has_text(record_, "<bbox>")))
      refuse("objects", "places of objects, <ref-object> and <bbox>, are not supported");
  }

  void read_pictures() {
    for (const char* key : {"image", "images"}) {
      if (!has(record_, key) || is_no_picture(record_[key])) continue;
      const Json& value = record_[key];
      const auto place = concat(place_, ", ", key);
      const size_t before = pictures_.size();
      if (value.is_array()) {
        for (size_t i = 0; i < value.size(); ++i) {
          if (is_no_picture(value[i])) continue;
          pictures_.push_back(picture_of_value(value[i], images_, concat(place, "[", i, "]")));
        }
      } else {
        pictures_.push_back(picture_of_value(value, images_, place));
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
      // Beside parts that stand for pictures, a text is only text.
      const bool has_markers = role == Role::kUser && std::none_of(list.begin(), list.end(), is_picture_part);
      for (size_t i = 0; i < list.size(); ++i) add_part(list[i], role, has_markers, concat(key, "[", i, "]"), result);
    } else if (has(turn, format.content) && !turn[format.content].is_string()) {
      fail(key, ": is ", describe(turn[format.content]),
           format.share_gpt ? ", expected a string" : ", expected a string or a list of parts");
    } else {
      add_text(require<std::string>(turn, format.content, place), role == Role::kUser, result);
    }
    return result;
  }

  static bool is_picture_part(const Json& part) {
    return part.is_object() && part.contains("type") && (part["type"] == "image" || part["type"] == "image_url");
  }

  void add_part(const Json& part, Role role, bool has_markers, const std::string& place, std::vector<Content>& result) {
    if (!part.is_object()) fail(place, ": is ", describe(part), ", expected an object");
    const auto type = require<std::string>(part, "type", place);
    if (type == "text") {
      const bool may_have = find<bool>(part, "markers", place).value_or(true);
      return add_text(require<std::string>(part, "text", place), has_markers && may_have, result);
    }
    if (!is_picture_part(part)) fail(place, ".type: ", excerpt(type), " is unknown, expected text, image or image_url");
    if (role != Role::kUser)
      fail(place, ": a picture in a turn that is not the user's, expected pictures in user turns");
    if (auto named = named_picture(part, place)) {
      result.push_back(*std::move(named));
      num_named_ += 1;
    } else if (type == "image_url") {
      fail(place, ": key 'image_url' is missing");
    } else {
      add_picture(result);
    }
    result.back().limits = read_limits(part, place);
  }

  /// The picture that a part itself names, by one of the keys that are in use for it.
  std::optional<Content> named_picture(const Json& part, const std::string& place) {
    const char* found = nullptr;
    for (const char* key : {"image", "image_url", "path", "url", "base64"}) {
      if (!has(part, key)) continue;
      if (found != nullptr) fail(place, ": has both '", found, "' and '", key, "', expected one picture in a part");
      found = key;
    }
    if (found == nullptr) return std::nullopt;
    const std::string key = named_by_ = found;
    if (key == "image" && (part[key].is_object() || part[key].is_binary())) {
      return picture_of_value(part[key], images_, concat(place, ".", key));
    }
    if (key == "image_url" && part[key].is_object())
      return picture_content(require<std::string>(part[key], "url", place + ".image_url"), images_,
                             place + ".image_url.url");
    return picture_content(*find<std::string>(part, key, place), images_, concat(place, ".", key));
  }

  /// With `has_markers`, each <image> stands for a picture; what is empty beside one is no text.
  void add_text(std::string_view text, bool has_markers, std::vector<Content>& result) {
    const auto add = [&](std::string_view piece) { result.push_back({Content::Kind::kText, std::string(piece), {}}); };
    const size_t num_before = result.size();
    while (has_markers) {
      const size_t marker = text.find(marker_);
      if (marker == std::string_view::npos) break;
      auto before = text.substr(0, marker);
      text.remove_prefix(marker + marker_.size());
      if (const size_t behind = text.starts_with("\r\n") ? 2 : text.starts_with('\n'); behind > 0) {
        text.remove_prefix(behind);
      } else {
        before.remove_suffix(before.ends_with("\r\n") ? 2 : before.ends_with('\n'));
      }
      if (!before.empty()) add(before);
      add_picture(result);
    }
    if (!text.empty() || result.size() == num_before) add(text);
  }

  /// The next picture; one too many gets an empty path until the counts are compared.
  void add_picture(std::vector<Content>& result) {
    result.push_back(num_placed_ < pictures_.size() ? pictures_[num_placed_] : Content{Content::Kind::kImage, {}, {}});
    num_placed_ += 1;
  }

  void place_pictures(std::vector<Turn>& turns, const std::string& place) const {
    const auto first =
        std::find_if(turns.begin(), turns.end(), [](const Turn& turn) { return turn.role == Role::kUser; });
    if (first == turns.end()) fail(place, ": has no user turn, expected at least one");
    if (num_placed_ == 0 && num_named_ == 0) {
      first->contents.insert(first->contents.begin(), pictures_.begin(), pictures_.end());
    } else if (num_placed_ != pictures_.size()) {
      fail(place, ": ", num_placed_, " places for pictures (<image>) in the user turns, but the record has ",
           pictures_.size(), " pictures, expected as many",
           num_named_ > 0 ? concat("; a part names a picture of its own by '", named_by_, "'") : "");
    }
  }

  const Json& record_;
  const std::filesystem::path& images_;
  const std::string& place_;
  std::vector<Content> pictures_;  // of the keys `image` and `images`
  size_t num_placed_ = 0, num_named_ = 0;
  std::string named_by_;  // the last part's key
  std::string_view marker_ = kMarker;
};

bool has_answer(const std::vector<Turn>& turns) {
  for (const auto& turn : turns) {
    if (turn.role != Role::kAssistant || turn.weight == 0) continue;
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
  const auto category = has(record, "category") ? text_of_value(record["category"]) : std::nullopt;
  conversation.category = category ? *category : find<std::string>(record, "category", place).value_or("");
  conversation.turns = Reader(record, images, place).turns();
  if (answers_required && !has_answer(conversation.turns))
    fail(place, ": has no answer, expected an assistant turn that is not empty and is to be learnt");
  return conversation;
}

Json with_answer(Json record, const std::string& answer) {
  if (has(record, kPairs)) {
    record[kPairs].back()[kPairAnswer] = answer;
  } else if (has(record, kInstruction)) {
    record[kOutput] = answer;
  } else {
    const Format& format = has(record, kMessages.turns) ? kMessages : kShareGpt;
    auto& turns = record[format.turns];
    const auto is_user = [&](const Json& turn) { return turn[format.role] == "user" || turn[format.role] == "human"; };
    while (!turns.empty() && !is_user(turns.back())) turns.erase(turns.size() - 1);
    turns.push_back(Json{{format.role, format.share_gpt ? "gpt" : "assistant"}, {format.content, answer}});
  }
  return record;
}

}  // namespace vlsi
