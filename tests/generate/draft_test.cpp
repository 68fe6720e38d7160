// Answers with drafts against those without: right ones, wrong ones, and any mixture of them.
#include "generate/draft.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "model/fused.h"
#include "tests/generate/engine_fixture.h"

namespace vlsi {
namespace draft_tests {

using fixtures::answer_together;
using fixtures::of_length;
using fixtures::SpokenModel;
using Requests = std::vector<std::pair<Sample, Decoding>>;

/// What the whole model expects: its last layer's rows through its own norm and head.
Draft draft_of_itself(const Vlm& model, int64_t num_tokens) {
  return {model.num_layers(), num_tokens, [&model](const at::Tensor& rows) {
            const auto normed = rms_norm(rows, model.final_norm(), model.config().text.rms_norm_eps);
            return row_products(normed, model.head_map(), at::kFloat);
          }};
}

/// What it expects least.
Draft wrong_draft(const Vlm& model, int64_t num_tokens) {
  auto draft = draft_of_itself(model, num_tokens);
  draft.logits = [right = draft.logits](const at::Tensor& rows) { return -right(rows); };
  return draft;
}

/// In turn what it expects and what not.
Draft mixed_draft(const Vlm& model, int64_t num_tokens) {
  auto draft = draft_of_itself(model, num_tokens);
  draft.logits = [right = draft.logits, calls = std::make_shared<int>(0)](const at::Tensor& rows) {
    return ++*calls % 3 == 0 ? -right(rows) : right(rows);
  };
  return draft;
}

/// A map without any sense, from the rows of the first layer.
Draft random_draft(const Vlm& model, int64_t num_tokens) {
  const auto generator = at::detail::createCPUGenerator(7);
  const auto map = at::randn({model.head().size(0), model.head().size(1)}, generator, at::kFloat);
  return {1, num_tokens, [map](const at::Tensor& rows) { return at::linear(rows.to(at::kFloat), map); }};
}

Draft draft_of_nan(const Vlm& model, int64_t num_tokens) {
  return {1, num_tokens, [&model](const at::Tensor& rows) {
            return at::full({rows.size(0), model.head().size(0)}, std::numeric_limits<float>::quiet_NaN());
          }};
}

using MakeDraft = Draft (*)(const Vlm& model, int64_t num_tokens);
constexpr MakeDraft kDrafts[]{draft_of_itself, wrong_draft, mixed_draft, random_draft, draft_of_nan};

EngineConfig with_draft(const Draft& draft, EngineConfig config = {}) {
  config.draft = draft;
  return config;
}

void expect_same(const Reply& found, const Reply& wanted) {
  EXPECT_EQ(found.tokens, wanted.tokens);
  EXPECT_EQ(found.text, wanted.text);
  EXPECT_EQ(found.finish, wanted.finish);
  ASSERT_EQ(found.logprobs.size(), wanted.logprobs.size());
  for (size_t i = 0; i < wanted.logprobs.size(); ++i) {
    EXPECT_EQ(found.logprobs[i].logprob, wanted.logprobs[i].logprob);
    EXPECT_EQ(found.logprobs[i].likely, wanted.logprobs[i].likely);
  }
}

class DraftedAnswers : public testing::TestWithParam<std::tuple<std::string, at::ScalarType>> {
 protected:
  /// All drafts give what the engine gives without: these.
  std::vector<Reply> expect_nothing_changes(const Requests& requests) {
    auto plain = spoken_.engine();
    const auto wanted = answer_together(plain, requests);
    for (size_t kind = 0; kind < std::size(kDrafts); ++kind) {
      for (const int64_t num_tokens : {1, 4}) {
        SCOPED_TRACE(concat("draft ", kind, " of ", num_tokens, " tokens"));
        auto engine = spoken_.engine(with_draft(kDrafts[kind](*spoken_.model, num_tokens)));
        const auto found = answer_together(engine, requests);
        for (size_t i = 0; i < wanted.size(); ++i) expect_same(found[i], wanted[i]);
      }
    }
    return wanted;
  }

  /// What the first two tokens behind the fifth say that say something, and whole characters together.
  std::string words_inside(const std::vector<int32_t>& tokens) const {
    for (size_t begin = 5; begin + 2 < tokens.size(); ++begin) {
      const auto words = spoken_.tokenizer.decode(std::span(tokens).subspan(begin, 2));
      if (!words.empty() && words.find("\uFFFD") == words.npos) return words;
    }
    ADD_FAILURE() << "no whole characters in the middle of an answer";
    return {};
  }

