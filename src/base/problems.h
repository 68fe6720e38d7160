// Collects what is wrong with something, so that a user learns all of it at once.
#pragma once

#include <cstddef>
#include <string>

#include "base/error.h"

namespace vlsi {

class Problems {
 public:
  template <class... Parts>
  void add(const Parts&... parts) {
    text_ += concat(count_++ == 0 ? "" : "; ", parts...);
  }

  size_t count() const { return count_; }

  /// With problems, an Error: the parts, then every problem, separated by semicolons.
  template <class... Parts>
  void fail_if_any(const Parts&... parts) const {
    if (count_ > 0) fail(parts..., text_);
  }

 private:
  std::string text_;
  size_t count_ = 0;
};

}  // namespace vlsi
