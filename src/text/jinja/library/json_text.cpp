#include "text/jinja/library/json_text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "base/utf8.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_values.h"
#include "text/jinja/template_object.h"

namespace vlsi {
namespace {

std::string unicode_escape(char32_t c) {
  char text[16];
  if (c < 0x10000) {
    std::snprintf(text, sizeof(text), "\\u%04x", static_cast<unsigned>(c));
  } else {
    const unsigned rest = static_cast<unsigned>(c) - 0x10000;
    std::snprintf(text, sizeof(text), "\\u%04x\\u%04x", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
  }
  return text;
}

/// The escape of a character; empty where it is written as it is.
std::string json_escape(char32_t c, bool ensure_ascii) {
  switch (c) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    case '\f': return "\\f";
    case '\b': return "\\b";
    default: return c < 0x20 || (ensure_ascii && c > 0x7F) ? unicode_escape(c) : "";
  }
}

class JsonTextWriter {
 public:
  JsonTextWriter(JinjaContext& context, const JsonTextOptions& options) : context_(context), options_(options) {}

  TracedText write(const TemplateValue& value) {
    append(value, 0);
    return std::move(result_);
  }

 private:
  void append(const TemplateValue& value, size_t level) {
    const size_t before = result_.num_bytes();
    if (const auto* dict = value.as_dict()) return append_dict(*dict, level);
    const auto* sequence = value.as_sequence();
    if (sequence &&
        (sequence->form == TemplateSequence::Form::kList || sequence->form == TemplateSequence::Form::kTuple)) {
      return append_list(sequence->items, level);
    }
    if (const TracedText* text = value.as_text()) {
      append_text(*text);
    } else {
      result_.append(scalar_text(value));
    }
    context_.make(result_.num_bytes() - before);
  }

  std::string scalar_text(const TemplateValue& value) {
    if (value.is_none()) return "null";
    if (value.as_bool()) return *value.as_bool() ? "true" : "false";
    if (value.as_integer()) return std::to_string(*value.as_integer());
    if (value.as_number() == nullptr)
      context_.fail("a ", value.type_name(), " has no form in JSON", value.is_undefined() ? ": " + value.what() : "");
    const double number = *value.as_number();
    return std::isnan(number)   ? "NaN"
           : std::isinf(number) ? (number < 0 ? "-Infinity" : "Infinity")
                                : python_float(number);
  }

  void append_text(const TracedText& text) {
    result_.append("\"");
    for (size_t i = 0; i < text.size();) {
      const Utf8Step step = next_code_point(std::string_view(text.bytes()).substr(i));
      const std::string escape = json_escape(step.code_point, options_.ensure_ascii);
      if (escape.empty()) {
        result_.append(text, i, i + step.num_bytes);
      } else {
        result_.append_for(text, i, escape);
      }
      i += step.num_bytes;
    }
    result_.append("\"");
  }

  void append_key(const TemplateValue& key) {
    if (const TracedText* text = key.as_text()) return append_text(*text);
    if (key.as_sequence()) context_.fail("a ", key.type_name(), " can be no key in JSON");
    append_text(TracedText(scalar_text(key)));
  }

  /// Before the first item of a collection (`is_first`), or between two.
  void separate(bool is_first, size_t level) {
    if (!is_first) result_.append(options_.item_separator);
    break_line(level);
  }

  void break_line(size_t level) {
    if (!options_.indent) return;
    context_.make(level * options_.indent->size());
    result_.append("\n");
    for (size_t i = 0; i < level; ++i) result_.append(*options_.indent);
  }

  void append_list(const std::vector<TemplateValue>& items, size_t level) {
    context_.make(2);
    result_.append("[");
    for (size_t i = 0; i < items.size(); ++i) {
      separate(i == 0, level + 1);
      append(items[i], level + 1);
    }
    if (!items.empty()) break_line(level);
    result_.append("]");
  }

  void append_dict(const TemplateDict& dict, size_t level) {
    context_.make(2);
    std::vector<const TemplateDict::Entry*> entries;
    for (const auto& entry : dict.entries()) entries.push_back(&entry);
    if (options_.sort_keys) {
      std::stable_sort(entries.begin(), entries.end(),
                       [&](const auto* a, const auto* b) { return is_less(context_, a->first, b->first); });
    }
    result_.append("{");
    for (size_t i = 0; i < entries.size(); ++i) {
      separate(i == 0, level + 1);
      append_key(entries[i]->first);
      result_.append(options_.key_separator);
      append(entries[i]->second, level + 1);
    }
    if (!entries.empty()) break_line(level);
    result_.append("}");
  }

  JinjaContext& context_;
  const JsonTextOptions& options_;
  TracedText result_;
};

}  // namespace

TracedText json_text(JinjaContext& context, const TemplateValue& value, const JsonTextOptions& options) {
  return JsonTextWriter(context, options).write(value);
}

}  // namespace vlsi
