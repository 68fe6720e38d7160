// Where a rendering is in its template, and how much it may still take.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "text/jinja/template_object.h"
#include "text/jinja/template_value.h"

namespace vlsi {

/// Bounds that no conversation comes near, so that a template that loops or grows without end becomes an Error.
struct JinjaLimits {
  static constexpr size_t kSteps = 10'000'000;       // evaluations, and blocks of 64 bytes or entries that one looks at
  static constexpr size_t kBytes = 512 << 20;        // of all texts and collections that are made
  static constexpr size_t kBytesPerEntry = 32;       // of a collection
  static constexpr size_t kBytesPerKey = 192;        // of a dict
  static constexpr size_t kBytesPerText = 160;       // or per list, besides what it holds
  static constexpr size_t kOutputBytes = 64 << 20;   // of the rendering
  static constexpr size_t kValueNesting = 600;       // of collections in collections
  static constexpr size_t kEvaluationDepth = 1'000;  // of expressions and statements in one another, calls included
};

class JinjaContext {
 public:
  /// `place` names the template in messages.
  explicit JinjaContext(std::string place) : place_(std::move(place)) {}
  JinjaContext(const JinjaContext&) = delete;
  JinjaContext& operator=(const JinjaContext&) = delete;
  ~JinjaContext() {
    for (const auto& object : kept_) object->release();
  }

  /// Error "place:LINE: " and the parts.
  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    vlsi::fail(place_, ":", line_, ": ", parts...);
  }
  int line() const { return line_; }
  void set_line(int line) { line_ = line; }

  /// Accounts for looking at `size` bytes or entries.
  void look_at(size_t size) {
    steps_ += 1 + size / 64;
    if (steps_ > JinjaLimits::kSteps) fail("the template takes more than ", JinjaLimits::kSteps, " steps");
  }
  /// Accounts for the memory of `count` things of `bytes`.
  void make(size_t bytes, size_t count = 1) {
    const bool fits = count == 0 || bytes <= (JinjaLimits::kBytes - bytes_) / count;
    if (!fits) fail("the template makes more than ", JinjaLimits::kBytes, " bytes of values");
    bytes_ += bytes * count;
    look_at(bytes * count);
  }
  /// Accounts for a new value, which must not be nested too deep.
  TemplateValue made(TemplateValue value) {
    if (const TracedText* text = value.as_text()) {
      make(text->num_bytes() + JinjaLimits::kBytesPerText);
    } else if (value.as_sequence()) {
      make(value.size() * JinjaLimits::kBytesPerEntry);
    } else if (value.as_dict()) {
      make(value.size() * JinjaLimits::kBytesPerKey);
    }
    if (value.nesting() > JinjaLimits::kValueNesting) {
      fail("lists and dicts are nested more than ", JinjaLimits::kValueNesting, " deep");
    }
    return value;
  }
  /// Releases the object at the end.
  void keep(std::shared_ptr<TemplateObject> object) {
    make(kBytesPerObject);
    kept_.push_back(std::move(object));
  }

 private:
  static constexpr size_t kBytesPerObject = 512;  // about

  std::string place_;
  int line_ = 1;
  std::vector<std::shared_ptr<TemplateObject>> kept_;
  size_t steps_ = 0, bytes_ = 0;
};

}  // namespace vlsi
