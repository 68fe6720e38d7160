#include "text/jinja/operators.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "text/jinja/library/percent_format.h"
#include "text/jinja/library/text_operations.h"
#include "text/jinja/python_values.h"
#include "text/jinja/template_object.h"

namespace vlsi {
namespace {

using Form = TemplateSequence::Form;

[[noreturn]] void refuse(JinjaContext& context, std::string_view op, const TemplateValue& left,
                         const TemplateValue& right) {
  for (const auto* value : {&left, &right}) {
    if (value->is_undefined()) context.fail(value->what());
  }
  context.fail("'", op, "' does not work between a ", left.type_name(), " and a ", right.type_name());
}

/// Applies one of the functions to two integers or two floats. Those of integers return whether the result overflowed.
TemplateValue calculate(JinjaContext& context, std::string_view op, const TemplateValue& left,
                        const TemplateValue& right, bool (*of_integers)(int64_t, int64_t, int64_t*),
                        double (*of_numbers)(double, double)) {
  const auto a = left.whole(), b = right.whole();
  if (a && b) {
    int64_t result = 0;
    if (of_integers(*a, *b, &result)) context.fail("the result of '", op, "' is beyond 64 bits");
    return TemplateValue::integer(result);
  }
  const auto x = left.real(), y = right.real();
  if (!x || !y) refuse(context, op, left, right);
  return TemplateValue::number(of_numbers(*x, *y));
}

/// Two lists, or two tuples, one behind the other; empty for others.
std::optional<TemplateValue> joined_sequences(const TemplateValue& left, const TemplateValue& right) {
  const auto *a = left.as_sequence(), *b = right.as_sequence();
  if (a == nullptr || b == nullptr || a->form != b->form || (a->form != Form::kList && a->form != Form::kTuple))
    return std::nullopt;
  TemplateSequence result{.form = a->form, .items = a->items};
  result.items.insert(result.items.end(), b->items.begin(), b->items.end());
  return TemplateValue::sequence(std::move(result));
}

TemplateValue add(JinjaContext& context, const TemplateValue& left, const TemplateValue& right) {
  if (left.as_text() && right.as_text()) {
    const bool is_markup = left.as_text()->is_markup() || right.as_text()->is_markup();
    TracedText result = is_markup ? html_escaped(*left.as_text()) : *left.as_text();
    result.append(is_markup ? html_escaped(*right.as_text()) : *right.as_text());
    return TemplateValue::text(std::move(result));
  }
  if (auto sequence = joined_sequences(left, right)) return *std::move(sequence);
  return calculate(
      context, "+", left, right, [](int64_t a, int64_t b, int64_t* c) { return __builtin_add_overflow(a, b, c); },
      [](double a, double b) { return a + b; });
}

TemplateValue subtract(JinjaContext& context, const TemplateValue& left, const TemplateValue& right) {
  return calculate(
      context, "-", left, right, [](int64_t a, int64_t b, int64_t* c) { return __builtin_sub_overflow(a, b, c); },
      [](double a, double b) { return a - b; });
}

/// A text, list or tuple `times` times; empty for others.
std::optional<TemplateValue> repeated(JinjaContext& context, const TemplateValue& value, const TemplateValue& times) {
  const auto* sequence = value.as_sequence();
  const bool repeats =
      value.as_text() || (sequence && (sequence->form == Form::kList || sequence->form == Form::kTuple));
  if (!repeats || !times.whole()) return std::nullopt;
  const size_t count = value.size() == 0 ? 0 : static_cast<size_t>(std::max<int64_t>(*times.whole(), 0));
  if (const TracedText* text = value.as_text()) {
    context.make(text->num_bytes(), count);
    TracedText result;
    for (size_t i = 0; i < count; ++i) result.append(*text);
    return TemplateValue::text(std::move(result));
  }
  context.make(value.size() * JinjaLimits::kBytesPerEntry, count);
  TemplateSequence result{.form = sequence->form, .items = {}};
  for (size_t i = 0; i < count; ++i)
    result.items.insert(result.items.end(), sequence->items.begin(), sequence->items.end());
  return TemplateValue::sequence(std::move(result));
}

TemplateValue multiply(JinjaContext& context, const TemplateValue& left, const TemplateValue& right) {
  if (auto result = repeated(context, left, right)) return *std::move(result);
  if (auto result = repeated(context, right, left)) return *std::move(result);
  return calculate(
      context, "*", left, right, [](int64_t a, int64_t b, int64_t* c) { return __builtin_mul_overflow(a, b, c); },
      [](double a, double b) { return a * b; });
}

/// The divisor must not be 0.
void check_divisor(JinjaContext& context, const TemplateValue& left, const TemplateValue& right) {
  if (left.real() && right.real() && *right.real() == 0) context.fail("division by zero");
}

TemplateValue divide(JinjaContext& context, const TemplateValue& left, const TemplateValue& right) {
  if (!left.real() || !right.real()) refuse(context, "/", left, right);
  check_divisor(context, left, right);
  return TemplateValue::number(*left.real() / *right.real());
}

bool floor_quotient(int64_t a, int64_t b, int64_t* result) {
  if (b == -1) return __builtin_sub_overflow(int64_t{0}, a, result);
  *result = a / b - (a % b != 0 && (a < 0) != (b < 0));
  return false;
}

bool floor_remainder(int64_t a, int64_t b, int64_t* result) {
  *result = b == -1 ? 0 : a % b;
  if (*result != 0 && (*result < 0) != (b < 0)) *result += b;
  return false;
}

TemplateValue divide_to_floor(JinjaContext& context, const TemplateValue& left, const TemplateValue& right) {
  check_divisor(context, left, right);
  return calculate(context, "//", left, right, floor_quotient, [](double a, double b) { return std::floor(a / b); });
}

TemplateValue remainder(JinjaContext& context, const TemplateValue& left, const TemplateValue& right) {
  if (const TracedText* text = left.as_text()) return TemplateValue::text(percent_format(context, *text, right));
  check_divisor(context, left, right);
  return calculate(context, "%", left, right, floor_remainder, [](double a, double b) {
    const double result = std::fmod(a, b);
    return result != 0 && (result < 0) != (b < 0) ? result + b : result;
  });
}

bool integer_power(int64_t base, int64_t exponent, int64_t* result) {
  *result = 1;
  bool overflowed = false;
  while (exponent > 0 && !overflowed) {
    if (exponent % 2 != 0) overflowed = __builtin_mul_overflow(*result, base, result);
    exponent /= 2;
    if (exponent > 0 && !overflowed) overflowed = __builtin_mul_overflow(base, base, &base);
  }
  return overflowed;
}

TemplateValue power(JinjaContext& context, const TemplateValue& left, const TemplateValue& right) {
  if (!left.real() || !right.real()) refuse(context, "**", left, right);
  const double base = *left.real(), exponent = *right.real();
  if (base == 0 && exponent < 0) context.fail("zero to a negative power");
  if (base < 0 && std::floor(exponent) != exponent) context.fail("a root of a negative number");
  if (right.whole() && *right.whole() < 0) return TemplateValue::number(std::pow(base, exponent));
  return calculate(context, "**", left, right, integer_power, [](double a, double b) { return std::pow(a, b); });
}

bool are_equal_items(JinjaContext& context, const std::vector<TemplateValue>& a, const std::vector<TemplateValue>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [&](const auto& x, const auto& y) { return are_equal(context, x, y); });
}

bool are_equal_dicts(JinjaContext& context, const TemplateDict& a, const TemplateDict& b) {
  return a.size() == b.size() && std::all_of(a.entries().begin(), a.entries().end(), [&](const auto& entry) {
           const TemplateValue* other = b.find(entry.first);
           return other != nullptr && are_equal(context, entry.second, *other);
         });
}

bool is_less_sequence(JinjaContext& context, const TemplateSequence& a, const TemplateSequence& b) {
  for (size_t i = 0; i < std::min(a.items.size(), b.items.size()); ++i) {
    if (!are_equal(context, a.items[i], b.items[i])) return is_less(context, a.items[i], b.items[i]);
  }
  return a.items.size() < b.items.size();
}

template <bool kSwapped, bool kNegated>
TemplateValue compare(JinjaContext& context, const TemplateValue& left, const TemplateValue& right) {
  const auto is_nan = [](const TemplateValue& value) { return value.as_number() && std::isnan(*value.as_number()); };
  if ((is_nan(left) && right.real()) || (is_nan(right) && left.real())) return TemplateValue::boolean(false);
  return TemplateValue::boolean((kSwapped ? is_less(context, right, left) : is_less(context, left, right)) != kNegated);
}

TemplateValue equal(JinjaContext& context, const TemplateValue& left, const TemplateValue& right) {
  return TemplateValue::boolean(are_equal(context, left, right));
}

TemplateValue unequal(JinjaContext& context, const TemplateValue& left, const TemplateValue& right) {
  return TemplateValue::boolean(!are_equal(context, left, right));
}

TemplateValue in(JinjaContext& context, const TemplateValue& left, const TemplateValue& right) {
  return TemplateValue::boolean(contains(context, right, left));
}

TemplateValue not_in(JinjaContext& context, const TemplateValue& left, const TemplateValue& right) {
  return TemplateValue::boolean(!contains(context, right, left));
}

}  // namespace

