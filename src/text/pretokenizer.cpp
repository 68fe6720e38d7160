#include "text/pretokenizer.h"

#include "base/error.h"

namespace vlsi {
namespace {

// Letters and numbers of Unicode 15 to 16, found by comparing the two libraries over all code points.
constexpr char kLetters[] =
    "\\p{L}\\x{1C89}-\\x{1C8A}\\x{A7CB}-\\x{A7CD}\\x{A7DA}-\\x{A7DC}\\x{105C0}-\\x{105F3}\\x{10D4A}-\\x{10D65}"
    "\\x{10D6F}-\\x{10D85}\\x{10EC2}-\\x{10EC4}\\x{1123F}-\\x{11240}\\x{11380}-\\x{11389}\\x{1138B}\\x{1138E}"
    "\\x{11390}-\\x{113B5}\\x{113B7}\\x{113D1}\\x{113D3}\\x{11BC0}-\\x{11BE0}\\x{11F02}\\x{11F04}-\\x{11F10}"
    "\\x{11F12}-\\x{11F33}\\x{1342F}\\x{13441}-\\x{13446}\\x{13460}-\\x{143FA}\\x{16100}-\\x{1611D}"
    "\\x{16D40}-\\x{16D6C}\\x{18CFF}\\x{1B132}\\x{1B155}\\x{1DF25}-\\x{1DF2A}\\x{1E030}-\\x{1E06D}"
    "\\x{1E4D0}-\\x{1E4EB}\\x{1E5D0}-\\x{1E5ED}\\x{1E5F0}\\x{2B739}\\x{2EBF0}-\\x{2EE5D}\\x{31350}-\\x{323AF}";
constexpr char kNumbers[] =
    "\\p{N}\\x{10D40}-\\x{10D49}\\x{116D0}-\\x{116E3}\\x{11BF0}-\\x{11BF9}\\x{11F50}-\\x{11F59}"
    "\\x{16130}-\\x{16139}\\x{16D70}-\\x{16D79}\\x{1CCF0}-\\x{1CCF9}\\x{1D2C0}-\\x{1D2D3}\\x{1E4F0}-\\x{1E4F9}"
    "\\x{1E5F1}-\\x{1E5FA}";
// PCRE2's \s also takes U+180E, which is no White_Space since Unicode 6.3.
constexpr char kSpaces[] =
    "\\x{9}-\\x{D}\\x{20}\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}";
constexpr char kNotSpacesInClass[] = "\\S\\x{180E}";

// Escapes that mean the same character to both libraries, besides escaped punctuation.
constexpr std::string_view kSameEscapes = "rntfv";

bool is_ascii_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace

const char kGpt2Pattern[] = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

std::string translate_pattern(std::string_view pattern, const std::string& place) {
  const auto refuse = [&](std::string_view what) {
    fail(place, ": the pattern uses '", what, "'; supported are \\p{L}, \\p{N}, \\s, \\S and plain characters");
  };
  std::string result;
  bool in_class = false;
  size_t class_begin = 0;
  for (size_t i = 0; i < pattern.size();) {
    const std::string_view rest = pattern.substr(i);
    const auto take = [&](std::string_view what) {
      if (!rest.starts_with(what)) return false;
      i += what.size();
      return true;
    };
    const auto put_class = [&](const char* members, bool negated) {
      result += in_class ? members : std::string(negated ? "[^" : "[") + members + "]";
    };
    if (take("\\p{L}")) {
      put_class(kLetters, false);
    } else if (take("\\p{N}")) {
      put_class(kNumbers, false);
    } else if (take("\\s")) {
      put_class(kSpaces, false);
    } else if (take("\\S")) {
      in_class ? void(result += kNotSpacesInClass) : put_class(kSpaces, true);
    } else if (rest[0] == '\\') {
      if (rest.size() < 2) refuse("\\");
      if (is_ascii_alphanumeric(rest[1]) && kSameEscapes.find(rest[1]) == std::string_view::npos) {
        refuse(rest.substr(0, rest[1] == 'p' || rest[1] == 'P' ? rest.find('}') + 1 : 2));
      }
      result += rest.substr(0, 2);
      i += 2;
    } else if (in_class) {
      if (rest[0] == '[') refuse("[ within a class");
      if (rest.starts_with("&&")) refuse("&&");
      const bool first = i == class_begin || (i == class_begin + 1 && pattern[class_begin] == '^');
      if (rest[0] == ']') {
        if (first) refuse("[]");
        in_class = false;
      }
      result += rest[0];
      ++i;
    } else {
      if (rest[0] == '^' || rest[0] == '$') refuse(rest.substr(0, 1));
      if (rest[0] == '[') {
        in_class = true;
        class_begin = i + 1;
      }
      result += rest[0];
      ++i;
    }
  }
  return result;
}

PreTokenizer::PreTokenizer(const std::string& pattern, const std::string& place)
    : regex_(translate_pattern(pattern, place), concat(place, ": '", pattern, "'")) {
  if (regex_.can_match_empty()) fail(place, ": '", pattern, "' can match the empty text");
}

void PreTokenizer::Words::start(std::string_view text) {
  text_ = text;
  word_begin_ = match_begin_ = match_end_ = 0;
}

std::string_view PreTokenizer::Words::next() {
  if (word_begin_ == text_.size()) return {};
  if (word_begin_ == match_end_) {
    const auto match = matcher_.find(text_, word_begin_);
    match_begin_ = match ? static_cast<size_t>(match->whole.data() - text_.data()) : text_.size();
    match_end_ = match ? match_begin_ + match->whole.size() : text_.size();
  }
  const size_t begin = word_begin_;
  word_begin_ = match_begin_ > begin ? match_begin_ : match_end_;
  return text_.substr(begin, word_begin_ - begin);
}

}  // namespace vlsi
