// What llama.cpp calls a family's model: the keys and tensor names of its two GGUF files, text model and `mmproj`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/gguf_writer.h"
#include "model/config.h"

namespace vlsi {

/// Where a parameter goes. In patterns, `*` is a number, the same in all of them.
struct GgufRule {
  /// How a parameter becomes its tensors: itself; cut along its first dimension into as many as there are names; or one
  /// for each entry of its third dimension, a frame of a patch.
  enum class Cut { kNone, kRows, kFrames };

  std::string own;                 // a pattern of this program's names, or, with a dot at the end, of their beginnings
  std::vector<std::string> names;  // patterns of what llama.cpp calls it
  Cut cut = Cut::kNone;
  /// Whether it has a type of its own in every file: float32, as what is added to activations; or float32 too, but
  /// float16 in a file of that type, as the weight of a convolution.
  enum class Kept { kNo, kFloat, kFloatOrHalf } kept = Kept::kNo;
};

struct GgufParts {
  std::string architecture;        // of the text model: "qwen2vl"
  std::vector<GgufEntry> text;     // its keys, without the tokenizer's
  std::vector<GgufRule> rules;     // of both files; those of the tower begin with `v.` or `mm.`
  std::vector<GgufEntry> picture;  // the keys of the mmproj; none where llama.cpp has no tower like the family's
};

/// The rule that fits, with `*` replaced; nothing where none does.
std::optional<GgufRule> find_gguf_rule(const std::vector<GgufRule>& rules, std::string_view own);

/// The keys of a decoder. Error naming `place` for a decoder whose heads do not share its width, unless the
/// architecture `has_head_size`.
std::vector<GgufEntry> gguf_decoder_entries(const TextConfig& text, const std::string& architecture, bool has_head_size,
                                            const std::string& place);
/// Those of embedding, decoder and head.
std::vector<GgufRule> gguf_decoder_rules();

}  // namespace vlsi
