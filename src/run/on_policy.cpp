#include "run/on_policy.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "base/interrupt.h"
#include "base/random.h"
#include "data/other_answer.h"
#include "data/unpack.h"
#include "generate/engine.h"
#include "model/cpu/row_products.h"
#include "model/kv_cache.h"

namespace vlsi {
namespace {

static_assert(kDrawnAtOnce <= kMaxProductRows, "a row of a pass must not depend on the others");

constexpr int64_t kCacheBytes = int64_t{512} << 20;  // of keys and values; a longer answer has what it needs

/// The samples in this order, in as few batches as hold them when each is filled before the next.
void pack_within(std::vector<SamplePair> samples, int64_t batch_tokens, std::vector<Batch>& batches) {
  std::vector<SamplePair> next;
  int64_t own = 0, teachers = 0;
  for (auto& sample : samples) {
    const int64_t length = std::ssize(sample.own.tokens),
                  shown = sample.teachers ? std::ssize(sample.teachers->tokens) : 0;
    if (!next.empty() && std::max(own + length, teachers + shown) > batch_tokens) {
      batches.push_back(pack_pairs(std::exchange(next, {})));
      own = teachers = 0;
    }
    own += length;
    teachers += shown;
    next.push_back(std::move(sample));
  }
  batches.push_back(pack_pairs(next));
}

void replace_answer(SamplePair& sample, const std::vector<int32_t>& answer) {
  const int64_t begin = begin_of_last_answer(sample.own);
  sample.own = with_answer(sample.own, begin, answer);
  if (sample.teachers) sample.teachers = with_answer(*sample.teachers, begin, answer);
}

Mean mean_of(double sum, int64_t count) { return {at::scalar_tensor(sum, at::kDouble), static_cast<double>(count)}; }

}  // namespace

int64_t num_drawing_blocks(int64_t count, int64_t most_tokens, int64_t bytes_a_block) {
  const int64_t each = KvCache::blocks_for(most_tokens);
  return std::max(std::min(std::min(count, kDrawnAtOnce) * each, kCacheBytes / bytes_a_block), each);
}

OnPolicyAnswers::OnPolicyAnswers(const RunConfig& config, const Speaker& student, int64_t shared_ids)
    : config_(config.interact.on_policy),
      seed_(config.seed),
      student_(student),
      batch_tokens_(config.interact.data.batch_tokens),
      sample_tokens_(std::min(
          {config.interact.data.sample_tokens, batch_tokens_, student.model->config().text.max_position_embeddings})),
      decoding_(greedy_decoding(config.student.model, student.model->config())) {
  decoding_.sample = config_.temperature > 0;
  if (decoding_.sample) decoding_.temperature = config_.temperature;
  const int64_t end_of_turn = student.processor->end_of_turn(), num_ids = student.model->head().size(0);
  if (!decoding_.stops_at(end_of_turn)) decoding_.stop_tokens.push_back(end_of_turn);
  const auto& tokenizer = student.processor->tokenizer();
  for (int64_t id = 0; id < num_ids; ++id) {
    const bool has_words = id < tokenizer.size() && !tokenizer.bytes(static_cast<int32_t>(id)).empty();
    if (id >= shared_ids || !has_words) decoding_.suppress_tokens.push_back(id);
  }
}

uint64_t OnPolicyAnswers::seed_for(const char* purpose, uint64_t record) const {
  return derive_seed(seed_, concat(purpose, " of iteration ", period_, ", record ", record));
}

OnPolicyAnswers::Taken OnPolicyAnswers::take(const Batch& batch) const {
  Taken taken;
  for (size_t i = 0; i < batch.ids.size(); ++i) {
    const bool has_answer = batch.answer_starts[i] < batch.answer_starts[i + 1];
    const double drawn = Random(seed_for("on-policy share", batch.sample_fingerprints[i])).uniform();
    if (has_answer && drawn < config_.share) taken.places.push_back(i);
  }
  if (taken.places.empty()) return taken;
  taken.samples = unpack_pairs(batch);
  std::erase_if(taken.places,
                [&](size_t i) { return want(batch.sample_fingerprints[i], taken.samples[i]).max_new_tokens < 1; });
  return taken;
}

const OnPolicyAnswers::Answer& OnPolicyAnswers::answer_to(uint64_t record, const Answers& drawn) const {
  const auto found = known_.find(record);
  return found != known_.end() ? found->second : drawn.at(record);
}

OnPolicyAnswers::Wanted OnPolicyAnswers::want(uint64_t record, const SamplePair& sample) const {
  const int64_t begin = begin_of_last_answer(sample.own);
  Wanted wanted{record, prompt_of(sample.own, begin), 0};
  int64_t longest = std::ssize(wanted.prompt.tokens);
  if (sample.teachers) longest = std::max<int64_t>(longest, sample.teachers->answer_positions[begin] + 1);
  wanted.max_new_tokens = std::min(config_.max_new_tokens, sample_tokens_ - longest);
  return wanted;
}

/// Draws them all; false when an interrupt came first. A prompt is read alone in its pass, and what another prompt
/// begins with is not taken over: its rows are then those of the prompt by itself. Answers are admitted as far as the
/// cache holds them to their ends, so that none is given up and read again.
bool OnPolicyAnswers::draw(std::vector<Wanted> wanted, Answers& drawn) const {
  const auto& model = *student_.model;
  const auto tokens_of = [](const Wanted& w) { return std::ssize(w.prompt.tokens) + w.max_new_tokens; };
  int64_t most_tokens = 0;
  for (const auto& w : wanted) most_tokens = std::max(most_tokens, tokens_of(w));
  const int64_t bytes_a_block = KvCache::bytes_a_block(model.config().text, model.dtype());
  int64_t num_free = num_drawing_blocks(std::ssize(wanted), most_tokens, bytes_a_block);
  Engine engine(model, student_.processor->tokenizer(), student_.pictures.get(),
                {kDrawnAtOnce, /*prompt_tokens=*/most_tokens, num_free * bytes_a_block});
  const int64_t end_of_turn = student_.processor->end_of_turn();
  auto next = wanted.begin();
  do {
    if (interrupted()) return false;
    if (next == wanted.end() || engine.num_unfinished() == kDrawnAtOnce) continue;
    const int64_t num_blocks = KvCache::blocks_for(tokens_of(*next));
    if (num_blocks > num_free) continue;
    num_free -= num_blocks;
    auto decoding = decoding_;
    decoding.max_new_tokens = next->max_new_tokens;
    decoding.seed = seed_for("on-policy answer", next->record);
    engine.submit({std::move(next->prompt), std::move(decoding), nullptr,
                   [&drawn, &num_free, num_blocks, end_of_turn, record = next->record](Reply reply) {
                     num_free += num_blocks;
                     if (reply.finish == Finish::kStop) reply.tokens.push_back(static_cast<int32_t>(end_of_turn));
                     drawn.emplace(record, std::move(reply.tokens));
                   },
                   nullptr, /*group=*/static_cast<uint64_t>(next - wanted.begin())});
    ++next;
  } while (engine.step() || next != wanted.end());
  return true;
}

std::optional<Rewritten> OnPolicyAnswers::rewrite(int64_t iteration, const std::vector<Batch>& batches) {
  const auto started = std::chrono::steady_clock::now();
  if (const int64_t first = iteration - (iteration - 1) % config_.every; first != period_) {
    period_ = first;
    known_.clear();
  }
  std::vector<Taken> taken;
  std::vector<Wanted> wanted;
  std::set<uint64_t> records;  // of `wanted`
  for (const auto& batch : batches) {
    taken.push_back(take(batch));
    for (const size_t place : taken.back().places) {
      const auto record = batch.sample_fingerprints[place];
      if (!known_.contains(record) && records.insert(record).second)
        wanted.push_back(want(record, taken.back().samples[place]));
    }
  }
  Answers drawn;
  if (!wanted.empty() && !draw(std::move(wanted), drawn)) return std::nullopt;
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;

  Rewritten rewritten;
  int64_t num_records = 0, num_taken = 0, num_tokens = 0, num_ended = 0;
  for (size_t i = 0; i < batches.size(); ++i) {
    auto& [samples, places] = taken[i];
    num_records += batches[i].num_samples();
    num_taken += std::ssize(places);
    for (const size_t place : places) {
      const auto& answer = answer_to(batches[i].sample_fingerprints[place], drawn);
      replace_answer(samples[place], answer);
      const bool has_ended = answer.back() == student_.processor->end_of_turn();
      num_ended += has_ended ? 1 : 0;
      num_tokens += std::ssize(answer) - (has_ended ? 1 : 0);
    }
    if (places.empty()) {
      rewritten.batches.push_back(batches[i]);
    } else {
      pack_within(std::move(samples), batch_tokens_, rewritten.batches);
    }
  }
  rewritten.means = {{"on_policy_share", mean_of(static_cast<double>(num_taken), num_records)},
                     {"on_policy_tokens", mean_of(static_cast<double>(num_tokens), num_taken)},
                     {"on_policy_ended", mean_of(static_cast<double>(num_ended), num_taken)},
                     {"generation_seconds", mean_of(seconds.count(), 1)}};
  if (config_.every > 1) rewritten.news = as_json(drawn);
  return rewritten;
}

OrderedJson OnPolicyAnswers::as_json(const Answers& answers) const {
  OrderedJson list = OrderedJson::array();
  for (const auto& [record, answer] : answers) list.push_back({record, answer});
  return {{"period", period_}, {"answers", list}};
}

void OnPolicyAnswers::remember(const Json& news, const std::string& place) {
  const auto period = require<int64_t>(news, "period", place);
  if (period < 1) fail(place, ": key 'period' is ", period, ", expected the number of an iteration, 1 or more");
  period_ = period;
  const auto entries = require<std::vector<Json>>(news, "answers", place);
  for (size_t i = 0; i < entries.size(); ++i) {
    const auto& entry = entries[i];
    const auto where = concat(place, ": key 'answers', entry ", i + 1);
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_number_unsigned() || !entry[1].is_array())
      fail(where, ": expected [fingerprint of a record, [token ids]]");
    known_.emplace(entry[0].get<uint64_t>(), read_answer(entry[1], where));
  }
}

OnPolicyAnswers::Answer OnPolicyAnswers::read_answer(const Json& ids, const std::string& place) const {
  const auto count = static_cast<int64_t>(ids.size());
  if (count < 1 || count - 1 > config_.max_new_tokens) {
    fail(place, ": the answer has ", count, " tokens, expected at least 1, and at most interact.on_policy.",
         "max_new_tokens, ", config_.max_new_tokens, ", and an end of turn");
  }
  const int64_t num_ids = student_.model->head().size(0);
  Answer answer;
  for (const auto& id : ids) {
    const bool is_known = id.is_number_integer() && id.get<int64_t>() >= 0 && id.get<int64_t>() < num_ids;
    if (!is_known)
      fail(place, ": a token is ", id.is_number() ? id.dump() : describe(id), ", expected 0 to ", num_ids - 1);
    answer.push_back(id.get<int32_t>());
  }
  return answer;
}

OrderedJson OnPolicyAnswers::memory() const { return config_.every > 1 ? as_json(known_) : OrderedJson(); }

}  // namespace vlsi
