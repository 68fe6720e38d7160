// Functions that every template may call.
#include <algorithm>
#include <chrono>
#include <ctime>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "text/jinja/library/call.h"
#include "text/jinja/python_values.h"

namespace vlsi {
namespace {

using Form = TemplateSequence::Form;

TemplateValue raise_exception(JinjaCall& call) { call.context.fail(printed(call.context, call.value(0)).bytes()); }

/// The local time, as strftime writes it.
TemplateValue strftime_now(JinjaCall& call) {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm local{};
  localtime_r(&now, &local);
  const std::string& format = call.text(0).bytes();
  if (format.empty()) return TemplateValue::text("");
  std::string text(4096, '\0');
  text.resize(std::strftime(text.data(), text.size(), format.c_str(), &local));
  return TemplateValue::text(std::move(text));
}

/// range(stop), range(start, stop), range(start, stop, step).
TemplateValue make_range(JinjaCall& call) {
  constexpr int64_t kMost = 100'000;  // of the sandbox
  const bool has_start = call.find(1) != nullptr;
  call.value(0);
  const int64_t start = has_start ? call.integer(0, 0) : 0, stop = call.integer(has_start ? 1 : 0, 0),
                step = call.integer(2, 1);
  if (step == 0) call.context.fail("'range' with the step 0");
  TemplateSequence range{.form = Form::kView, .items = {}, .shown = std::string(TemplateSequence::kRange)};
  int64_t value = start;
  while (step > 0 ? value < stop : value > stop) {
    range.items.push_back(TemplateValue::integer(value));
    if (range.items.size() > kMost) call.context.fail("'range' of more than ", kMost, " numbers");
    if (__builtin_add_overflow(value, step, &value)) break;
  }
  return TemplateValue::sequence(std::move(range));
}

/// What dict(...) and namespace(...) are given: a dict or pairs, and named values.
TemplateDict collected(const JinjaCall& call) {
  TemplateDict dict;
  for (const auto& source : call.rest.positional) {
    if (source.as_dict()) {
      for (const auto& [key, value] : source.as_dict()->entries()) dict.set(key, value);
      continue;
    }
    for (const auto& pair : items_of(call.context, source)) {
      const auto both = items_of(call.context, pair);
      if (both.size() != 2 || !TemplateDict::can_be_key(both[0]))
        call.context.fail("'", call.name, "' takes a dict or pairs");
      dict.set(both[0], both[1]);
    }
  }
  for (const auto& [name, value] : call.rest.named) dict.set(name, value);
  return dict;
}

TemplateValue make_dict(JinjaCall& call) { return TemplateValue::dict(collected(call)); }

TemplateValue make_namespace(JinjaCall& call) {
  auto space = std::make_shared<NamespaceObject>();
  const TemplateDict values = collected(call);
  for (const auto& [key, value] : values.entries()) {
    space->set(call.context, printed(call.context, key).bytes(), value);
  }
  call.context.keep(space);
  return TemplateValue::object(std::move(space));
}

/// cycler('a', 'b'): next() goes round, `current` is where it stands, reset() goes back to the first.
class CyclerObject : public TemplateObject, public std::enable_shared_from_this<CyclerObject> {
 public:
  explicit CyclerObject(std::vector<TemplateValue> items) : items_(std::move(items)) {
    for (const auto& item : items_) nesting_ = std::max(nesting_, 1 + item.nesting());
  }

  std::string_view type_name() const override { return "Cycler"; }
  std::optional<TemplateValue> attribute(std::string_view name) override {
    if (name == "current") return items_[next_];
    if (name != "next" && name != "reset") return std::nullopt;
    const auto function = [self = shared_from_this(), advances = name == "next"](JinjaContext&, JinjaArguments) {
      const size_t current = self->next_;
      self->next_ = advances ? (current + 1) % self->items_.size() : 0;
      return advances ? self->items_[current] : TemplateValue();
    };
    return FunctionObject::make(function, 1 + nesting_);
  }
  size_t nesting() const override { return nesting_; }

 private:
  std::vector<TemplateValue> items_;
  size_t next_ = 0, nesting_ = 1;
};

TemplateValue make_cycler(JinjaCall& call) {
  if (call.rest.positional.empty()) call.context.fail("'cycler' of nothing");
  return TemplateValue::object(std::make_shared<CyclerObject>(call.rest.positional));
}

/// joiner(', ') is called between items: it gives nothing the first time, then the separator.
TemplateValue make_joiner(JinjaCall& call) {
  const TemplateValue separator = call.find(0) ? call.value(0) : TemplateValue::text(", ");
  const auto function = [separator, used = false](JinjaContext&, JinjaArguments) mutable {
    return std::exchange(used, true) ? separator : TemplateValue::text("");
  };
  return FunctionObject::make(function, 1 + separator.nesting());
}

}  // namespace

const Table<JinjaBuiltin>& jinja_functions() {
  static const Table<JinjaBuiltin> functions{
      {"cycler", "*", make_cycler},
      {"dict", "*", make_dict},
      {"joiner", "sep", make_joiner},
      {"namespace", "*", make_namespace},
      {"raise_exception", "message", raise_exception},
      {"range", "start stop step", make_range},
      {"strftime_now", "format", strftime_now},
  };
  return functions;
}

}  // namespace vlsi
