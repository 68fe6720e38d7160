// On-policy interaction: for a share of the records, what both models read is the student's own answer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/sample_pair.h"
#include "run/config.h"
#include "run/speaker.h"
#include "train/rewriting.h"

namespace vlsi {

/// Answers that are drawn at once, at most: so many tokens are computed one by one in a pass of the engine.
inline constexpr int64_t kDrawnAtOnce = 64;

/// Blocks of the key/value cache in which `count` answers are drawn, none of which has more than `most_tokens` tokens
/// with its prompt; `bytes_a_block` is KvCache's.
int64_t num_drawing_blocks(int64_t count, int64_t most_tokens, int64_t bytes_a_block);

/// Draws answers of the student, as its weights and adapters are, in the place of the records' last answers, in the
/// share of records that interact.on_policy says. A record is known by the fingerprint of its sample. Whether it is
/// taken, and its answer, are a function of the run's seed, the iteration, the record and the student's weights; on the
/// CPU bit for bit, whatever is drawn beside it. Micro-batches that no longer hold their samples are divided, in order,
/// into ones of `batch_tokens`.
///
/// With `every` above 1, the iterations 1, every + 1, 2 every + 1, ... begin a period. In it, the iteration that both
/// depend on is its first, and a record that comes again has the answer that was drawn when it first came.
class OnPolicyAnswers : public Rewriting {
 public:
  /// Of the run's student with its processor, which outlive it. The first `shared_ids` ids mean the same to the
  /// teacher; no other is drawn.
  OnPolicyAnswers(const RunConfig& config, const Speaker& student, int64_t shared_ids);

  std::optional<Rewritten> rewrite(int64_t iteration, const std::vector<Batch>& batches) override;
  void remember(const Json& news, const std::string& place) override;
  OrderedJson memory() const override;

 private:
  using Answer = std::vector<int32_t>;  // with the end of turn where the student has said it
  using Answers = std::map<uint64_t, Answer>;

  /// An answer to be drawn.
  struct Wanted {
    uint64_t record;
    Sample prompt;
    int64_t max_new_tokens;
  };

  /// The records of a micro-batch that are taken.
  struct Taken {
    std::vector<SamplePair> samples;  // all of the micro-batch's; empty where none is taken
    std::vector<size_t> places;       // of those that are
  };

  uint64_t seed_for(const char* purpose, uint64_t record) const;
  Taken take(const Batch& batch) const;
  const Answer& answer_to(uint64_t record, const Answers& drawn) const;
  Wanted want(uint64_t record, const SamplePair& sample) const;
  bool draw(std::vector<Wanted> wanted, Answers& drawn) const;
  OrderedJson as_json(const Answers& answers) const;
  /// A remembered answer. Error naming `place` where the student cannot have drawn it.
  Answer read_answer(const Json& ids, const std::string& place) const;

  const OnPolicyConfig config_;
  const uint64_t seed_;
  const Speaker& student_;
  const int64_t batch_tokens_, sample_tokens_;
  Decoding decoding_;
  int64_t period_ = 0;  // its first iteration
  Answers known_;       // of this period's earlier iterations
};

}  // namespace vlsi
