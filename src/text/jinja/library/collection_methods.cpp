// Methods of Python's list, tuple and dict. Those that would change one are refused, as the templates' sandbox does.
#include <algorithm>

#include "text/jinja/library/call.h"
#include "text/jinja/operators.h"

namespace vlsi {
namespace {

using Form = TemplateSequence::Form;

TemplateValue refuse_change(JinjaCall& call) {
  call.context.fail("'", call.name, "' would change a ", call.self.type_name(), ", which templates may not");
}

TemplateValue copy_collection(JinjaCall& call) { return call.self; }

TemplateValue count_items(JinjaCall& call) {
  int64_t count = 0;
  for (const auto& item : call.self.as_sequence()->items) count += are_equal(call.context, item, call.value(0));
  return TemplateValue::integer(count);
}

TemplateValue index_of_item(JinjaCall& call) {
  const auto& items = call.self.as_sequence()->items;
  for (size_t i = 0; i < items.size(); ++i) {
    if (are_equal(call.context, items[i], call.value(0))) return TemplateValue::integer(static_cast<int64_t>(i));
  }
  call.context.fail("'index': the value is not there");
}

TemplateValue get_entry(JinjaCall& call) {
  const TemplateValue* found = call.self.as_dict()->find(call.value(0));
  if (found != nullptr) return *found;
  return call.find(1) ? *call.find(1) : TemplateValue();
}

TemplateValue dict_items(JinjaCall& call) {
  TemplateSequence view{.form = Form::kView, .items = {}, .shown = "dict_items"};
  for (const auto& [key, value] : call.self.as_dict()->entries()) {
    view.items.push_back(TemplateValue::sequence({.form = Form::kTuple, .items = {key, value}}));
  }
  return TemplateValue::sequence(std::move(view));
}

TemplateValue dict_keys(JinjaCall& call) {
  TemplateSequence view{.form = Form::kView, .items = {}, .shown = "dict_keys"};
  for (const auto& [key, value] : call.self.as_dict()->entries()) view.items.push_back(key);
  return TemplateValue::sequence(std::move(view));
}

TemplateValue dict_values(JinjaCall& call) {
  TemplateSequence view{.form = Form::kView, .items = {}, .shown = "dict_values"};
  for (const auto& [key, value] : call.self.as_dict()->entries()) view.items.push_back(value);
  return TemplateValue::sequence(std::move(view));
}

}  // namespace

const Table<JinjaBuiltin>& jinja_list_methods() {
  static const Table<JinjaBuiltin> methods{
      {"append", "*", refuse_change},  {"clear", "*", refuse_change},  {"copy", "", copy_collection},
      {"count", "value", count_items}, {"extend", "*", refuse_change}, {"index", "value", index_of_item},
      {"insert", "*", refuse_change},  {"pop", "*", refuse_change},    {"remove", "*", refuse_change},
      {"reverse", "*", refuse_change}, {"sort", "*", refuse_change},
  };
  return methods;
}

const Table<JinjaBuiltin>& jinja_dict_methods() {
  static const Table<JinjaBuiltin> methods{
      {"clear", "*", refuse_change},     {"copy", "", copy_collection},
      {"get", "key default", get_entry}, {"items", "", dict_items},
      {"keys", "", dict_keys},           {"pop", "*", refuse_change},
      {"popitem", "*", refuse_change},   {"setdefault", "*", refuse_change},
      {"update", "*", refuse_change},    {"values", "", dict_values},
  };
  return methods;
}

}  // namespace vlsi
