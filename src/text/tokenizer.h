// Byte-level BPE from a Hugging Face `tokenizer.json`: text to token ids and back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/words.h"

namespace vlsi {

/// What the text of a special token ("<|im_end|>") inside ordinary text becomes. That of an added token that is not
/// special ("<think>") becomes the token with either.
enum class SpecialText {
  kControl,  // the control token, as the peers do by default
  kPlain,    // plain text, cut into ordinary tokens
};

template <>
struct EnumNames<SpecialText> {
  static constexpr EnumName<SpecialText> all[]{{"control", SpecialText::kControl}, {"text", SpecialText::kPlain}};
};

/// Equal to the `tokenizers` library on the files that it reads. Immutable; may be used from several threads at once.
class Tokenizer {
 public:
  /// Reads `directory`/tokenizer.json: NFC normaliser (or none), Split pre-tokenizer with a regular expression followed
  /// by ByteLevel (or ByteLevel alone with its own pattern), BPE model, ByteLevel decoder, added tokens. Anything else
  /// in it is an Error that names the part, never passed over.
  /// Added tokens of tokenizer_config.json that the file lacks are there, too.
  /// `extra`: a special token that both may lack; it is there all the same where no other token has its id.
  /// `control`: added tokens that are special, whatever the files say.
  struct Extra {
    std::string content;
    int32_t id;
  };
  static Tokenizer load(const std::filesystem::path& directory, const std::optional<Extra>& extra = std::nullopt,
                        const std::vector<std::string_view>& control = {});

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Token ids of `text`, which must be valid UTF-8 (Error otherwise). Nothing is added in front or behind.
  std::vector<int32_t> encode(std::string_view text, SpecialText special_text = SpecialText::kControl) const;

  /// A stretch of a text: the text of an added token, or what lies between two of them.
  struct Piece {
    size_t begin = 0, end = 0;
    std::optional<int32_t> added;
  };
  /// `text` cut at the added tokens that are looked for in raw text. With `is_control`, which says so of a byte, a
  /// special token that does not begin with one is plain text, and special tokens of the normal form are looked for,
  /// too: the pieces between are for SpecialText::kPlain. Without it they are for kControl, and `encode` of them gives
  /// what `encode` of the whole text does.
  std::vector<Piece> split_at_added(std::string_view text, const std::function<bool(size_t)>& is_control) const;
  /// The text in the tokenizer's normal form, valid UTF-8, of which tokens are stretches of bytes.
  std::string normalized(std::string_view text) const;

  /// The text of `ids`; bytes that are no valid UTF-8 become U+FFFD, as Python's errors="replace" does. Ids outside the
  /// vocabulary (padding rows of a language head) give nothing.
  std::string decode(std::span<const int32_t> ids, bool skip_special = true) const;

  /// The raw bytes of one token ("" for ids outside the vocabulary), for streaming and for showing tokens.
  std::string bytes(int32_t id) const;
  bool is_special(int32_t id) const;

  std::optional<int32_t> find(std::string_view token) const;
  /// `find`, or an Error that names the token and the directory.
  int32_t require(std::string_view token) const;

  /// Whether the files lack the extra token that it was loaded with.
  bool has_extra() const;
  /// What the tokenizer has of tokenizer_config.json, in words; empty for nothing.
  const std::string& added_by_config() const;
  /// One more than the highest id.
  int64_t size() const;
  /// The same of the pieces that ordinary text is cut into, without the added tokens.
  int64_t num_pieces() const;
  const std::filesystem::path& directory() const;

 private:
  struct State;
  explicit Tokenizer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Collects the bytes of a token stream and gives out whole code points only.
class TextStream {
 public:
  explicit TextStream(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  /// What became whole with this token; specials give nothing.
  std::string push(int32_t id);
  /// What is left; an incomplete code point becomes U+FFFD.
  std::string finish();

 private:
  const Tokenizer& tokenizer_;
  std::string pending_;
};

}  // namespace vlsi
