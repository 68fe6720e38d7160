#include "data/table_record.h"

#include "base/error.h"
#include "base/quoted.h"
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

namespace {

std::string text_of_column(const Json& values, const std::string& name) {
  const auto found = values.find(name);
  return found == values.end() ? "" : text_of_value(*found).value_or("");
}

[[noreturn]] void refuse_column(const Json& values, const std::string& name, const std::string& place) {
  const auto found = values.find(name);
  const bool is_other = found != values.end() && (found->is_structured() || found->is_binary());
  fail(place, ": column '", name, "' is ", is_other ? describe(*found) + ", expected a text" : "missing");
}

/// Of the columns of VLMEvalKit's tables.
Conversation conversation_of_values(const Json& values, std::vector<Content> pictures, const std::string& id,
                                    const std::string& place, bool answers_required) {
  const auto value = [&](const std::string& name) { return text_of_column(values, name); };
  if (value("question").empty()) refuse_column(values, "question", place);
  // Tables of the hub that were made by pandas have the text "nan" where there is none.
  const auto is_there = [](const std::string& text) { return !text.empty() && text != "nan"; };
  const auto hint = value("hint");
  std::string text = (is_there(hint) ? hint + "\n" : "") + value("question");
  for (char letter = 'A'; letter <= 'Z'; ++letter) {
    const auto option = value(std::string(1, letter));
    if (is_there(option)) text += concat("\n", letter, ". ", option);
  }
  Turn user{Role::kUser, std::move(pictures)};
  user.contents.push_back({Content::Kind::kText, text, {}});
  Conversation conversation{id, value("category"), {std::move(user)}};
  if (!value("answer").empty()) {
    conversation.turns.push_back({Role::kAssistant, {{Content::Kind::kText, value("answer"), {}}}});
  } else if (answers_required) {
    refuse_column(values, "answer", place);
  }
  return conversation;
}

}  // namespace

Conversation conversation_of_row(const TsvFile& table, int64_t row, const std::filesystem::path& images,
                                 const std::string& place, bool answers_required) {
  std::vector<size_t> left_out;
  if (const auto column = table.column("image")) left_out.push_back(*column);
  const Json values = table.row(row, left_out);
  auto id = text_of_column(values, "index");
  if (id.empty()) id = std::to_string(row + 1);
  auto conversation =
      conversation_of_values(values, table_pictures(table, row, images, place), id, place, answers_required);
  conversation.images = images;
  return conversation;
}

Conversation conversation_of_row(const ParquetFile& file, int64_t row, const std::filesystem::path& images,
                                 const std::string& place, bool answers_required) {
  const Json values = file.row(row, ParquetFile::Columns::kAll);
  const auto has = [&](const char* column) { return values.contains(column) && !values[column].is_null(); };
  auto id = std::to_string(row + 1);
  if (has("conversations") || has("messages") || has("texts") || has("instruction")) {
    return parse_conversation(values, images, place, id, answers_required);
  }
  if (!has("question")) {
    fail(place,
         ": columns 'conversations', 'messages', 'texts', 'instruction' and 'question' are missing, expected one of "
         "them");
  }
  std::vector<Content> pictures;
  const auto add = [&](const std::string& column) {
    const Json& value = values[column];
    const auto add_one = [&](const Json& one) {
      if (!is_no_picture(one)) {
        pictures.push_back(picture_of_value(one, images, concat(place, ", column ", quoted(column))));
      }
    };
    if (!value.is_array()) return add_one(value);
    for (const Json& one : value) add_one(one);
  };
  for (const auto& column : file.picture_columns()) add(column);
  for (const char* column : {"image", "image_path"}) {
    if (file.picture_columns().empty() && has(column)) add(column);
  }
  for (const char* key : {"idx", "id", "index"}) {
    if (auto text = text_of_column(values, key); !text.empty()) id = std::move(text);
  }
  auto conversation = conversation_of_values(values, std::move(pictures), id, place, answers_required);
  conversation.images = images;
  return conversation;
}

}  // namespace vlsi
