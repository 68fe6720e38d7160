#include "text/jinja/python_values.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/utf8.h"
#include "text/jinja/characters.h"
#include "text/jinja/template_object.h"

namespace vlsi {
namespace {

using Form = TemplateSequence::Form;

/// Appends what repr() gives for the character at `index` of `text` in quotes of this kind.
void append_represented(const TracedText& text, size_t index, const Utf8Step& step, char quote, TracedText& result) {
  const char32_t c = step.code_point;
  if (c == static_cast<char32_t>(quote) || c == '\\')
    return result.append_for(text, index, std::string("\\") + static_cast<char>(c));
  if (c == '\n') return result.append_for(text, index, "\\n");
  if (c == '\r') return result.append_for(text, index, "\\r");
  if (c == '\t') return result.append_for(text, index, "\\t");
  if (is_printable(c)) return result.append(text, index, index + step.num_bytes);
  char escape[16];
  std::snprintf(escape, sizeof(escape),
                c < 0x100     ? "\\x%02x"
                : c < 0x10000 ? "\\u%04x"
                              : "\\U%08x",
                static_cast<unsigned>(c));
  result.append_for(text, index, escape);
}

void represent_text(const TracedText& text, TracedText& result) {
  const bool has_single = text.bytes().find('\'') != std::string::npos;
  const char quote = has_single && text.bytes().find('"') == std::string::npos ? '"' : '\'';
  result.append(std::string_view(&quote, 1));
  for (size_t i = 0; i < text.size();) {
    const Utf8Step step = next_code_point(std::string_view(text.bytes()).substr(i));
    append_represented(text, i, step, quote, result);
    i += step.num_bytes;
  }
  result.append(std::string_view(&quote, 1));
}

void represent(JinjaContext& context, const TemplateValue& value, TracedText& result);

void represent_items(JinjaContext& context, const std::vector<TemplateValue>& items, TracedText& result) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) result.append(", ");
    represent(context, items[i], result);
  }
}

void represent_sequence(JinjaContext& context, const TemplateSequence& sequence, TracedText& result) {
  switch (sequence.form) {
    case Form::kIterator: return result.append("<generator object>");
    case Form::kTuple:
      result.append("(");
      represent_items(context, sequence.items, result);
      return result.append(sequence.items.size() == 1 ? ",)" : ")");
    default:
      result.append(sequence.form == Form::kView ? sequence.shown + "([" : "[");
      represent_items(context, sequence.items, result);
      return result.append(sequence.form == Form::kView ? "])" : "]");
  }
}

void represent_dict(JinjaContext& context, const TemplateDict& dict, TracedText& result) {
  result.append("{");
  for (size_t i = 0; i < dict.size(); ++i) {
    if (i > 0) result.append(", ");
    represent(context, dict.entries()[i].first, result);
    result.append(": ");
    represent(context, dict.entries()[i].second, result);
  }
  result.append("}");
}

void represent(JinjaContext& context, const TemplateValue& value, TracedText& result) {
  const size_t before = result.num_bytes();
  constexpr size_t kBrackets = 2;  // count for what is empty: shared values make many of one
  if (value.as_sequence() || value.as_dict()) context.make(kBrackets);
  if (const auto* sequence = value.as_sequence()) {
    represent_sequence(context, *sequence, result);
  } else if (const auto* dict = value.as_dict()) {
    represent_dict(context, *dict, result);
  } else if (const auto* text = value.as_text()) {
    represent_text(*text, result);
    context.make(result.num_bytes() - before);
  } else {
    result.append(value.is_undefined() ? TracedText("Undefined") : printed(context, value));
    context.make(result.num_bytes() - before);
  }
}

std::vector<TemplateValue> characters_of(const TracedText& text) {
  std::vector<TemplateValue> items;
  for (size_t i = 0; i < text.size();) {
    const size_t end = i + next_code_point(std::string_view(text.bytes()).substr(i)).num_bytes;
    items.push_back(TemplateValue::text(text.slice(i, end)));
    i = end;
  }
  return items;
}

}  // namespace

bool is_true(const TemplateValue& value) {
  if (value.is_none() || value.is_undefined()) return false;
  if (const auto real = value.real()) return *real != 0;
  if (const auto* sequence = value.as_sequence()) return sequence->form == Form::kIterator || !sequence->items.empty();
  return value.size() != 0;
}

std::string python_float(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  constexpr int kFirstExponent = 16, kLastExponent = -5;  // from here on, and down from here, with an exponent
  char text[64];
  const auto format = [&](std::chars_format how) {
    return std::string(text, std::to_chars(text, text + sizeof(text), value, how).ptr);
  };
  const std::string scientific = format(std::chars_format::scientific);
  const int exponent = std::stoi(scientific.substr(scientific.find('e') + 1));
  if (value != 0 && (exponent >= kFirstExponent || exponent <= kLastExponent)) return scientific;
  const std::string plain = format(std::chars_format::fixed);
  return plain.find('.') == std::string::npos ? plain + ".0" : plain;
}

TracedText printed(JinjaContext& context, const TemplateValue& value) {
  if (const auto* text = value.as_text()) return *text;
  if (value.is_undefined()) return {};
  if (value.is_none()) return TracedText("None");
  if (const bool* flag = value.as_bool()) return TracedText(*flag ? "True" : "False");
  if (const int64_t* integer = value.as_integer()) return TracedText(std::to_string(*integer));
  if (const double* number = value.as_number()) return TracedText(python_float(*number));
  if (const auto* object = value.as_object()) return TracedText(concat("<", object->type_name(), ">"));
  return represented(context, value);
}

TracedText represented(JinjaContext& context, const TemplateValue& value) {
  TracedText result;
  represent(context, value, result);
  return result;
}

std::vector<TemplateValue> items_of(JinjaContext& context, const TemplateValue& value) {
  if (value.is_undefined()) return {};
  context.make(value.size() * (value.as_text() ? JinjaLimits::kBytesPerText : JinjaLimits::kBytesPerEntry));
  if (auto* sequence = value.as_sequence()) {
    if (sequence->form != Form::kIterator) return sequence->items;
    if (sequence->taken) return {};
    sequence->taken = true;
    return sequence->items;
  }
  if (const auto* text = value.as_text()) return characters_of(*text);
  const auto* dict = value.as_dict();
  if (dict == nullptr) context.fail("a ", value.type_name(), " is no collection to go through");
  std::vector<TemplateValue> keys;
  for (const auto& [key, ignored] : dict->entries()) keys.push_back(key);
  return keys;
}

int64_t length_of(JinjaContext& context, const TemplateValue& value) {
  if (value.is_undefined()) return 0;
  context.look_at(value.size());
  if (const auto* text = value.as_text()) return static_cast<int64_t>(count_characters(text->bytes()));
  const auto* sequence = value.as_sequence();
  const bool has_length = value.as_dict() != nullptr || (sequence != nullptr && sequence->form != Form::kIterator);
  if (!has_length) context.fail("a ", value.type_name(), " has no length");
  return static_cast<int64_t>(value.size());
}

}  // namespace vlsi
