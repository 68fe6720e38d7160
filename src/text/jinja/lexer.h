// Cuts a template into its text and the words of its tags.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vlsi {

struct JinjaToken {
  enum class Kind {
    kText,           // outside tags, white space around tags removed as they say
    kVariableBegin,  // {{
    kVariableEnd,
    kTagBegin,  // {%
    kTagEnd,
    kName,
    kString,  // escapes resolved
    kInteger,
    kFloat,
    kOperator,
    kEnd,
  };

  Kind kind;
  std::string text;
  int line;
};

/// As Jinja2 does with trim_blocks (a tag takes the line end behind it) and lstrip_blocks (and the white space before
/// it on its line); `-` and `+` at a tag say otherwise. Comments are left out; the last token is kEnd. Error
/// "place:LINE: ..." for what is no token, an end that is missing, and a source that is not UTF-8.
std::vector<JinjaToken> read_jinja_tokens(std::string_view source, const std::string& place);

/// A token as messages name it.
std::string describe(const JinjaToken& token);

}  // namespace vlsi
