// Collects what is wrong with something, so that a user learns all of it at once.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/error.h"

namespace vlsi {

class Problems {
 public:
  template <class... Parts>
  void add(const Parts&... parts) {
    problems_.push_back(concat(parts...));
  }

  size_t count() const { return problems_.size(); }

  /// One line: the problems in their order, separated by semicolons. Those that differ in one number between points
  /// alone, such as the layer in a tensor's name, are one entry: "missing model.layers.{0-3,5}.mlp.up_proj.weight".
  /// Behind 20 entries it says how many problems follow.
  std::string text() const;

  /// With problems, an Error: the parts, then text().
  template <class... Parts>
  void fail_if_any(const Parts&... parts) const {
    if (count() > 0) fail(parts..., text());
  }

 private:
  std::vector<std::string> problems_;
};

}  // namespace vlsi
