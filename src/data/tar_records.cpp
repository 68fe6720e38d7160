#include "data/tar_records.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/quoted.h"
#include "base/utf8.h"
#include "picture/codecs.h"

namespace vlsi {
namespace {

bool has_value(const Json& object, const char* key) { return object.contains(key) && !object[key].is_null(); }

bool has_turns(const Json& object) {
  return has_value(object, "conversations") || has_value(object, "messages") || has_value(object, "texts") ||
         has_value(object, "instruction");
}

Json bytes_json(const TarFile::Member& member) { return Json::binary({member.bytes.begin(), member.bytes.end()}); }

/// LLaVA-OneVision-1.5's object as messages; `texts` of another form stays as it is.
void rename_texts(Json& record) {
  const auto texts = record.find("texts");
  if (texts == record.end() || !texts->is_array() || texts->empty() || !texts->front().is_object()) return;
  if (!texts->front().contains("role") || has_value(record, "messages")) return;
  Json turns = std::move(*texts);
  record.erase("texts");
  record["messages"] = std::move(turns);
}

/// The pictures that the list `name` says, by the members' suffixes or whole names.
Json named_pictures(const Json& record, const TarFile::Sample& sample, const std::string& place) {
  const auto names = find<std::vector<std::string>>(record, "name", place).value_or(std::vector<std::string>());
  Json pictures = Json::array();
  for (const auto& name : names) {
    const auto* member = sample.find(name);
    if (member == nullptr && name.starts_with(sample.key + "."))
      member = sample.find(name.substr(sample.key.size() + 1));
    if (member == nullptr) fail(place, ", name: ", quoted(name), " is no member of the sample");
    pictures.push_back(bytes_json(*member));
  }
  return pictures;
}

/// An object of turns, from the members `json` and `txt`.
Json turns_of_sample(const TarFile::Sample& sample, const std::string& place) {
  const auto *json = sample.find("json"), *text = sample.find("txt");
  Json record = Json::object();
  if (json != nullptr) {
    record = parse_json(json->bytes, place + ", json");
    if (record.is_array()) record = Json{{"messages", std::move(record)}};
    if (!record.is_object()) fail(place, ", json: is ", describe(record), ", expected an object or a list of messages");
    rename_texts(record);
    if (has_turns(record) || text == nullptr) return record;
  }
  if (text == nullptr) fail(place, ": has no member 'json' and none 'txt', expected one of them beside its pictures");
  const bool is_utf8 = find_invalid_utf8(text->bytes) == std::string_view::npos;
  const auto caption = is_utf8 ? std::string(text->bytes) : replace_invalid_utf8(text->bytes);
  record["messages"] =
      Json::array({{{"role", "user"}, {"content", ""}}, {{"role", "assistant"}, {"content", caption}}});
  return record;
}

}  // namespace

Json json_of_sample(const TarFile::Sample& sample, const std::string& place) {
  Json record = turns_of_sample(sample, place);
  const auto media =
      has_value(record, "media") && record["media"].is_string() ? record["media"].get<std::string>() : "";
  if (media == "video") fail(place, ", media: is 'video', expected image or text: videos are not read");
  Json pictures = Json::array();
  if (media == "image" && has_value(record, "name")) {
    pictures = named_pictures(record, sample, place);
  } else {
    for (const auto& member : sample.members) {
      if (is_picture_name(member.suffix)) pictures.push_back(bytes_json(member));
    }
  }
  if (!pictures.empty()) {
    record.erase("image");
    record["images"] = std::move(pictures);
  }
  return record;
}

Json TarRecords::json(int64_t record) const {
  const auto sample = tar_.sample(record);
  auto json = json_of_sample(sample, tar_.place(record));
  tar_.give_back(record);
  return json;
}

Conversation TarRecords::read(int64_t record, const std::filesystem::path& images, bool answers_required) const {
  const auto sample = tar_.sample(record);
  const auto place = concat(tar_.path().string(), ", sample ", record + 1, " (", printable(sample.key), ")");
  auto conversation = parse_conversation(json_of_sample(sample, place), images, place, sample.key, answers_required);
  tar_.give_back(record);
  return conversation;
}

void TarRecords::for_each(const std::vector<std::string>&, const Visit& visit) const {
  const auto values_of = [&](int64_t record) -> std::optional<Json> {
    try {
      const auto sample = tar_.sample(record);
      const auto* json = sample.find("json");
      auto values = json == nullptr ? Json::object() : parse_json(json->bytes, tar_.path().string());
      if (!values.is_structured()) return std::nullopt;
      return values.is_object() ? std::move(values) : Json::object();
    } catch (const Error&) {
      return std::nullopt;
    }
  };
  for (int64_t record = 0; record < size(); ++record) {
    const auto values = values_of(record);
    visit(record, values ? &*values : nullptr);
    tar_.give_back(record);
  }
}

}  // namespace vlsi
