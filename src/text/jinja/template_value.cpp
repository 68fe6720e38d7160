#include "text/jinja/template_value.h"

#include <algorithm>
#include <cmath>

#include "base/number_text.h"
#include "text/jinja/template_object.h"

namespace vlsi {
namespace {

/// The integer that a double is, where it is one.
std::optional<int64_t> exact_integer(double value) {
  constexpr double kLimit = 9.2e18;
  if (std::floor(value) != value || std::abs(value) > kLimit) return std::nullopt;
  return static_cast<int64_t>(value);
}

/// The same text for what Python takes for equal keys: 1, 1.0 and True. Empty for what can be none.
std::optional<std::string> key_text(const TemplateValue& value) {
  if (value.is_none()) return "none";
  if (const TracedText* text = value.as_text()) return concat("s", text->bytes());
  if (const auto real = value.real()) {
    const auto whole = value.as_number() ? exact_integer(*real) : value.whole();
    return whole ? concat("i", *whole) : concat("d", number_text(*real));
  }
  const TemplateSequence* sequence = value.as_sequence();
  const bool is_key = sequence != nullptr && sequence->form == TemplateSequence::Form::kTuple &&
                      sequence->nesting == 1 && sequence->items.size() <= TemplateDict::kMaxKeyItems;
  if (!is_key) return std::nullopt;
  std::string all = "t";
  for (const auto& item : sequence->items) {
    const auto text = key_text(item);
    if (!text) return std::nullopt;
    all += concat(text->size(), ":", *text);
  }
  return all;
}

size_t deepest(const std::vector<TemplateValue>& items) {
  size_t nesting = 0;
  for (const auto& item : items) nesting = std::max(nesting, item.nesting());
  return nesting;
}

}  // namespace

TemplateValue TemplateValue::undefined(std::string what) {
  return TemplateValue(Variant(Undefined{std::make_shared<const std::string>(std::move(what))}));
}

TemplateValue TemplateValue::text(TracedText text) {
  return TemplateValue(Variant(std::make_shared<const TracedText>(std::move(text))));
}

TemplateValue TemplateValue::text(std::string bytes, int32_t origin) {
  return text(TracedText(std::move(bytes), origin));
}

TemplateValue TemplateValue::list(std::vector<TemplateValue> items) { return sequence({.items = std::move(items)}); }

TemplateValue TemplateValue::sequence(TemplateSequence sequence) {
  sequence.nesting = 1 + deepest(sequence.items);
  return TemplateValue(Variant(std::make_shared<TemplateSequence>(std::move(sequence))));
}

TemplateValue TemplateValue::dict(TemplateDict dict) {
  return TemplateValue(Variant(std::make_shared<const TemplateDict>(std::move(dict))));
}

TemplateValue TemplateValue::dict(std::vector<std::pair<std::string, TemplateValue>> entries) {
  TemplateDict all;
  for (auto& [key, value] : entries) all.set(key, std::move(value));
  return dict(std::move(all));
}

TemplateValue TemplateValue::object(std::shared_ptr<TemplateObject> object) {
  return TemplateValue(Variant(std::move(object)));
}

TemplateValue TemplateValue::from_json(const OrderedJson& json, int32_t origin) {
  if (json.is_boolean()) return boolean(json.get<bool>());
  if (json.is_number_unsigned() && json.get<uint64_t>() > INT64_MAX) return number(json.get<double>());
  if (json.is_number_integer()) return integer(json.get<int64_t>());
  if (json.is_number()) return number(json.get<double>());
  if (json.is_string()) return text(json.get<std::string>(), origin);
  if (json.is_array()) {
    std::vector<TemplateValue> items;
    for (const auto& item : json) items.push_back(from_json(item, origin));
    return list(std::move(items));
  }
  if (!json.is_object()) return {};
  TemplateDict entries;
  for (const auto& [key, value] : json.items()) entries.set(key, from_json(value, origin));
  return dict(std::move(entries));
}

std::optional<int64_t> TemplateValue::whole() const {
  if (const bool* value = as_bool()) return *value;
  if (const int64_t* value = as_integer()) return *value;
  return std::nullopt;
}

std::optional<double> TemplateValue::real() const {
  if (const double* value = as_number()) return *value;
  if (const auto value = whole()) return static_cast<double>(*value);
  return std::nullopt;
}

const std::string& TemplateValue::what() const { return *std::get<Undefined>(value_).what; }

std::string_view TemplateValue::type_name() const {
  if (is_none()) return "NoneType";
  if (is_undefined()) return "Undefined";
  if (as_bool()) return "bool";
  if (as_integer()) return "int";
  if (as_number()) return "float";
  if (as_text()) return "str";
  if (as_dict()) return "dict";
  if (as_object()) return as_object()->type_name();
  switch (as_sequence()->form) {
    case TemplateSequence::Form::kList: return "list";
    case TemplateSequence::Form::kTuple: return "tuple";
    case TemplateSequence::Form::kView: return as_sequence()->shown;
    default: return "generator";
  }
}

size_t TemplateValue::nesting() const {
  if (const auto* sequence = as_sequence()) return sequence->nesting;
  if (as_dict() != nullptr) return as_dict()->nesting();
  return as_object() != nullptr ? as_object()->nesting() : 0;
}

size_t TemplateValue::size() const {
  if (const auto* text = as_text()) return text->size();
  if (const auto* sequence = as_sequence()) return sequence->items.size();
  return as_dict() ? as_dict()->size() : 1;
}

bool TemplateDict::can_be_key(const TemplateValue& value) { return key_text(value).has_value(); }

void TemplateDict::set(const TemplateValue& key, TemplateValue value) {
  nesting_ = std::max({nesting_, 1 + value.nesting(), 1 + key.nesting()});
  const auto [place, is_new] = places_.emplace(key_text(key).value(), entries_.size());
  if (is_new) {
    entries_.emplace_back(key, std::move(value));
  } else {
    entries_[place->second].second = std::move(value);
  }
}

const TemplateValue* TemplateDict::find(const TemplateValue& key) const {
  const auto text = key_text(key);
  if (!text) return nullptr;
  const auto found = places_.find(*text);
  return found == places_.end() ? nullptr : &entries_[found->second].second;
}

const TemplateValue* TemplateDict::find(std::string_view key) const {
  const auto found = places_.find(concat("s", key));
  return found == places_.end() ? nullptr : &entries_[found->second].second;
}

}  // namespace vlsi