  SpokenModel spoken_{std::get<0>(GetParam()), std::get<1>(GetParam())};
  const std::vector<Sample>& prompts_ = spoken_.prompts;
};

TEST_P(DraftedAnswers, AreTheGreedyOnesOfAnyLength) {
  Requests requests;
  for (const int64_t length : {1, 2, 3, 5, 12, 24}) {
    for (const auto& prompt : prompts_) requests.emplace_back(prompt, of_length(length));
  }
  requests.resize(16);  // so that all of them draft
  expect_nothing_changes(requests);
}

TEST_P(DraftedAnswers, EndAtStopTokensAndTextsInTheMiddleOfADraft) {
  Requests requests;  // three of each prompt
  for (const auto& prompt : prompts_) requests.insert(requests.end(), 3, {prompt, of_length(12)});
  auto engine = spoken_.engine();
  const auto answers = answer_together(engine, requests);  // as below: in other passes bfloat16 may round otherwise
  for (size_t i = 0; i < requests.size(); ++i) {
    const auto& tokens = answers[i].tokens;
    auto& decoding = requests[i].second;
    if (i % 3 == 0) decoding.stop_tokens = {tokens[4], tokens[9]};
    if (i % 3 == 1) decoding.stop = {words_inside(tokens)};
    if (i % 3 == 2) decoding.stop_tokens = {tokens[1]}, decoding.min_new_tokens = 6;
  }
  const auto replies = expect_nothing_changes(requests);
  for (size_t i = 0; i < replies.size(); ++i) {
    const bool is_stopped = i % 3 < 2;
    EXPECT_TRUE(!is_stopped || replies[i].finish == Finish::kStop) << i;
  }
}

TEST_P(DraftedAnswers, AreThoseOfEveryRuleAndDraw) {
  Requests requests;
  const auto add = [&](const auto& change) {
    auto decoding = of_length(14);
    change(decoding);
    requests.emplace_back(prompts_[requests.size() % prompts_.size()], decoding);
  };
  add([](Decoding& d) { d.repetition_penalty = 1.7; });
  add([](Decoding& d) { d.presence_penalty = 2, d.frequency_penalty = 0.5; });
  add([](Decoding& d) { d.no_repeat_ngram_size = 2, d.top_logprobs = 3; });
  add([](Decoding& d) { d.suppress_tokens = {3, 5, 7}, d.bad_words_ids = {{11}, {12, 13}}; });
  add([](Decoding& d) { d.sample = true, d.seed = 1; });
  add([](Decoding& d) { d.sample = true, d.temperature = 0.3, d.top_p = 0.9, d.seed = 2; });
  add([](Decoding& d) { d.num_beams = 3; });
  expect_nothing_changes(requests);
}

TEST_P(DraftedAnswers, TakeOnePassForAllTokensThatWereRightAndOneMore) {
  auto right = spoken_.engine(with_draft(draft_of_itself(*spoken_.model, 4)));
  auto wrong = spoken_.engine(with_draft(wrong_draft(*spoken_.model, 4)));
  for (const auto& prompt : prompts_) {
    // The prompt gives the first of twelve tokens; a pass five, five and one.
    const auto fast = generate(right, prompt, of_length(12)).counts;
    EXPECT_EQ(fast.passes, 3);
    EXPECT_EQ(fast.drafted, 8);
    EXPECT_EQ(fast.accepted, 8);
    const auto slow = generate(wrong, prompt, of_length(12)).counts;
    EXPECT_EQ(slow.passes, 11);
    EXPECT_EQ(slow.drafted, 7 * 4 + 3 + 2 + 1);
    EXPECT_EQ(slow.accepted, 0);
  }
}

/// The rows of a layer below are the same bits whether they are computed for a draft or not, and so are the rest's.
TEST_P(DraftedAnswers, AreDraftedByALowerLayerAsByTheWholeModel) {
  for (const auto& prompt : prompts_) {
    std::vector<std::string> rows;
    const auto bytes_of = [](const at::Tensor& row) {
      const auto own = row.contiguous();
      return std::string(static_cast<const char*>(own.const_data_ptr()), own.nbytes());
    };
    const auto one = [&](int32_t token) {
      auto logits = at::zeros({1, spoken_.model->head().size(0)});
      logits[0][token] = 1;
      return logits;
    };
    auto plain = spoken_.engine();
    const auto wanted = generate(plain, prompt, of_length(14)).tokens;
    int32_t wrong = 0;
    while (std::find(wanted.begin(), wanted.end(), wrong) != wanted.end()) ++wrong;
    Draft draft{1, 1, [&](const at::Tensor& x) {
                  rows.push_back(bytes_of(x));
                  return one(wrong);
                }};
    auto recording = spoken_.engine(with_draft(draft));
    EXPECT_EQ(generate(recording, prompt, of_length(14)).tokens, wanted);
    std::map<std::string, int32_t> next;
    for (size_t i = 0; i < rows.size(); ++i) next[rows[i]] = wanted[i + 1];
    draft.num_tokens = 5;
    draft.logits = [&](const at::Tensor& x) { return one(next.at(bytes_of(x))); };
    auto engine = spoken_.engine(with_draft(draft));
    const auto again = generate(engine, prompt, of_length(14));
    EXPECT_EQ(again.tokens, wanted);
    EXPECT_EQ(again.counts.accepted, again.counts.drafted);
    EXPECT_EQ(again.counts.passes, 3);  // 6, 6 and 1
  }
}

std::vector<std::string> all_variants() { return fixtures::variants(); }

INSTANTIATE_TEST_SUITE_P(Families, DraftedAnswers,
                         testing::Combine(testing::ValuesIn(all_variants()),
                                          testing::Values(at::kFloat, at::kBFloat16)),
                         [](const auto& tested) {
                           return fixtures::variant_name(std::get<0>(tested.param)) + "_" +
                                  at::toString(std::get<1>(tested.param));
                         });

class DraftsOfOneModel : public testing::Test {
 protected:
  std::vector<Reply> answer(const Requests& requests, const EngineConfig& config) const {
    auto engine = spoken_.engine(config);
    return answer_together(engine, requests);
  }

