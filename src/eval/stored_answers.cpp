#include "eval/stored_answers.h"

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "eval/answer_store.h"
#include "eval/asked.h"
#include "generate/cache_room.h"

namespace vlsi {
namespace {

/// Tokens that a prompt and its answer have; nothing where that is the model's context, whatever the cache.
std::optional<int64_t> room_of_cache(const Speaker& speaker, const AskConfig& asking) {
  const int64_t room = cache_room(*speaker.model, asking.cache_bytes);
  return room < speaker.model->config().text.max_position_embeddings ? std::optional(room) : std::nullopt;
}

/// All that the answers depend on.
OrderedJson all_asked(const Records& records, const StoredAsking& config, std::optional<int64_t> room) {
  constexpr int64_t kFormat = 1;
  const auto& asking = config.asking;
  const bool skips = asking.on_error == OnError::kSkip;
  OrderedJson asked{{"format", kFormat}};
  asked.update(config.asked);
  asked["skips_bad_records"] = skips;
  asked["questions"] = fingerprint_of_questions(records, skips);
  asked["batch_tokens"] = asking.batch_tokens;
  asked["max_sequences"] = asking.max_sequences;
  asked["group"] = asking.group_records;
  asked["decoding"] = decoding_json(asking.decoding);
  if (room) asked["cache_tokens"] = *room;
  if (asking.draft.layer > 0) asked["draft"] = {{"layer", asking.draft.layer}, {"tokens", asking.draft.num_tokens}};
  return asked;
}

/// Every R-th of the groups without answers is a rank's.
std::vector<int64_t> share_of(const std::vector<int64_t>& missing, const Ranks& ranks) {
  std::vector<int64_t> own;
  for (size_t i = static_cast<size_t>(ranks.rank()); i < missing.size(); i += static_cast<size_t>(ranks.size())) {
    own.push_back(missing[i]);
  }
  return own;
}

void tell_of_cut(const std::vector<Answer>& answers, int64_t max_new_tokens, bool cache_cuts) {
  const auto num_cut = std::count_if(answers.begin(), answers.end(), [](const Answer& one) { return !one.stopped; });
  if (num_cut == 0) return;
  log_info(concat(num_cut, " of ", answers.size(), " answers were cut at --max-new-tokens ", max_new_tokens,
                  cache_cuts ? ", or where --cache-memory was full" : ""));
}

std::string what_is_kept(const AnswerStore& store, const std::filesystem::path& folder) {
  if (!store.has_answers()) return "nothing was written";
  return concat("the answers so far are in ", folder.string(), ": the same command goes on from there");
}

}  // namespace

std::vector<Answer> stored_answers(const Records& records, const Speaker& speaker, const StoredAsking& config,
                                   const Ranks& ranks) {
  const auto room = room_of_cache(speaker, config.asking);
  AnswerStore store(config.store, ranks.is_first() ? all_asked(records, config, room) : OrderedJson(), records.size(),
                    config.asking.group_records, ranks);
  const auto own = share_of(store.missing(), ranks);
  const int64_t num_own = store.num_questions_of(own), num_known = store.num_known();
  if (num_known > 0)
    log_info(concat(num_known, " of ", records.size(), " questions are answered in ", config.store.string()));
  Progress progress("answering", ranks.size() > 1 ? "questions of this rank" : "questions", num_known + num_own,
                    num_known);
  const bool done = answer_groups(
      speaker, records, config.asking, own,
      [&](int64_t group, const AnswerGroup& answers) {
        store.write(group, answers);
        ranks.check();
      },
      [&](int64_t num_done) { progress.update(num_known + num_done); });
  if (!done) throw std::runtime_error("stopped by an interrupt; " + what_is_kept(store, config.store));
  ranks.wait_for_all();
  if (!ranks.is_first()) return {};
  auto all = store.read_all();
  if (all.left_out.count == records.size()) {
    store.forget();
    fail("answering: every one of the ", records.size(), " records of ", records.path().string(),
         " was left out; the first: ", all.left_out.reasons.front());
  }
  report_skipped(all.left_out, "answering");
  tell_of_cut(all.answers, config.asking.decoding.max_new_tokens, room.has_value());
  return std::move(all.answers);
}

}  // namespace vlsi
