#include "text/jinja/library/percent_format.h"

#include <cmath>

#include "text/jinja/library/number_format.h"
#include "text/jinja/python_values.h"

namespace vlsi {
namespace {

class PercentFormatter {
 public:
  PercentFormatter(JinjaContext& context, const TracedText& format, const TemplateValue& values)
      : context_(context), format_(format), values_(values) {
    const auto* sequence = values.as_sequence();
    if (sequence && sequence->form == TemplateSequence::Form::kTuple) {
      items_ = sequence->items;
    } else {
      items_ = {values};
    }
  }

  TracedText run() {
    while (position_ < format_.size()) {
      const size_t next = std::min(format_.bytes().find('%', position_), format_.size());
      result_.append(format_, position_, next);
      position_ = next + 1;
      if (next < format_.size()) convert();
    }
    if (next_item_ < items_.size() && !values_.as_dict()) context_.fail("'%': not all values are used");
    context_.make(result_.num_bytes());
    return std::move(result_);
  }

 private:
  char peek() const { return position_ < format_.size() ? format_.bytes()[position_] : '\0'; }

  const TemplateValue& next_item() {
    if (next_item_ == items_.size()) context_.fail("'%': too few values for the format");
    return items_[next_item_++];
  }

  /// A number of the format, or the next value for a `*`.
  std::optional<int64_t> number() {
    if (peek() == '*') {
      ++position_;
      const auto value = next_item().whole();
      if (!value) context_.fail("'%': '*' wants an int");
      return value;
    }
    std::optional<int64_t> value;
    while (peek() >= '0' && peek() <= '9') {
      if (value.value_or(0) > INT32_MAX) context_.fail("'%': a width is too large");
      value = value.value_or(0) * 10 + (format_.bytes()[position_++] - '0');
    }
    return value;
  }

  /// The value that %(name) names, if the position is at one.
  const TemplateValue* named_value() {
    if (peek() != '(') return nullptr;
    const size_t end = format_.bytes().find(')', position_);
    const TemplateDict* dict = values_.as_dict();
    if (end == std::string::npos || dict == nullptr) context_.fail("'%': the format requires a dict");
    const std::string name = format_.bytes().substr(position_ + 1, end - position_ - 1);
    position_ = end + 1;
    const TemplateValue* found = dict->find(name);
    if (found == nullptr) context_.fail("'%': the dict has no key '", name, "'");
    return found;
  }

  void convert() {
    const TemplateValue* named = named_value();
    FormatSpec spec;
    bool left = false, zeros = false;
    for (; peek() != '\0' && std::string_view("-+ #0").find(peek()) != std::string_view::npos; ++position_) {
      left = left || peek() == '-';
      zeros = zeros || peek() == '0';
      spec.alternate = spec.alternate || peek() == '#';
      if (peek() == '+' || (peek() == ' ' && spec.sign != '+')) spec.sign = peek();
    }
    spec.width = number().value_or(0);
    if (peek() == '.') {
      ++position_;
      spec.precision = number().value_or(0);
    }
    const char type = peek();
    ++position_;
    if (type == '%') return result_.append("%");
    if (type == '\0' || std::string_view("srdiuxXoeEfFgGc").find(type) == std::string_view::npos) {
      context_.fail("'%': the format has the conversion '",
                    type == '\0' ? std::string("nothing") : std::string(1, type),
                    "', expected one of s r d i x X o e f g %");
    }
    spec.align = left ? '<' : zeros && type != 's' && type != 'r' ? '=' : '>';
    if (spec.align == '=') spec.fill = "0";
    append_converted(named ? *named : next_item(), type, spec);
  }

  void append_converted(const TemplateValue& value, char type, FormatSpec spec) {
    TemplateValue converted = value;
    if (type == 'r') converted = TemplateValue::text(represented(context_, value));
    if (type == 's' || type == 'c') converted = TemplateValue::text(printed(context_, value));
    const bool is_decimal = type == 'd' || type == 'i' || type == 'u';
    if (is_decimal && value.as_number()) converted = TemplateValue::integer(truncated(*value.as_number()));
    spec.type = type == 'r' || type == 'c' ? 's' : is_decimal ? 'd' : type;
    if (spec.type == 'd') spec.precision.reset();
    result_.append(format_value(context_, converted, spec));
  }

  int64_t truncated(double value) const {
    if (!(std::abs(value) < 9.2e18)) context_.fail("'%': a number is beyond 64 bits");
    return static_cast<int64_t>(value);
  }

  JinjaContext& context_;
  const TracedText& format_;
  const TemplateValue& values_;
  std::vector<TemplateValue> items_;
  size_t next_item_ = 0, position_ = 0;
  TracedText result_;
};

}  // namespace

TracedText percent_format(JinjaContext& context, const TracedText& format, const TemplateValue& values) {
  return PercentFormatter(context, format, values).run();
}

}  // namespace vlsi
