// `loop`: where a loop is.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "text/jinja/template_object.h"

namespace vlsi {

class LoopObject : public TemplateObject, public std::enable_shared_from_this<LoopObject> {
 public:
  using Recursion = std::function<TemplateValue(const TemplateValue& items)>;

  /// `depth` counts the recursive loops around it.
  LoopObject(std::vector<TemplateValue> items, int64_t depth);

  const TemplateValue& item() const { return items_[index_]; }
  bool at_end() const { return index_ == items_.size(); }
  void advance() { ++index_; }
  /// What loop(items) does, in a recursive loop.
  void set_recursion(Recursion recursion) { recursion_ = std::move(recursion); }

  std::string_view type_name() const override { return "LoopContext"; }
  bool is_callable() const override { return recursion_ != nullptr; }
  TemplateValue call(JinjaContext& context, JinjaArguments arguments) override;
  std::optional<TemplateValue> attribute(std::string_view name) override;
  size_t nesting() const override { return nesting_; }

 private:
  TemplateValue neighbour(size_t index) const;
  TemplateValue cycle(JinjaContext& context, const std::vector<TemplateValue>& values) const;
  /// Whether the values are others than at the last call.
  TemplateValue changed(JinjaContext& context, std::vector<TemplateValue> values);

  std::vector<TemplateValue> items_;
  int64_t depth_;
  size_t index_ = 0;
  Recursion recursion_;
  size_t nesting_ = 1;
  std::optional<TemplateValue> last_changed_;  // the values that changed() was last called with
};

}  // namespace vlsi
