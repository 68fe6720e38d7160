// How communities ask a judge about an answer, and what they make of its reply.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eval/item.h"
#include "eval/judge/judge.h"

namespace vlsi {

/// The judge about one answer.
class JudgedAnswer {
 public:
  JudgedAnswer(const Judge& judge, const JudgePrompt& prompt, std::string_view tail,
               std::function<std::vector<std::string>()> pictures)
      : judge_(judge), prompt_(prompt), tail_(tail), pictures_(std::move(pictures)) {}

  struct Try {
    double temperature = 0;
    int64_t max_tokens = 0;
    int64_t attempt = 0;
    std::string_view more = {};  // stands behind the prompt
    bool with_pictures = false;
  };
  /// The reply to the prompt with these texts; nothing where there is none.
  std::optional<Text> ask(const JudgeFields& fields, const Try& one);

  bool is_asked() const { return is_asked_; }
  /// Whether the last request itself was refused.
  bool is_refused() const { return is_refused_; }
  /// What the judge said last.
  const std::string& last_reply() const { return last_reply_; }

 private:
  const Judge& judge_;
  const JudgePrompt& prompt_;
  const std::string_view tail_;
  const std::function<std::vector<std::string>()> pictures_;
  bool is_asked_ = false, is_refused_ = false;
  std::string last_reply_;
};

struct JudgeRule {
  /// The prompt is the file of the benchmark's name, else that of this name.
  std::string kind;
  /// The end of a prompt that has no names of fields, which is a community's beginning alone.
  std::string_view tail;
  /// Whether nothing can be scored without.
  bool is_needed;
  /// Marks the answer, by the rule alone where that finds something; not_scored() where the judge gave no reply.
  Mark (*mark)(const Item& item, TextView answer, const Profile& profile, JudgedAnswer& judge);
};

/// Multiple choice by VLMEvalKit: the judge is asked about what the profile's matcher cannot tell, three times at most,
/// and its reply goes through the matcher.
Mark mark_by_matcher_or_judge(const Item& item, TextView answer, const Profile& profile, JudgedAnswer& judge);
const JudgeRule& option_judge();

}  // namespace vlsi
