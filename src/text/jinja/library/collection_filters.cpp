// Filters that take collections, or make them, as a whole.
#include <algorithm>
#include <string>

#include "text/jinja/characters.h"
#include "text/jinja/library/filters.h"
#include "text/jinja/library/text_operations.h"
#include "text/jinja/python_values.h"
#include "text/jinja/subscript.h"

namespace vlsi {
namespace {

using Form = TemplateSequence::Form;

TemplateValue iterator_of(std::vector<TemplateValue> items) {
  return TemplateValue::sequence({.form = Form::kIterator, .items = std::move(items)});
}

TemplateValue filter_default(JinjaCall& call) {
  const bool keeps = call.flag(1, false) ? is_true(call.self) : !call.self.is_undefined();
  if (keeps) return call.self;
  return call.find(0) ? call.value(0) : TemplateValue::text("");
}

TemplateValue filter_first(JinjaCall& call) {
  const auto items = items_of(call.context, call.self);
  return items.empty() ? TemplateValue::undefined("an empty collection has no first item") : items.front();
}

TemplateValue filter_last(JinjaCall& call) {
  const auto* sequence = call.self.as_sequence();
  if (sequence && sequence->form == Form::kIterator) call.context.fail("'last' of a generator");
  const auto items = items_of(call.context, call.self);
  return items.empty() ? TemplateValue::undefined("an empty collection has no last item") : items.back();
}

TemplateValue filter_list(JinjaCall& call) { return TemplateValue::list(items_of(call.context, call.self)); }

TemplateValue filter_items(JinjaCall& call) {
  const TemplateDict* dict = call.self.as_dict();
  if (dict == nullptr && !call.self.is_undefined())
    call.context.fail("'items' of a ", call.self.type_name(), ", expected a dict");
  std::vector<TemplateValue> items;
  if (dict != nullptr) {
    for (const auto& [key, value] : dict->entries())
      items.push_back(TemplateValue::sequence({.form = Form::kTuple, .items = {key, value}}));
  }
  return iterator_of(std::move(items));
}

TemplateValue filter_reverse(JinjaCall& call) {
  auto items = items_of(call.context, call.self);
  std::reverse(items.begin(), items.end());
  if (!call.self.as_text()) return iterator_of(std::move(items));
  std::vector<TracedText> characters;
  for (const auto& item : items) characters.push_back(*item.as_text());
  return TemplateValue::text(joined(characters, {}));
}

TemplateValue filter_attr(JinjaCall& call) {
  const std::string name = printed(call.context, call.value(0)).bytes();
  const auto value = attribute_of(call.context, call.self, name);
  const bool is_entry = call.self.as_dict() && !value.as_object();
  return is_entry ? TemplateValue::undefined(concat("a dict has no attribute '", name, "'")) : value;
}

/// Positive, as the filters that cut collections want it.
int64_t positive(const JinjaCall& call, size_t index) {
  const int64_t count = call.value(index).whole() ? call.integer(index, 1) : 0;
  if (count < 1) call.context.fail("'", call.name, "' wants a positive number");
  return count;
}

TemplateValue filter_batch(JinjaCall& call) {
  const auto size = static_cast<size_t>(positive(call, 0));
  const auto items = items_of(call.context, call.self);
  std::vector<TemplateValue> batches;
  for (size_t begin = 0; begin < items.size(); begin += std::min(size, items.size() - begin)) {
    const size_t end = begin + std::min(size, items.size() - begin);
    std::vector<TemplateValue> batch(items.begin() + begin, items.begin() + end);
    if (call.find(1) && !call.find(1)->is_none()) {
      call.context.make(JinjaLimits::kBytesPerEntry, size - batch.size());
      batch.resize(size, call.value(1));
    }
    batches.push_back(call.context.made(TemplateValue::list(std::move(batch))));
  }
  return iterator_of(std::move(batches));
}

TemplateValue filter_slice(JinjaCall& call) {
  const auto count = static_cast<size_t>(positive(call, 0));
  const auto items = items_of(call.context, call.self);
  const size_t length = items.size() / count, longer = items.size() % count;
  std::vector<TemplateValue> slices;
  size_t begin = 0;
  for (size_t i = 0; i < count; ++i) {
    const size_t end = begin + length + (i < longer);
    std::vector<TemplateValue> slice(items.begin() + begin, items.begin() + end);
    if (call.find(1) && !call.find(1)->is_none() && i >= longer) slice.push_back(call.value(1));
    call.context.make(JinjaLimits::kBytesPerText);
    slices.push_back(call.context.made(TemplateValue::list(std::move(slice))));
    begin = end;
  }
  return iterator_of(std::move(slices));
}

}  // namespace

std::vector<JinjaBuiltin> collection_filters() {
  return {
      {"attr", "name", filter_attr},
      {"batch", "linecount fill_with", filter_batch},
      {"d", "default_value boolean", filter_default},
      {"default", "default_value boolean", filter_default},
      {"first", "", filter_first},
      {"items", "", filter_items},
      {"last", "", filter_last},
      {"list", "", filter_list},
      {"reverse", "", filter_reverse},
      {"slice", "slices fill_with", filter_slice},
  };
}

}  // namespace vlsi
