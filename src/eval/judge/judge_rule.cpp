#include "eval/judge/judge_rule.h"

#include "eval/benchmarks/choice_rows.h"
#include "eval/benchmarks/prompts.h"
#include "eval/scoring/option_matcher.h"

namespace vlsi {

std::optional<Text> JudgedAnswer::ask(const JudgeFields& fields, const Try& one) {
  is_asked_ = true;
  JudgeRequest request{prompt_.filled_system(fields), prompt_.filled(fields, tail_) + std::string(one.more)};
  if (one.with_pictures) request.pictures = pictures_();
  request.temperature = one.temperature;
  request.max_tokens = one.max_tokens;
  request.attempt = one.attempt;
  auto reply = judge_.ask(request);
  is_refused_ = reply.refused;
  if (!reply.text) return std::nullopt;
  last_reply_ = *std::move(reply.text);
  return to_text(last_reply_);
}

Mark mark_by_matcher_or_judge(const Item& item, TextView answer, const Profile& profile, JudgedAnswer& judge) {
  const auto alone = mark_by_matcher(item, answer, profile);
  if (alone.parsed || item.options.empty()) return alone;
  const JudgeFields fields{item.question, to_utf8(item.golds[0]), to_utf8(answer), listed_options(item)};
  constexpr int64_t kTries = 3;
  for (int64_t i = 0; i < kTries; ++i) {
    const auto reply = judge.ask(fields, {.attempt = i});
    if (!reply) return not_scored();
    if (const auto letter = match_option(*reply, item.options, profile.matcher)) return mark_letter(letter, item);
  }
  return alone;
}

const JudgeRule& option_judge() {
  static const JudgeRule rule{"choice", "", /*is_needed=*/false, mark_by_matcher_or_judge};
  return rule;
}

}  // namespace vlsi
