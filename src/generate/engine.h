// The generation engine: prompts in, answers out, many at a time. It owns the key/value cache and decides what each
// pass computes: a piece of the new prompts, then one more token of every answer.
#pragma once

#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/sample.h"
#include "generate/decoding.h"
#include "generate/draft.h"
#include "model/vlm.h"
#include "text/tokenizer.h"

namespace vlsi {

struct EngineConfig {
  int64_t max_sequences = 32;       // decoded at once; a beam is one
  int64_t prompt_tokens = 1024;     // of the new prompts in a pass
  int64_t cache_bytes = 2LL << 30;  // of keys and values, at most; what no answer needs is kept for equal beginnings
  /// Of all answers but beam searches, whose tokens are the same with and without on the CPU. It ends where all of them
  /// have more than the 64 tokens in a pass that are computed one by one.
  Draft draft = {};
};

enum class Finish {
  kStop,       // by a stop token or a stop text
  kLength,     // by max_new_tokens
  kCancelled,  // by its client
};

struct TokenLogprob {
  int32_t token = 0;
  double logprob = 0;                              // natural logarithm, of the model's distribution before penalties
  std::vector<std::pair<int32_t, double>> likely;  // the most likely tokens, the likeliest first
};

struct Reply {
  std::vector<int32_t> tokens;  // without the stop token, as they were generated; a stop text's tokens are among them
  std::string text;             // up to the stop text
  Finish finish = Finish::kLength;
  std::vector<TokenLogprob> logprobs;  // [tokens], where they were asked for
  int64_t num_prompt_tokens = 0, num_image_tokens = 0;
  int64_t num_cached_tokens = 0;  // of the prompt, known from earlier requests
  DraftCounts counts;
};

struct Request {
  Sample prompt;  // of Processor::encode_prompt
  Decoding decoding;
  /// New text of the answer, whole code points and never the beginning of a stop text; a beam search has none before
  /// its end. False cancels the request. May be empty: asks only, once a token.
  std::function<bool(std::string_view text)> on_text = nullptr;
  /// The end: the whole answer, or why there is none.
  std::function<void(Reply)> on_reply;
  std::function<void(std::exception_ptr)> on_error;  // absent: step() throws it
  uint64_t group = 0;                                // among whose requests what is known of equal beginnings is shared
  std::function<void(const TokenLogprob&)> on_logprob = nullptr;  // of each token before its text, where asked for
};

/// Used by one thread at a time. An answer does not depend on the requests beside it, but for rounding.
class Engine {
 public:
  /// `model`, `tokenizer` and `pictures` must outlive it; `pictures` may be null.
  Engine(const Vlm& model, const Tokenizer& tokenizer, PictureFeatures* pictures, const EngineConfig& config = {});
  ~Engine();

  /// Takes a request into the queue. Error when it can never be answered: longer than the model's context or
  /// than the cache, or with more beams than `max_sequences`.
  void submit(Request request);

  /// One pass. Calls back from inside. False when nothing is left to do.
  bool step();

  /// Requests that are waiting or being answered.
  int64_t num_unfinished() const;
  /// Of these, those that wait for a place.
  int64_t num_waiting() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

/// The answer to one prompt alone.
Reply generate(Engine& engine, const Sample& prompt, const Decoding& decoding,
               const std::function<bool(std::string_view)>& on_text = nullptr);

}  // namespace vlsi
