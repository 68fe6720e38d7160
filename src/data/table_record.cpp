#include "data/table_record.h"

#include "base/error.h"
#include "data/picture_source.h"
#include "text/python/python_literal.h"
#include "text/python/python_number.h"

namespace vlsi {
namespace {

constexpr size_t kLongestIndex = 64;  // a longer `image` is a picture

std::string shared_picture(const TsvFile& table, size_t column, const std::string& index, const std::string& place) {
  const auto row = table.find_index(index);
  if (!row) {
    fail(place, ": column 'image' is ", excerpt(index), ", expected base64 or the index of a row with a picture");
  }
  auto picture = table.cell(*row, column);
  if (picture.size() <= kLongestIndex) {
    fail(place, ": column 'image' names the row of index ", excerpt(index), ", which has no picture of its own");
  }
  return picture;
}

}  // namespace

std::optional<std::string> text_of_value(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
  if (value.is_number_float()) return to_utf8(float_text(value.get<double>()));
  if (value.is_number()) return value.dump();
  return std::nullopt;
}

std::vector<std::string> texts_of_value(const Json& value) {
  Json list = value;
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    auto parsed = text.starts_with('[') || text.starts_with('(') ? parse_python_list(text) : std::nullopt;
    list = parsed ? *std::move(parsed) : Json::array({value});
  }
  if (!list.is_array()) list = Json::array({value});
  std::vector<std::string> texts;
  for (const auto& one : list) {
    if (auto text = text_of_value(one)) texts.push_back(*std::move(text));
  }
  return texts;
}

std::vector<Content> table_pictures(const TsvFile& table, int64_t row, const std::filesystem::path& images,
                                    const std::string& place) {
  std::vector<Content> pictures;
  if (const auto column = table.column("image")) {
    auto text = table.cell(row, *column);
    if (TsvFile::is_missing(text)) return pictures;
    if (text.size() <= kLongestIndex) text = shared_picture(table, *column, text, place);
    for (const auto& one : texts_of_value(Json(std::move(text)))) {
      pictures.push_back(picture_content("data:image;base64," + one, images, place + ", column 'image'"));
    }
  } else if (const auto path_column = table.column("image_path")) {
    const auto text = table.cell(row, *path_column);
    if (TsvFile::is_missing(text)) return pictures;
    for (const auto& one : texts_of_value(Json(text))) {
      pictures.push_back(picture_content(one, images, place + ", column 'image_path'"));
    }
  }
  return pictures;
}

Conversation conversation_of_row(const TsvFile& table, int64_t row, const std::filesystem::path& images,
                                 const std::string& place, bool answers_required) {
  std::vector<size_t> left_out;
  if (const auto column = table.column("image")) left_out.push_back(*column);
  const Json values = table.row(row, left_out);
  const auto value = [&](const std::string& name) { return values.value(name, std::string()); };
  if (value("question").empty()) fail(place, ": column 'question' is missing");
  std::string text = (value("hint").empty() ? "" : value("hint") + "\n") + value("question");
  for (char letter = 'A'; letter <= 'Z'; ++letter) {
    const auto option = value(std::string(1, letter));
    if (!option.empty()) text += concat("\n", letter, ". ", option);
  }
  Turn user{Role::kUser, table_pictures(table, row, images, place)};
  user.contents.push_back({Content::Kind::kText, text, {}});
  Conversation conversation{value("index"), value("category"), {std::move(user)}};
  if (conversation.id.empty()) conversation.id = std::to_string(row + 1);
  if (!value("answer").empty()) {
    conversation.turns.push_back({Role::kAssistant, {{Content::Kind::kText, value("answer"), {}}}});
  } else if (answers_required) {
    fail(place, ": column 'answer' is missing");
  }
  conversation.images = images;
  return conversation;
}

}  // namespace vlsi