  SpokenModel spoken_{"qwen2_vl/untied"};
  const Vlm& model_ = *spoken_.model;
};

TEST_F(DraftsOfOneModel, KeepToThePlacesPiecesAndRoomThereAre) {
  Requests requests;
  for (int i = 0; i < 7; ++i) requests.emplace_back(spoken_.prompts[i % 3], of_length(12));
  int64_t longest = 0;
  for (const auto& prompt : spoken_.prompts) longest = std::max(longest, std::ssize(prompt.tokens));
  const int64_t needed = KvCache::blocks_for(longest + 12);
  const std::vector<EngineConfig> configs{{1, 1024},
                                          {3, 5},
                                          {8, 1},
                                          {8, 1024, fixtures::cache_bytes(model_, needed)},
                                          {8, 7, fixtures::cache_bytes(model_, needed + 1)}};
  for (const auto& config : configs) {
    for (const auto make : kDrafts) {
      const auto replies = answer(requests, with_draft(make(model_, 5), config));
      for (size_t i = 0; i < replies.size(); ++i) EXPECT_EQ(replies[i].tokens, spoken_.greedy[i % 3]);
    }
  }
}

TEST_F(DraftsOfOneModel, EndWhereTheCacheIsFull) {
  const EngineConfig small{8, 1024, fixtures::cache_bytes(model_, 2)};
  const Requests requests{{spoken_.prompts[0], of_length(1000)}};
  const auto wanted = answer(requests, small);
  ASSERT_EQ(wanted[0].finish, Finish::kLength);
  for (const auto make : kDrafts) expect_same(answer(requests, with_draft(make(model_, 7), small))[0], wanted[0]);
}

TEST_F(DraftsOfOneModel, GetShorterWhereManyAnswerAtOnce) {
  const auto accepted = [&](int64_t num_requests) {
    const Requests requests(static_cast<size_t>(num_requests), {spoken_.prompts[0], of_length(12)});
    const auto replies = answer(requests, with_draft(draft_of_itself(model_, 4), {64}));
    for (const auto& reply : replies) EXPECT_EQ(reply.tokens, spoken_.greedy[0]);
    return replies.back().counts.accepted;  // all but the first are in step
  };
  EXPECT_EQ(accepted(12), 8);  // 60 rows
  EXPECT_EQ(accepted(20), 7);  // 3 rows each at most: 3, 3, 3 and 2 tokens
  EXPECT_EQ(accepted(40), 0);  // 2 rows each would be 80
}

/// Blocks that equal beginnings find hold accepted tokens alone.
TEST_F(DraftsOfOneModel, LeaveNothingBehindThatWasNotAccepted) {
  const auto& prompt = spoken_.prompts[0];
  auto plain = spoken_.engine();
  const auto whole = generate(plain, prompt, of_length(60));
  for (const auto make : kDrafts) {
    auto engine = spoken_.engine(with_draft(make(model_, 6)));
    EXPECT_EQ(generate(engine, prompt, of_length(44)).tokens,
              std::vector<int32_t>(whole.tokens.begin(), whole.tokens.begin() + 44));
    auto longer = prompt;
    for (size_t i = 0; i < 44; ++i) {
      longer.tokens.push_back(whole.tokens[i]);
      for (auto& axis : longer.positions) axis.push_back(longer.next_position);
      ++longer.next_position;
    }
    longer.answer_positions = {static_cast<int32_t>(longer.tokens.size()) - 1};
    const auto rest = generate(engine, longer, of_length(16));
    EXPECT_GE(rest.num_cached_tokens, 48);
    EXPECT_EQ(rest.tokens, std::vector<int32_t>(whole.tokens.begin() + 44, whole.tokens.end()));
  }
}

TEST_F(DraftsOfOneModel, StopForAClientThatIsGone) {
  auto engine = spoken_.engine(with_draft(draft_of_itself(model_, 8)));
  int told = 0;
  const auto reply = generate(engine, spoken_.prompts[0], of_length(12), [&](std::string_view) { return ++told < 5; });
  EXPECT_EQ(reply.finish, Finish::kCancelled);
  EXPECT_LE(std::ssize(reply.tokens), 5);
  EXPECT_EQ(engine.num_unfinished(), 0);
  EXPECT_EQ(generate(engine, spoken_.prompts[0], of_length(12)).tokens, spoken_.greedy[0]);
}

TEST(DraftCountsText, SaysTokensAPassAndHowManyWereAccepted) {
  DraftCounts counts{10, 40, 15};
  counts += {10, 0, 0};
  EXPECT_EQ(describe(counts), "1.75 tokens a pass, 15 of 40 drafted ones accepted");
}

}  // namespace draft_tests
}  // namespace vlsi
