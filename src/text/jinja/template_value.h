// What the variables of a template are: Python's values, as far as chat templates see them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"
#include "text/jinja/traced_text.h"

namespace vlsi {

class TemplateDict;
class TemplateObject;
struct TemplateSequence;

/// A value is cheap to copy: texts and collections are shared, and never change.
class TemplateValue {
 public:
  /// None.
  TemplateValue() = default;
  /// What a name, a key or an index that is not there gives: prints as nothing, and is an error in most other uses.
  /// `what` says what is not there: "'x' is undefined".
  static TemplateValue undefined(std::string what);
  static TemplateValue boolean(bool value) { return TemplateValue(Variant(value)); }
  static TemplateValue integer(int64_t value) { return TemplateValue(Variant(value)); }
  static TemplateValue number(double value) { return TemplateValue(Variant(value)); }
  static TemplateValue text(TracedText text);
  /// UTF-8; `origin` as in TracedText.
  static TemplateValue text(std::string bytes, int32_t origin = 0);
  static TemplateValue list(std::vector<TemplateValue> items);
  static TemplateValue sequence(TemplateSequence sequence);
  static TemplateValue dict(TemplateDict dict);
  /// A dict with these keys, in this order; of equal ones the last holds.
  static TemplateValue dict(std::vector<std::pair<std::string, TemplateValue>> entries);
  static TemplateValue object(std::shared_ptr<TemplateObject> object);
  /// Every string in it, keys excepted, has this origin. An integer beyond 64 bits becomes a double.
  static TemplateValue from_json(const OrderedJson& json, int32_t origin = 0);

  bool is_none() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_undefined() const { return std::holds_alternative<Undefined>(value_); }
  /// Null, or empty, where the value is of another kind.
  const bool* as_bool() const { return std::get_if<bool>(&value_); }
  const int64_t* as_integer() const { return std::get_if<int64_t>(&value_); }
  const double* as_number() const { return std::get_if<double>(&value_); }
  const TracedText* as_text() const { return pointer<const TracedText>(); }
  TemplateSequence* as_sequence() const { return pointer<TemplateSequence>(); }
  const TemplateDict* as_dict() const { return pointer<const TemplateDict>(); }
  TemplateObject* as_object() const { return pointer<TemplateObject>(); }
  /// An integer or a bool, as Python's bool is an int.
  std::optional<int64_t> whole() const;
  /// Any number.
  std::optional<double> real() const;
  /// What is not there, of an undefined value.
  const std::string& what() const;

  /// In words, as Python names types: "str", "dict", "NoneType".
  std::string_view type_name() const;
  /// How deep collections stand in one another: 0 for what is none.
  size_t nesting() const;
  /// Bytes of a text, or entries of a collection; 1 for others.
  size_t size() const;

 private:
  struct Undefined {
    std::shared_ptr<const std::string> what;
  };
  using Variant = std::variant<std::monostate, Undefined, bool, int64_t, double, std::shared_ptr<const TracedText>,
                               std::shared_ptr<TemplateSequence>, std::shared_ptr<const TemplateDict>,
                               std::shared_ptr<TemplateObject>>;

  explicit TemplateValue(Variant value) : value_(std::move(value)) {}
  template <class T>
  T* pointer() const {
    const auto* held = std::get_if<std::shared_ptr<T>>(&value_);
    return held == nullptr ? nullptr : held->get();
  }

  Variant value_;
};

/// A list, or what else has an order in Python.
struct TemplateSequence {
  enum class Form {
    kList,
    kTuple,
    kView,      // a dict's keys, values or items, or a range: has a length, but is no list
    kIterator,  // what filters such as map give: has no length, and is read once
  };

  Form form = Form::kList;
  std::vector<TemplateValue> items;
  std::string shown = {};  // what a view prints before its list: "dict_keys"
  bool taken = false;      // an iterator that was read
  size_t nesting = 1;      // TemplateValue::sequence counts it

  /// Whether sequence[i] is one of its items.
  bool has_elements() const { return form == Form::kList || form == Form::kTuple || shown == kRange; }
  static constexpr std::string_view kRange = "range";
};

/// Keeps the order in which its keys came.
class TemplateDict {
 public:
  using Entry = std::pair<TemplateValue, TemplateValue>;

  static constexpr size_t kMaxKeyItems = 8;

  /// Whether a value can be a key: None, a bool, a number, a text, or a tuple of up to kMaxKeyItems of these.
  static bool can_be_key(const TemplateValue& value);
  /// `key` must be one that can be.
  void set(const TemplateValue& key, TemplateValue value);
  void set(std::string key, TemplateValue value) { set(TemplateValue::text(std::move(key)), std::move(value)); }
  /// Null where the key is not there, or can be none.
  const TemplateValue* find(const TemplateValue& key) const;
  const TemplateValue* find(std::string_view key) const;
  const std::vector<Entry>& entries() const { return entries_; }
  size_t size() const { return entries_.size(); }
  size_t nesting() const { return nesting_; }

 private:
  std::vector<Entry> entries_;
  std::unordered_map<std::string, size_t> places_;  // by what Python takes for equal keys
  size_t nesting_ = 1;
};

}  // namespace vlsi
