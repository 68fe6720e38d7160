// The words of a template, one after the other, for the parsers.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "text/jinja/lexer.h"

namespace vlsi {

class JinjaTokenStream {
 public:
  JinjaTokenStream(std::vector<JinjaToken> tokens, std::string place)
      : tokens_(std::move(tokens)), place_(std::move(place)) {}

  const JinjaToken& current() const { return tokens_[index_]; }
  const JinjaToken& behind() const { return tokens_[std::min(index_ + 1, tokens_.size() - 1)]; }
  int line() const { return current().line; }
  /// The current token, and goes on to the next; the last one stays.
  JinjaToken next() {
    JinjaToken token = current();
    if (index_ + 1 < tokens_.size()) ++index_;
    return token;
  }

  bool is(JinjaToken::Kind kind) const { return current().kind == kind; }
  bool is_name(std::string_view name) const { return is(JinjaToken::Kind::kName) && current().text == name; }
  bool is_operator(std::string_view op) const { return is(JinjaToken::Kind::kOperator) && current().text == op; }
  /// Goes on where the token is this one; whether it did.
  bool take_name(std::string_view name) { return is_name(name) && (next(), true); }
  bool take_operator(std::string_view op) { return is_operator(op) && (next(), true); }
  /// The text of a token that must be of this kind.
  std::string expect(JinjaToken::Kind kind, std::string_view what) {
    if (!is(kind)) fail_here("found ", describe(current()), ", expected ", what);
    return next().text;
  }
  void expect_operator(std::string_view op) {
    if (!take_operator(op)) fail_here("found ", describe(current()), ", expected '", op, "'");
  }

  template <class... Parts>
  [[noreturn]] void fail_here(const Parts&... parts) const {
    fail(place_, ":", line(), ": ", parts...);
  }

 private:
  std::vector<JinjaToken> tokens_;
  std::string place_;
  size_t index_ = 0;
};

/// Refuses what is nested deeper than any template needs; one lives as long as a level.
class JinjaNesting {
 public:
  JinjaNesting(int& depth, int limit, const JinjaTokenStream& tokens) : depth_(depth) {
    if (++depth_ > limit) tokens.fail_here("the template is nested more than ", limit, " deep");
  }
  JinjaNesting(const JinjaNesting&) = delete;
  JinjaNesting& operator=(const JinjaNesting&) = delete;
  ~JinjaNesting() { --depth_; }

 private:
  int& depth_;
};

}  // namespace vlsi
