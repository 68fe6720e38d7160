// Whether a list has a value.
#pragma once

#include <algorithm>
#include <iterator>

namespace vlsi {

/// Whether an item of `list`, a container or an array, equals `value`.
template <class List, class Value>
requires requires(const List& list, const Value& value) { *std::begin(list) == value; }
bool contains(const List& list, const Value& value) {
  return std::find(std::begin(list), std::end(list), value) != std::end(list);
}

}  // namespace vlsi
