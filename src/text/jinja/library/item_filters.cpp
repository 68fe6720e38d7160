// Filters that go through the items of a collection: choosing, ordering, grouping and changing them.
#include <algorithm>
#include <charconv>
#include <string>

#include "text/jinja/library/filters.h"
#include "text/jinja/library/text_operations.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_values.h"
#include "text/jinja/subscript.h"

namespace vlsi {
namespace {

using Form = TemplateSequence::Form;
using Items = std::vector<TemplateValue>;

/// As it is compared: in lower case, where case does not count.
TemplateValue comparable(TemplateValue value, bool case_sensitive) {
  if (case_sensitive || !value.as_text()) return value;
  return TemplateValue::text(lowercase(*value.as_text()));
}

TemplateValue pair_of(TemplateValue first, TemplateValue second) {
  return TemplateValue::sequence({.form = Form::kTuple, .items = {std::move(first), std::move(second)}});
}

/// What items are ordered by, and the item.
struct KeyedItem {
  TemplateValue key, item;
};

void sort_keyed(JinjaContext& context, std::vector<KeyedItem>& items, bool reverse) {
  const auto before = [&](const KeyedItem& a, const KeyedItem& b) {
    return reverse ? is_less(context, b.key, a.key) : is_less(context, a.key, b.key);
  };
  std::stable_sort(items.begin(), items.end(), before);
}

/// The values along each of the paths, which commas part, as a list to compare by.
TemplateValue sort_key(const JinjaCall& call, const TemplateValue& item, const TemplateValue* paths,
                       bool case_sensitive) {
  const TracedText* text = paths ? paths->as_text() : nullptr;
  if (text == nullptr || text->bytes().find(',') == std::string::npos)
    return comparable(attribute_along(call.context, item, paths), case_sensitive);
  Items keys;
  for (auto& path : split(call.context, *text, ",", -1, TextEnds::kLeft)) {
    const TemplateValue one = TemplateValue::text(std::move(path));
    keys.push_back(comparable(attribute_along(call.context, item, &one), case_sensitive));
  }
  return TemplateValue::list(std::move(keys));
}

TemplateValue items_in_order(std::vector<KeyedItem> keyed) {
  Items items;
  for (auto& [key, item] : keyed) items.push_back(std::move(item));
  return TemplateValue::list(std::move(items));
}

TemplateValue filter_sort(JinjaCall& call) {
  std::vector<KeyedItem> keyed;
  for (auto& item : items_of(call.context, call.self))
    keyed.push_back({sort_key(call, item, call.find(2), call.flag(1, false)), item});
  sort_keyed(call.context, keyed, call.flag(0, false));
  return items_in_order(std::move(keyed));
}

TemplateValue filter_dictsort(JinjaCall& call) {
  const TemplateDict* dict = call.self.as_dict();
  if (dict == nullptr) call.context.fail("'dictsort' of a ", call.self.type_name(), ", expected a dict");
  const std::string by = call.find(1) ? call.text(1).bytes() : "key";
  if (by != "key" && by != "value") call.context.fail("'dictsort' by '", by, "', expected key or value");
  std::vector<KeyedItem> keyed;
  for (const auto& [key, value] : dict->entries()) {
    keyed.push_back({comparable(by == "key" ? key : value, call.flag(0, false)), pair_of(key, value)});
  }
  sort_keyed(call.context, keyed, call.flag(2, false));
  return items_in_order(std::move(keyed));
}

TemplateValue filter_groupby(JinjaCall& call) {
  const TemplateValue* path = &call.value(0);
  const bool case_sensitive = call.flag(2, false);
  const auto grouper = [&](const TemplateValue& item) {
    return attribute_along(call.context, item, path, call.find(1));
  };
  std::vector<KeyedItem> keyed;
  for (auto& item : items_of(call.context, call.self))
    keyed.push_back({comparable(grouper(item), case_sensitive), item});
  sort_keyed(call.context, keyed, false);
  Items groups;
  for (size_t begin = 0; begin < keyed.size();) {
    size_t end = begin;
    Items members;
    while (end < keyed.size() && are_equal(call.context, keyed[begin].key, keyed[end].key))
      members.push_back(keyed[end++].item);
    groups.push_back(pair_of(grouper(keyed[begin].item), call.context.made(TemplateValue::list(std::move(members)))));
    begin = end == begin ? end + 1 : end;
  }
  return TemplateValue::list(std::move(groups));
}

TemplateValue filter_unique(JinjaCall& call) {
  TemplateDict seen;
  Items kept;
  for (auto& item : items_of(call.context, call.self)) {
    const TemplateValue key = comparable(attribute_along(call.context, item, call.find(1)), call.flag(0, false));
    if (!TemplateDict::can_be_key(key)) call.context.fail("'unique' of a ", key.type_name());
    if (seen.find(key)) continue;
    seen.set(key, {});
    kept.push_back(std::move(item));
  }
  return TemplateValue::sequence({.form = Form::kIterator, .items = std::move(kept)});
}

template <bool kMax>
TemplateValue filter_extreme(JinjaCall& call) {
  const auto items = items_of(call.context, call.self);
  if (items.empty()) return TemplateValue::undefined(concat("an empty collection has no ", call.name));
  const auto key = [&](const TemplateValue& item) {
    return comparable(attribute_along(call.context, item, call.find(1)), call.flag(0, false));
  };
  const TemplateValue* best = &items[0];
  for (const auto& item : items) {
    if (kMax ? is_less(call.context, key(*best), key(item)) : is_less(call.context, key(item), key(*best)))
      best = &item;
  }
  return *best;
}

/// The entry of `table` that the text `name` names.
const JinjaBuiltin& named_builtin(const JinjaCall& call, const Table<JinjaBuiltin>& table, const TemplateValue& name) {
  const JinjaBuiltin* found = name.as_text() ? table.find(name.as_text()->bytes()) : nullptr;
  if (found == nullptr)
    call.context.fail("'", call.name, "' with an unknown function '", printed(call.context, name).bytes(), "'");
  return *found;
}

/// What a value that is false (None, too) has none of.
Items items_if_any(const JinjaCall& call) { return is_true(call.self) ? items_of(call.context, call.self) : Items{}; }

TemplateValue filter_map(JinjaCall& call) {
  JinjaArguments arguments = call.rest;
  const TemplateValue *attribute = nullptr, *otherwise = nullptr;
  const JinjaBuiltin* filter = nullptr;
  if (arguments.positional.empty()) {
    for (const auto& [name, value] : arguments.named) {
      if (name != "attribute" && name != "default") call.context.fail("'map' has no argument '", name, "'");
      (name == "attribute" ? attribute : otherwise) = &value;
    }
    if (attribute == nullptr) call.context.fail("'map' lacks a filter or an attribute");
  } else {
    filter = &named_builtin(call, jinja_filters(), arguments.positional[0]);
    arguments.positional.erase(arguments.positional.begin());
  }
  Items mapped;
  for (const auto& item : items_if_any(call)) {
    mapped.push_back(filter ? apply_builtin(call.context, *filter, item, arguments)
                            : attribute_along(call.context, item, attribute, otherwise));
  }
  return TemplateValue::sequence({.form = Form::kIterator, .items = std::move(mapped)});
}

/// Items, or those whose attribute, the first argument, passes a test (without one: is true), or does not pass it.
template <bool kByAttribute, bool kKeeps>
TemplateValue choose(JinjaCall& call) {
  JinjaArguments arguments = call.rest;
  auto& positional = arguments.positional;
  if (kByAttribute && positional.empty()) call.context.fail("'", call.name, "' lacks an attribute");
  const TemplateValue path = kByAttribute ? positional[0] : TemplateValue();
  if (kByAttribute) positional.erase(positional.begin());
  const JinjaBuiltin* test = positional.empty() ? nullptr : &named_builtin(call, jinja_tests(), positional[0]);
  if (test != nullptr) positional.erase(positional.begin());
  Items kept;
  for (auto& item : items_if_any(call)) {
    const TemplateValue value = attribute_along(call.context, item, kByAttribute ? &path : nullptr);
    if (is_true(test ? apply_builtin(call.context, *test, value, arguments) : value) == kKeeps)
      kept.push_back(std::move(item));
  }
  return TemplateValue::sequence({.form = Form::kIterator, .items = std::move(kept)});
}

}  // namespace

TemplateValue attribute_along(JinjaContext& context, const TemplateValue& value, const TemplateValue* path,
                              const TemplateValue* otherwise) {
  if (path == nullptr || path->is_none()) return value;
  TemplateValue found = value;
  if (path->as_text() == nullptr) {
    found = item_of(context, value, *path);
    return found.is_undefined() && otherwise ? *otherwise : found;
  }
  for (const auto& part : split(context, *path->as_text(), ".", -1, TextEnds::kLeft)) {
    int64_t index = 0;
    const std::string& name = part.bytes();
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
    const bool is_index = !name.empty() && error == std::errc() && end == name.data() + name.size() && index >= 0;
    found = item_of(context, found, is_index ? TemplateValue::integer(index) : TemplateValue::text(part));
    if (found.is_undefined() && otherwise) found = *otherwise;
  }
  return found;
}

std::vector<JinjaBuiltin> item_filters() {
  return {
      {"dictsort", "case_sensitive by reverse", filter_dictsort},
      {"groupby", "attribute default case_sensitive", filter_groupby},
      {"map", "*", filter_map},
      {"max", "case_sensitive attribute", filter_extreme<true>},
      {"min", "case_sensitive attribute", filter_extreme<false>},
      {"reject", "*", choose<false, false>},
      {"rejectattr", "*", choose<true, false>},
      {"select", "*", choose<false, true>},
      {"selectattr", "*", choose<true, true>},
      {"sort", "reverse case_sensitive attribute", filter_sort},
      {"unique", "case_sensitive attribute", filter_unique},
  };
}

}  // namespace vlsi
