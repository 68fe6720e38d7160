// A conversation as a data file says it: turns of text and pictures. Nothing tensor-like.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace vlsi {

enum class Role { kSystem, kUser, kAssistant };

/// The size that one picture is asked to have, in the place of what the processor's limits would give it.
struct PictureLimits {
  std::optional<int64_t> min_pixels, max_pixels;         // bounds of the area, each instead of the processor's
  std::optional<int64_t> resized_height, resized_width;  // both or neither; before they are rounded to whole tokens

  bool operator==(const PictureLimits&) const = default;
};

/// A piece of a turn: text, or a picture.
struct Content {
  enum class Kind { kText, kImage } kind;
  std::string text;               // of kText
  std::filesystem::path image;    // of kImage: its file; a name for messages where the record holds the picture itself
  std::string picture_file = {};  // the bytes of a picture file that the record holds; else empty
  PictureLimits limits = {};      // of kImage
};

struct Turn {
  Role role;
  std::vector<Content> contents;
  double weight = 1;  // of the loss of an answer's tokens; with 0 they are no labels
};

/// The texts of the turn, joined.
std::string text_of(const Turn& turn);

struct Conversation {
  std::string id;        // the record's `id` (string or number) or `idx`, else its number in the file
  std::string category;  // the record's `category`, for figures per question type; may be empty
  std::vector<Turn> turns;
  std::filesystem::path images =
      {};  // where relative picture paths started; empty where they did not come from a data file
};

/// Reads a LLaVA/ShareGPT record (`conversations`: from human|user|gpt|assistant|system, value) or an OpenAI-style one
/// (`messages`: role user|assistant|system, content as string or as list of {type: text|image|image_url}), with `image`
/// or `images`: a picture, a list of pictures and of what is_no_picture, or null; and `system`, the text of a system
/// turn. In the place of turns there may be `texts`, a list of questions with their answers {user, assistant}, or
/// `instruction`, with `input` behind it, and `output`, behind the turns of `history`, [[user, assistant], ...]. What
/// may stand for a picture: picture_of_value in data/picture_source.h. Relative paths are under `images`. A `video`,
/// `tools`, and `objects` with <ref-object> or <bbox> in a text are Errors.
///
/// `<image>` markers (in a record with pictures and without these, `<|image|>`) are taken from user turns only, in
/// order, each standing for the next picture, as does {type: image}; beside such parts a text has no markers. One
/// newline (or carriage return and newline) next to a marker goes with it. A part that names its picture by `image`,
/// `image_url` (a text or {url}), `path`, `url` or `base64` takes none of the record's; its limits are PictureLimits.
/// Pictures without any marker go in front of the first user turn. Text-only records have neither. In a text part with
/// `markers` false a marker is text. Text parts stay as they are, empty ones, too. An assistant turn before the first
/// user turn is dropped. `loss`, `loss_scale`, `weight` and `train` of an assistant turn, each false, true or a number,
/// multiply to its weight. Errors name `place` and key: wrong types, unknown roles, no user turn, roles that do not
/// alternate, marker and picture counts that differ, no non-empty assistant answer of a weight above 0 (unless
/// `answers_required` is false).
Conversation parse_conversation(const Json& record, const std::filesystem::path& images, const std::string& place,
                                const std::string& default_id, bool answers_required = true);

/// A record that parse_conversation reads, with everything behind its last question replaced by `answer`; other keys
/// stay.
Json with_answer(Json record, const std::string& answer);

}  // namespace vlsi
