// The byte-level alphabet of GPT-2: every byte as one printable character, so that vocabularies are readable text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vlsi {

/// The bytes that a vocabulary entry such as "Ġthe" stands for, or std::nullopt if a character of it is not in the
/// alphabet.
std::optional<std::string> byte_level_decode(std::string_view spelling);

/// How a vocabulary spells `bytes`: " the" is "Ġthe".
std::string byte_level_encode(std::string_view bytes);

}  // namespace vlsi
