#include "text/jinja/subscript.h"

#include <algorithm>
#include <string>

#include "text/jinja/characters.h"
#include "text/jinja/library/call.h"
#include "text/jinja/python_values.h"
#include "text/jinja/template_object.h"

namespace vlsi {
namespace {

using Form = TemplateSequence::Form;

std::optional<TemplateValue> method_of(const TemplateValue& object, std::string_view name) {
  const auto* sequence = object.as_sequence();
  const Table<JinjaBuiltin>* methods = nullptr;
  if (object.as_text()) methods = &jinja_text_methods();
  if (object.as_dict()) methods = &jinja_dict_methods();
  if (sequence && (sequence->form == Form::kList || sequence->form == Form::kTuple)) methods = &jinja_list_methods();
  const JinjaBuiltin* found = methods ? methods->find(name) : nullptr;
  if (found == nullptr) return std::nullopt;
  return bound_builtin(*found, object);
}

std::optional<TemplateValue> entry_of(const TemplateValue& object, const TemplateValue& key) {
  const TemplateDict* dict = object.as_dict();
  const TemplateValue* found = dict ? dict->find(key) : nullptr;
  if (found == nullptr) return std::nullopt;
  return *found;
}

TemplateValue absent(JinjaContext& context, const TemplateValue& object, const TemplateValue& key) {
  const std::string name = key.as_text() ? concat("attribute '", key.as_text()->bytes(), "'")
                                         : concat("element ", printed(context, key).bytes());
  return TemplateValue::undefined(concat("a ", object.type_name(), " has no ", name));
}

void check_defined(JinjaContext& context, const TemplateValue& object) {
  if (object.is_undefined()) context.fail(object.what());
}

std::optional<TemplateValue> element_of(JinjaContext& context, const TemplateValue& object, int64_t index) {
  const auto* sequence = object.as_sequence();
  const bool has_elements = object.as_text() || (sequence && sequence->has_elements());
  if (!has_elements) return std::nullopt;
  const int64_t length = length_of(context, object);
  if (index < 0) index += length;
  if (index < 0 || index >= length) return std::nullopt;
  if (sequence) return sequence->items[index];
  const TracedText& text = *object.as_text();
  const size_t begin = character_start(text.bytes(), index);
  const size_t end = begin + character_start(std::string_view(text.bytes()).substr(begin), 1);
  return context.made(TemplateValue::text(text.slice(begin, end)));
}

/// The indices that a slice of `length` elements takes, as Python's slice.indices.
struct SliceIndices {
  int64_t start, stop, step;

  size_t count() const {
    if (step > 0) return start < stop ? (stop - start - 1) / step + 1 : 0;
    return stop < start ? (start - stop - 1) / -step + 1 : 0;
  }
};

SliceIndices slice_indices(JinjaContext& context, int64_t length, const TemplateValue& start, const TemplateValue& stop,
                           const TemplateValue& step) {
  const auto integer = [&](const TemplateValue& value, int64_t otherwise) {
    if (value.is_none()) return otherwise;
    if (!value.whole()) context.fail("a slice has a bound that is a ", value.type_name(), ", expected an int");
    return *value.whole();
  };
  constexpr int64_t kFar = int64_t{1} << 40;  // longer than anything
  const int64_t by = std::clamp(integer(step, 1), -kFar, kFar);
  if (by == 0) context.fail("a slice has the step 0");
  const int64_t lowest = by < 0 ? -1 : 0, highest = by < 0 ? length - 1 : length;
  const auto bound = [&](const TemplateValue& value, int64_t otherwise) {
    if (value.is_none()) return otherwise;
    const int64_t index = std::clamp(integer(value, 0), -kFar, kFar);
    return std::clamp(index < 0 ? index + length : index, lowest, highest);
  };
  return {bound(start, by < 0 ? highest : lowest), bound(stop, by < 0 ? lowest : highest), by};
}

TemplateValue slice_of_text(const TracedText& text, SliceIndices indices) {
  const std::string_view bytes = text.bytes();
  const size_t count = indices.count();
  if (indices.step == 1) {
    const size_t begin = character_start(bytes, indices.start);
    return TemplateValue::text(text.slice(begin, begin + character_start(bytes.substr(begin), count)));
  }
  std::vector<size_t> starts;
  for (size_t i = 0; i < bytes.size(); i += character_start(bytes.substr(i), 1)) starts.push_back(i);
  starts.push_back(bytes.size());
  TracedText result;
  for (size_t i = 0; i < count; ++i) {
    const size_t index = indices.start + static_cast<int64_t>(i) * indices.step;
    result.append(text, starts[index], starts[index + 1]);
  }
  return TemplateValue::text(std::move(result));
}

}  // namespace

TemplateValue attribute_of(JinjaContext& context, const TemplateValue& object, std::string_view name) {
  check_defined(context, object);
  if (auto* other = object.as_object()) {
    if (auto value = other->attribute(name)) return *std::move(value);
  }
  if (auto method = method_of(object, name)) return *std::move(method);
  const auto key = TemplateValue::text(std::string(name));
  if (auto entry = entry_of(object, key)) return *std::move(entry);
  return absent(context, object, key);
}

TemplateValue item_of(JinjaContext& context, const TemplateValue& object, const TemplateValue& key) {
  check_defined(context, object);
  context.look_at(key.size());
  if (auto entry = entry_of(object, key)) return *std::move(entry);
  if (const auto index = key.whole()) {
    if (auto element = element_of(context, object, *index)) return *std::move(element);
  }
  if (const TracedText* name = key.as_text()) return attribute_of(context, object, name->bytes());
  return absent(context, object, key);
}

TemplateValue slice_of(JinjaContext& context, const TemplateValue& object, const TemplateValue& start,
                       const TemplateValue& stop, const TemplateValue& step) {
  check_defined(context, object);
  const auto* sequence = object.as_sequence();
  if (!object.as_text() && (sequence == nullptr || !sequence->has_elements())) {
    return TemplateValue::undefined(concat("a ", object.type_name(), " has no slices"));
  }
  const SliceIndices indices = slice_indices(context, length_of(context, object), start, stop, step);
  context.look_at(object.size());
  if (const TracedText* text = object.as_text()) return slice_of_text(*text, indices);
  TemplateSequence result{.form = sequence->form, .items = {}, .shown = sequence->shown};
  for (size_t i = 0; i < indices.count(); ++i)
    result.items.push_back(sequence->items[indices.start + static_cast<int64_t>(i) * indices.step]);
  return TemplateValue::sequence(std::move(result));
}

}  // namespace vlsi
