#include "text/jinja/library/brace_format.h"

#include <charconv>

#include "text/jinja/characters.h"
#include "text/jinja/library/number_format.h"
#include "text/jinja/python_values.h"
#include "text/jinja/subscript.h"

namespace vlsi {
namespace {

std::optional<int64_t> parse_index(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_one_of(char c, std::string_view characters) { return characters.find(c) != std::string_view::npos; }

/// What stands behind the colon of a field: [[fill]align][sign][#][0][width][,][.precision][type].
FormatSpec parse_spec(JinjaContext& context, std::string_view text) {
  const std::string whole(text);
  FormatSpec spec;
  const auto take = [&](std::string_view characters) {
    const bool found = !text.empty() && is_one_of(text[0], characters);
    const char c = found ? text[0] : '\0';
    text.remove_prefix(found);
    return c;
  };
  const auto number = [&]() -> std::optional<int64_t> {
    int32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(end - text.data());
    return value;
  };
  const size_t fill = character_start(text, 1);
  if (fill < text.size() && is_one_of(text[fill], "<>^=")) {
    spec.fill = text.substr(0, fill);
    text.remove_prefix(fill);
  }
  spec.align = take("<>^=");
  if (const char sign = take("+- ")) spec.sign = sign;
  spec.alternate = take("#") != '\0';
  if (take("0") != '\0' && spec.align == '\0') {
    spec.fill = "0";
    spec.align = '=';
  }
  spec.width = number().value_or(0);
  spec.commas = take(",") != '\0';
  if (take(".") != '\0') {
    spec.precision = number();
    if (!spec.precision) context.fail("'format': the format '", whole, "' has no precision behind its point");
  }
  spec.type = take("sdboxXeEfFgG%");
  if (!text.empty()) context.fail("'format': unknown format '", whole, "'");
  return spec;
}

class BraceFormatter {
 public:
  BraceFormatter(JinjaContext& context, const TracedText& format, const JinjaArguments& arguments)
      : context_(context), format_(format), bytes_(format.bytes()), arguments_(arguments) {}

  TracedText run() {
    size_t i = 0;
    while (i < bytes_.size()) {
      const size_t brace = std::min(bytes_.find_first_of("{}", i), bytes_.size());
      result_.append(format_, i, brace);
      if (brace == bytes_.size()) break;
      if (brace + 1 < bytes_.size() && bytes_[brace + 1] == bytes_[brace]) {
        result_.append(format_, brace, brace + 1);
        i = brace + 2;
        continue;
      }
      const size_t end = bytes_[brace] == '{' ? bytes_.find('}', brace) : std::string::npos;
      if (end == std::string::npos) context_.fail("'format': a single '", bytes_[brace], "' in the format");
      append_field(bytes_.substr(brace + 1, end - brace - 1));
      i = end + 1;
    }
    context_.make(result_.num_bytes());
    return std::move(result_);
  }

 private:
  void append_field(std::string_view field) {
    const size_t colon = std::min(field.find(':'), field.size());
    const std::string_view spec = field.substr(std::min(colon + 1, field.size()));
    std::string_view name = field.substr(0, colon);
    if (spec.find('{') != std::string_view::npos) context_.fail("'format': fields in fields are not supported");
    const size_t mark = name.find('!');
    const std::string_view conversion = mark == std::string_view::npos ? "" : name.substr(mark);
    if (mark != std::string_view::npos) name = name.substr(0, mark);
    TemplateValue value = field_value(name);
    if (conversion == "!r")
      value = TemplateValue::text(represented(context_, value));
    else if (conversion == "!s")
      value = TemplateValue::text(printed(context_, value));
    else if (!conversion.empty())
      context_.fail("'format': unknown conversion '", conversion, "'");
    result_.append(spec.empty() ? printed(context_, value) : format_value(context_, value, parse_spec(context_, spec)));
  }

  TemplateValue field_value(std::string_view name) {
    const size_t end = std::min(name.find_first_of(".["), name.size());
    TemplateValue value = argument(name.substr(0, end));
    for (std::string_view rest = name.substr(end); !rest.empty();) {
      const bool is_item = rest[0] == '[';
      const size_t stop = is_item ? rest.find(']') : std::min(rest.find_first_of(".[", 1), rest.size());
      if (stop == std::string_view::npos || (!is_item && rest[0] != '.'))
        context_.fail("'format': bad field '", name, "'");
      const std::string_view key = rest.substr(1, stop - 1);
      const auto index = parse_index(key);
      value = !is_item ? attribute_of(context_, value, key)
                       : item_of(context_, value,
                                 index ? TemplateValue::integer(*index) : TemplateValue::text(std::string(key)));
      rest.remove_prefix(std::min(stop + is_item, rest.size()));
    }
    return value;
  }

  TemplateValue argument(std::string_view name) {
    const auto index = name.empty() ? std::optional<int64_t>(next_++) : parse_index(name);
    if (index && *index >= 0 && *index < static_cast<int64_t>(arguments_.positional.size()))
      return arguments_.positional[*index];
    for (const auto& [other, value] : arguments_.named) {
      if (!index && other == name) return value;
    }
    context_.fail("'format': there is no value for the field '", name, "'");
  }

  JinjaContext& context_;
  const TracedText& format_;
  const std::string_view bytes_;
  const JinjaArguments& arguments_;
  int64_t next_ = 0;
  TracedText result_;
};

}  // namespace

TracedText brace_format(JinjaContext& context, const TracedText& format, const JinjaArguments& arguments) {
  return BraceFormatter(context, format, arguments).run();
}

}  // namespace vlsi
