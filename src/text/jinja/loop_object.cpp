#include "text/jinja/loop_object.h"

#include <algorithm>

#include "text/jinja/context.h"
#include "text/jinja/operators.h"

namespace vlsi {

LoopObject::LoopObject(std::vector<TemplateValue> items, int64_t depth) : items_(std::move(items)), depth_(depth) {
  for (const auto& item : items_) nesting_ = std::max(nesting_, 1 + item.nesting());
}

TemplateValue LoopObject::call(JinjaContext& context, JinjaArguments arguments) {
  if (!recursion_) context.fail("the loop is called, and is not recursive");
  if (arguments.positional.size() != 1 || !arguments.named.empty())
    context.fail("a recursive loop is called with one value");
  return recursion_(arguments.positional[0]);
}

TemplateValue LoopObject::neighbour(size_t index) const {
  return index < items_.size() ? items_[index] : TemplateValue::undefined("the loop has no such item");
}

TemplateValue LoopObject::cycle(JinjaContext& context, const std::vector<TemplateValue>& values) const {
  if (values.empty()) context.fail("'loop.cycle' of nothing");
  return values[index_ % values.size()];
}

TemplateValue LoopObject::changed(JinjaContext& context, std::vector<TemplateValue> values) {
  TemplateValue now = context.made(TemplateValue::list(std::move(values)));
  const bool is_new = !last_changed_ || !are_equal(context, *last_changed_, now);
  nesting_ = std::max(nesting_, 1 + now.nesting());
  last_changed_ = std::move(now);
  return TemplateValue::boolean(is_new);
}

std::optional<TemplateValue> LoopObject::attribute(std::string_view name) {
  const auto index = static_cast<int64_t>(index_), length = static_cast<int64_t>(items_.size());
  if (name == "index") return TemplateValue::integer(index + 1);
  if (name == "index0") return TemplateValue::integer(index);
  if (name == "revindex") return TemplateValue::integer(length - index);
  if (name == "revindex0") return TemplateValue::integer(length - index - 1);
  if (name == "first") return TemplateValue::boolean(index == 0);
  if (name == "last") return TemplateValue::boolean(index + 1 == length);
  if (name == "length") return TemplateValue::integer(length);
  if (name == "depth") return TemplateValue::integer(depth_ + 1);
  if (name == "depth0") return TemplateValue::integer(depth_);
  if (name == "previtem") return neighbour(index_ - 1);
  if (name == "nextitem") return neighbour(index_ + 1);
  const auto self = shared_from_this();
  if (name == "cycle") {
    const auto cycle = [self](JinjaContext& context, JinjaArguments arguments) {
      return self->cycle(context, arguments.positional);
    };
    return FunctionObject::make(cycle, 1 + nesting_);
  }
  if (name == "changed") {
    const auto changed = [self](JinjaContext& context, JinjaArguments arguments) {
      return self->changed(context, std::move(arguments.positional));
    };
    return FunctionObject::make(changed, 1 + nesting_);
  }
  return std::nullopt;
}

}  // namespace vlsi
