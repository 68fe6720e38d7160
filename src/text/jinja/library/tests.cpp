// What stands behind `is`.
#include <string>

#include "text/jinja/library/call.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_values.h"

namespace vlsi {
namespace {

template <bool (*kHolds)(const TemplateValue&)>
TemplateValue test_value(JinjaCall& call) {
  return TemplateValue::boolean(kHolds(call.self));
}

bool is_boolean(const TemplateValue& value) { return value.as_bool() != nullptr; }
bool is_callable(const TemplateValue& value) { return value.as_object() && value.as_object()->is_callable(); }
bool is_defined(const TemplateValue& value) { return !value.is_undefined(); }
bool is_undefined(const TemplateValue& value) { return value.is_undefined(); }
bool is_false(const TemplateValue& value) { return value.as_bool() && !*value.as_bool(); }
bool is_float(const TemplateValue& value) { return value.as_number() != nullptr; }
bool is_integer(const TemplateValue& value) { return value.as_integer() != nullptr; }
bool is_mapping(const TemplateValue& value) { return value.as_dict() != nullptr; }
bool is_none_value(const TemplateValue& value) { return value.is_none(); }
bool is_number(const TemplateValue& value) { return value.real().has_value(); }
bool is_string(const TemplateValue& value) { return value.as_text() != nullptr; }
bool is_true_value(const TemplateValue& value) { return value.as_bool() && *value.as_bool(); }
bool is_never(const TemplateValue&) { return false; }

bool is_iterable(const TemplateValue& value) {
  return value.is_undefined() || value.as_text() || value.as_sequence() || value.as_dict();
}

bool is_sequence(const TemplateValue& value) {
  const auto* sequence = value.as_sequence();
  return sequence ? sequence->has_elements() : is_iterable(value);
}

template <bool kWanted>
TemplateValue test_parity(JinjaCall& call) {
  static const auto* remainder = jinja_operators().find("%");
  const auto rest = remainder->apply(call.context, call.self, TemplateValue::integer(2));
  return TemplateValue::boolean(are_equal(call.context, rest, TemplateValue::integer(kWanted)));
}

TemplateValue test_divisible(JinjaCall& call) {
  static const auto* remainder = jinja_operators().find("%");
  return TemplateValue::boolean(!is_true(remainder->apply(call.context, call.self, call.value(0))));
}

/// The operator that these characters write.
template <char kFirst, char kSecond>
TemplateValue test_by_operator(JinjaCall& call) {
  static const auto* op = [] {
    const char name[] = {kFirst, kSecond, '\0'};
    return jinja_operators().find(name);
  }();
  return op->apply(call.context, call.self, call.value(0));
}

TemplateValue test_same(JinjaCall& call) {
  const TemplateValue &a = call.self, &b = call.value(0);
  const bool shared = a.as_text() == b.as_text() && a.as_sequence() == b.as_sequence() && a.as_dict() == b.as_dict() &&
                      a.as_object() == b.as_object();
  const bool is_shared_kind = a.as_text() || a.as_sequence() || a.as_dict() || a.as_object();
  const bool same_scalar = a.type_name() == b.type_name() && are_equal(call.context, a, b);
  return TemplateValue::boolean(is_shared_kind ? shared : same_scalar);
}

/// As str.islower() or str.isupper() of what is printed.
template <bool kUpper>
TemplateValue test_case(JinjaCall& call) {
  const auto* method = jinja_text_methods().find(kUpper ? "isupper" : "islower");
  return apply_builtin(call.context, *method, TemplateValue::text(printed(call.context, call.self)), {});
}

TemplateValue test_filter(JinjaCall& call) {
  return TemplateValue::boolean(call.self.as_text() && jinja_filters().find(call.self.as_text()->bytes()));
}

TemplateValue test_test(JinjaCall& call) {
  return TemplateValue::boolean(call.self.as_text() && jinja_tests().find(call.self.as_text()->bytes()));
}

}  // namespace

const Table<JinjaBuiltin>& jinja_tests() {
  static const Table<JinjaBuiltin> tests{
      {"boolean", "", test_value<is_boolean>},
      {"callable", "", test_value<is_callable>},
      {"defined", "", test_value<is_defined>},
      {"divisibleby", "num", test_divisible},
      {"escaped", "", test_value<is_never>},
      {"even", "", test_parity<false>},
      {"false", "", test_value<is_false>},
      {"filter", "", test_filter},
      {"float", "", test_value<is_float>},
      {"in", "seq", test_by_operator<'i', 'n'>},
      {"integer", "", test_value<is_integer>},
      {"iterable", "", test_value<is_iterable>},
      {"lower", "", test_case<false>},
      {"mapping", "", test_value<is_mapping>},
      {"none", "", test_value<is_none_value>},
      {"number", "", test_value<is_number>},
      {"odd", "", test_parity<true>},
      {"sameas", "other", test_same},
      {"sequence", "", test_value<is_sequence>},
      {"string", "", test_value<is_string>},
      {"test", "", test_test},
      {"true", "", test_value<is_true_value>},
      {"undefined", "", test_value<is_undefined>},
      {"upper", "", test_case<true>},
      {"==", "other", test_by_operator<'=', '='>},
      {"eq", "other", test_by_operator<'=', '='>},
      {"equalto", "other", test_by_operator<'=', '='>},
      {"!=", "other", test_by_operator<'!', '='>},
      {"ne", "other", test_by_operator<'!', '='>},
      {"<", "other", test_by_operator<'<', '\0'>},
      {"lt", "other", test_by_operator<'<', '\0'>},
      {"lessthan", "other", test_by_operator<'<', '\0'>},
      {"<=", "other", test_by_operator<'<', '='>},
      {"le", "other", test_by_operator<'<', '='>},
      {">", "other", test_by_operator<'>', '\0'>},
      {"gt", "other", test_by_operator<'>', '\0'>},
      {"greaterthan", "other", test_by_operator<'>', '\0'>},
      {">=", "other", test_by_operator<'>', '='>},
      {"ge", "other", test_by_operator<'>', '='>},
  };
  return tests;
}

}  // namespace vlsi