const Table<JinjaOperator>& jinja_operators() {
  static const Table<JinjaOperator> operators{
      {"+", add},
      {"-", subtract},
      {"*", multiply},
      {"/", divide},
      {"//", divide_to_floor},
      {"%", remainder},
      {"**", power},
      {"==", equal},
      {"!=", unequal},
      {"<", compare<false, false>},
      {">", compare<true, false>},
      {"<=", compare<true, true>},
      {">=", compare<false, true>},
      {"in", in},
      {"not in", not_in},
  };
  return operators;
}

bool are_equal(JinjaContext& context, const TemplateValue& left, const TemplateValue& right) {
  context.look_at(std::min(left.size(), right.size()));
  if (left.whole() && right.whole()) return *left.whole() == *right.whole();
  if (left.real() && right.real()) return *left.real() == *right.real();
  if (left.as_text() && right.as_text()) return left.as_text()->bytes() == right.as_text()->bytes();
  if (left.as_dict() && right.as_dict()) return are_equal_dicts(context, *left.as_dict(), *right.as_dict());
  const auto *a = left.as_sequence(), *b = right.as_sequence();
  if (a && b && a->form != Form::kIterator) return a->form == b->form && are_equal_items(context, a->items, b->items);
  if (a || b || left.as_object() || right.as_object()) return a == b && left.as_object() == right.as_object();
  return (left.is_none() && right.is_none()) || (left.is_undefined() && right.is_undefined());
}

