// The processor of every family: a chat template, a tokenizer, and the family's way to read pictures.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/processor.h"
#include "data/recent_pictures.h"
#include "model/config.h"
#include "picture/picture.h"
#include "text/chat_template.h"

namespace vlsi {

/// How a family turns pictures into patches. Immutable; used from several threads at once.
class PictureReader {
 public:
  virtual ~PictureReader() = default;

  /// `num_pictures`: of the whole conversation. Error naming `place` for a picture that cannot be used.
  virtual PicturePatches read(const Image& image, const PictureLimits& limits, size_t num_pictures,
                              const std::string& place) const = 0;
  /// The shape of what `read` makes of a picture of this size. Errors are those of `read`.
  virtual PictureShape shape(const ImageSize& size, const PictureLimits& limits, size_t num_pictures,
                             const std::string& place) const = 0;
  /// {frames, rows, columns} of the picture's tokens, where positions have three axes.
  virtual std::array<int64_t, 3> token_grid(const PictureShape& picture) const = 0;
  /// All that `read` depends on, in words.
  virtual std::string settings_text() const = 0;
};

/// What differs between the families' processors.
struct ChatSettings {
  std::string_view picture_token;                    // what a template writes for a picture
  std::vector<std::string_view> other_placeholders;  // of videos; Errors wherever they stand
  std::string_view default_template;                 // for directories without one
  std::unique_ptr<PictureReader> pictures;
  /// For a tokenizer.json that lacks the picture token, which has the id of config.json's then; empty: it is an Error.
  std::string_view template_without_token = {};
};

/// Tokens that the pictures of one conversation may have, whatever a run or a model allows.
inline constexpr int64_t kMostPictureTokens = int64_t{1} << 22;

/// Conversations are rendered by the directory's chat template. Labels are the tokens that begin with text of an
/// assistant turn, and the end-of-turn token behind it; where the template marks generated text, only what it marks.
class ChatProcessor : public Processor {
 public:
  /// Error when the tokenizer in `directory` is not that of `model`, or the template cannot be read.
  ChatProcessor(const std::filesystem::path& directory, const ModelConfig& model, SpecialText special_text,
                ChatSettings settings);

  Sample encode(const Conversation& conversation) const override;
  Sample outline(const Conversation& conversation) const override;
  void fill(const Conversation& conversation, Sample& outline) const override;
  Sample encode_prompt(const Conversation& conversation) const override;
  Sample outline_prompt(const Conversation& conversation) const override;
  const Tokenizer& tokenizer() const override { return tokenizer_; }
  int32_t end_of_turn() const override { return end_of_turn_; }
  ProcessorFingerprint fingerprint() const override;

 private:
  /// A rendering, and for each byte of it whether it belongs to an answer.
  struct Marked {
    Rendering rendering;
    std::vector<double> weights;  // per byte, 0 for what is no answer
  };

  Rendering render(const Conversation& conversation, size_t num_turns, bool generation_prompt) const;
  Marked render_marked(const Conversation& conversation) const;
  void mark_turn_ends(const Conversation& conversation, Marked& marked) const;
  size_t begin_of_empty_answer(const Conversation& conversation, size_t turn, const Rendering& whole) const;
  /// Of a picture of the conversation's first turns, which have so many.
  PicturePatches read_patches(const Content& content, const Conversation& conversation, size_t num_pictures) const;
  PictureShape read_shape(const Content& content, const Conversation& conversation, size_t num_pictures) const;
  /// Of the pictures of the first turns. Error where they have more tokens than any conversation may.
  std::vector<PictureShape> read_shapes(const Conversation& conversation, size_t num_turns) const;
  /// An outline of the first turns.
  Sample tokenize(const Conversation& conversation, size_t num_turns, const Marked& marked) const;
  TemplateValue message_of(const Turn& turn, int32_t origin) const;
  bool shows_lists(Role role) const;
  void probe_roles();
  /// Of what the template writes of a few conversations.
  std::string template_fingerprint() const;

  std::filesystem::path directory_;
  Tokenizer tokenizer_;
  SpecialText special_text_;
  ChatSettings settings_;
  ChatTemplate template_;
  std::string tokenizer_checksum_;                                     // of its files, as they were when they were read
  std::vector<std::pair<std::string, TemplateValue>> special_tokens_;  // bos_token and their like
  int64_t num_axes_;
  int32_t end_of_turn_, picture_token_;
  mutable RecentPictures recent_pictures_;
  std::array<bool, 3> takes_lists_{};  // whether the template shows parts of a turn of this role, or wants one text
};

}  // namespace vlsi
