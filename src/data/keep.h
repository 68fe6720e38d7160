// Which records are kept: an expression over their columns.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace vlsi {

/// Comparisons `column < literal` (also <=, >, >=, ==, !=, and of texts `contains` and `lacks`) joined by `and`, `or`
/// and parentheses; `and` binds more tightly. A column is letters, digits and _, with dots between the keys of objects;
/// a literal a number, a text in single or double quotes, true, false or null.
class Keep {
 public:
  /// Keeps everything.
  Keep() = default;
  /// Error saying what was found where, and what was expected.
  explicit Keep(const std::string& text);

  bool empty() const { return root_ == nullptr; }
  const std::string& text() const { return text_; }
  /// The columns that it names, without the keys inside of them.
  const std::vector<std::string>& columns() const { return columns_; }
  /// Of a record's values. A value that is missing or null is equal to null alone, and any other comparison with it is
  /// false. With `numbers_are_texts`, as in a table, a text that is written as a JSON number is compared with a number
  /// as one. Error naming the column for a value of another type than the literal.
  bool is_true(const Json& values, bool numbers_are_texts = false) const;

  struct Node;  // a part of the expression

 private:
  std::string text_;
  std::vector<std::string> columns_;
  std::shared_ptr<const Node> root_;
};

}  // namespace vlsi