bool is_less(JinjaContext& context, const TemplateValue& left, const TemplateValue& right) {
  context.look_at(std::min(left.size(), right.size()));
  if (left.whole() && right.whole()) return *left.whole() < *right.whole();
  if (left.real() && right.real()) return *left.real() < *right.real();
  if (left.as_text() && right.as_text()) return left.as_text()->bytes() < right.as_text()->bytes();
  const auto *a = left.as_sequence(), *b = right.as_sequence();
  const bool ordered = a && b && a->form == b->form && (a->form == Form::kList || a->form == Form::kTuple);
  if (!ordered) refuse(context, "<", left, right);
  return is_less_sequence(context, *a, *b);
}

bool contains(JinjaContext& context, const TemplateValue& collection, const TemplateValue& item) {
  context.look_at(collection.size());
  if (const TracedText* text = collection.as_text()) {
    const TracedText* part = item.as_text();
    if (part == nullptr) refuse(context, "in", item, collection);
    return memmem(text->bytes().data(), text->size(), part->bytes().data(), part->size()) != nullptr;
  }
  if (const TemplateDict* dict = collection.as_dict()) {
    if (!TemplateDict::can_be_key(item) && !item.is_undefined())
      context.fail("a ", item.type_name(), " can be no key of a dict");
    return dict->find(item) != nullptr;
  }
  if (!collection.as_sequence() && !collection.is_undefined()) refuse(context, "in", item, collection);
  const auto items = items_of(context, collection);
  return std::any_of(items.begin(), items.end(), [&](const auto& other) { return are_equal(context, other, item); });
}

}  // namespace vlsi
