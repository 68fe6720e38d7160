// A row of a table as a conversation: VLMEvalKit's columns in a text, Hugging Face's in a Parquet file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/conversation.h"
#include "data/parquet_file.h"
#include "data/tsv_file.h"

namespace vlsi {

/// A list of texts: a JSON array, or a text that is one in Python's writing; anything else is a list of itself. Numbers
/// are written as Python writes them; null is left out.
std::vector<std::string> texts_of_value(const Json& value);

/// A value as text; nothing for null, arrays and objects.
std::optional<std::string> text_of_value(const Json& value);

/// The pictures of a row: base64 in the column `image`, a list of such, or the index of the row that has the picture;
/// else the paths of the column `image_path`, one or a list, under `images`. Error naming `place` for an index that no
/// row has, for one whose row has no picture of its own, and for what is no base64.
std::vector<Content> table_pictures(const TsvFile& table, int64_t row, const std::filesystem::path& images,
                                    const std::string& place);

/// Pictures, then `hint`, `question` and the options of the columns A, B, … ("A. cat"), a line each, and the answer
/// `answer`. Error naming `place` for a row without a question, or without an answer where one is required.
Conversation conversation_of_row(const TsvFile& table, int64_t row, const std::filesystem::path& images,
                                 const std::string& place, bool answers_required);

/// A row with `conversations`, `messages` or `texts` is what parse_conversation makes of it. Of one with `question` and
/// `answer`, its columns are those of a table, but for the pictures: those of its picture columns, in the schema's
/// order; without such columns the paths of `image` or `image_path`. Error naming `place` for other rows, and for a
/// question or an answer that is no text.
Conversation conversation_of_row(const ParquetFile& file, int64_t row, const std::filesystem::path& images,
                                 const std::string& place, bool answers_required);

}  // namespace vlsi
