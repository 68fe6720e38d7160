#include "text/jinja/library/call.h"

#include <algorithm>
#include <string>

#include "text/jinja/python_values.h"

namespace vlsi {
namespace {

std::vector<std::string_view> parameter_names(std::string_view parameters) {
  std::vector<std::string_view> names;
  while (!parameters.empty()) {
    const size_t end = std::min(parameters.find(' '), parameters.size());
    names.push_back(parameters.substr(0, end));
    parameters.remove_prefix(std::min(end + 1, parameters.size()));
  }
  return names;
}

[[noreturn]] void refuse_argument(const JinjaCall& call, size_t index, std::string_view expected) {
  const TemplateValue& value = call.value(index);
  if (value.is_undefined()) call.context.fail(value.what());
  call.context.fail("'", call.name, "': ", parameter_names(call.parameters)[index], " is a ", value.type_name(),
                    ", expected ", expected);
}

/// Sorts the arguments by the names of the parameters.
void bind_arguments(JinjaCall& call, JinjaArguments arguments) {
  auto names = parameter_names(call.parameters);
  const bool takes_more = !names.empty() && names.back() == "*";
  if (takes_more) names.pop_back();
  call.values.resize(names.size());
  for (size_t i = 0; i < arguments.positional.size(); ++i) {
    if (i < names.size()) {
      call.values[i] = std::move(arguments.positional[i]);
    } else if (takes_more) {
      call.rest.positional.push_back(std::move(arguments.positional[i]));
    } else {
      call.context.fail("'", call.name, "' takes at most ", names.size(), " arguments, and is given ",
                        arguments.positional.size());
    }
  }
  for (auto& [name, value] : arguments.named) {
    const size_t index = std::find(names.begin(), names.end(), name) - names.begin();
    if (index == names.size() && !takes_more) call.context.fail("'", call.name, "' has no argument '", name, "'");
    if (index == names.size()) {
      call.rest.named.emplace_back(std::move(name), std::move(value));
    } else if (call.values[index]) {
      call.context.fail("'", call.name, "' is given '", name, "' twice");
    } else {
      call.values[index] = std::move(value);
    }
  }
}

}  // namespace

const TemplateValue& JinjaCall::value(size_t index) const {
  if (!values[index]) context.fail("'", name, "' lacks the argument '", parameter_names(parameters)[index], "'");
  return *values[index];
}

const TracedText& JinjaCall::text(size_t index) const {
  const TracedText* found = value(index).as_text();
  if (found == nullptr) refuse_argument(*this, index, "a str");
  return *found;
}

int64_t JinjaCall::integer(size_t index, int64_t otherwise) const {
  if (!values[index] || values[index]->is_none()) return otherwise;
  const auto whole = values[index]->whole();
  if (!whole) refuse_argument(*this, index, "an int");
  return *whole;
}

bool JinjaCall::flag(size_t index, bool otherwise) const { return values[index] ? is_true(*values[index]) : otherwise; }

TemplateValue apply_builtin(JinjaContext& context, const JinjaBuiltin& builtin, const TemplateValue& self,
                            JinjaArguments arguments) {
  context.look_at(self.size());
  for (const auto& value : arguments.positional) context.look_at(value.size());
  JinjaCall call{context, builtin.name, builtin.parameters, self, {}, {}};
  bind_arguments(call, std::move(arguments));
  return context.made(builtin.apply(call));
}

TemplateValue bound_builtin(const JinjaBuiltin& builtin, const TemplateValue& self) {
  const auto function = [&builtin, self](JinjaContext& context, JinjaArguments arguments) {
    return apply_builtin(context, builtin, self, std::move(arguments));
  };
  return FunctionObject::make(function, 1 + self.nesting());
}

}  // namespace vlsi
