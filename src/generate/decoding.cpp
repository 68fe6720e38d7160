#include "generate/decoding.h"

#include <array>
#include <cmath>

#include "base/json.h"
#include "base/log.h"
#include "family/config_keys.h"

namespace vlsi {
namespace {

/// Reads one generation_config.json, whose absent and null keys leave what is there.
class DecodingKeys {
 public:
  DecodingKeys(const Json& json, std::string place) : json_(json), place_(std::move(place)) {}

  template <class T>
  bool read(const std::string& key, T& value) const {
    const auto found = find<T>(json_, key, place_);
    if (found) value = *found;
    return found.has_value();
  }

  void read_early_stopping(EarlyStopping& value) const {
    const auto found = find<Json>(json_, "early_stopping", place_);
    if (!found) return;
    if (found->is_boolean()) {
      value = found->get<bool>() ? EarlyStopping::kFirstFinished : EarlyStopping::kUnlikely;
    } else if (*found == "never") {
      value = EarlyStopping::kNever;
    } else {
      fail(place_, ": key 'early_stopping' is ", found->dump(), ", expected true, false or \"never\"");
    }
  }

  void read_bad_words(std::vector<std::vector<int64_t>>& words) const {
    const auto found = find<Json>(json_, "bad_words_ids", place_);
    if (!found) return;
    if (!found->is_array()) fail(place_, ": key 'bad_words_ids' is ", describe(*found), ", expected lists of tokens");
    for (const auto& word : *found) {
      words.push_back(require<std::vector<int64_t>>(Json{{"bad_words_ids", word}}, "bad_words_ids", place_));
    }
  }

  void read_stop_strings(std::vector<std::string>& stop) const {
    const auto found = find<Json>(json_, "stop_strings", place_);
    if (!found) return;
    if (found->is_string()) {
      stop = {found->get<std::string>()};
    } else {
      read("stop_strings", stop);
    }
  }

  /// Keys that would change the answer, with the value that changes nothing.
  void warn_of_others() const {
    static const std::pair<const char*, Json> others[]{{"num_beam_groups", 1},
                                                       {"diversity_penalty", 0.0},
                                                       {"typical_p", 1.0},
                                                       {"epsilon_cutoff", 0.0},
                                                       {"eta_cutoff", 0.0},
                                                       {"top_h", nullptr},
                                                       {"penalty_alpha", nullptr},
                                                       {"guidance_scale", nullptr},
                                                       {"sequence_bias", nullptr},
                                                       {"begin_suppress_tokens", nullptr},
                                                       {"forced_bos_token_id", nullptr},
                                                       {"forced_eos_token_id", nullptr},
                                                       {"exponential_decay_length_penalty", nullptr},
                                                       {"encoder_repetition_penalty", 1.0},
                                                       {"encoder_no_repeat_ngram_size", 0},
                                                       {"min_length", 0},
                                                       {"max_time", nullptr},
                                                       {"num_return_sequences", 1},
                                                       {"remove_invalid_values", false},
                                                       {"renormalize_logits", false},
                                                       {"force_words_ids", nullptr},
                                                       {"constraints", nullptr},
                                                       {"watermarking_config", nullptr},
                                                       {"dola_layers", nullptr}};
    for (const auto& [key, neutral] : others) warn_unless(key, neutral);
    constexpr int64_t kOfTransformers = 20;  // where no key gives a length
    if (!json_.contains("max_new_tokens")) warn_unless("max_length", kOfTransformers);
  }

 private:
  void warn_unless(const char* key, const Json& neutral) const {
    const auto found = find<Json>(json_, key, place_);
    if (found && *found != neutral) log_warning(concat(place_, ": key '", key, "' has no effect here"));
  }

  const Json& json_;
  std::string place_;
};

std::filesystem::path file_of(const std::filesystem::path& directory) { return directory / "generation_config.json"; }

void check_tokens(const std::vector<int64_t>& tokens, int64_t vocab_size, const std::string& what) {
  for (const int64_t token : tokens) {
    if (token < 0 || token >= vocab_size) {
      fail(what, " has ", token, ", expected ids of the vocabulary's ", vocab_size, " rows");
    }
  }
}

}  // namespace

Decoding greedy_decoding(const std::filesystem::path& directory, const ModelConfig& config) {
  Decoding decoding;
  decoding.stop_tokens = config.eos_token_ids;
  const auto path = file_of(directory);
  if (!std::filesystem::exists(path)) return decoding;
  if (const auto tokens = find_token_ids(read_json(path), "eos_token_id", path.string()))
    decoding.stop_tokens = *tokens;
  check_tokens(decoding.stop_tokens, config.text.vocab_size, path.string() + ": key 'eos_token_id'");
  return decoding;
}

Decoding default_decoding(const std::filesystem::path& directory, const ModelConfig& config) {
  auto decoding = greedy_decoding(directory, config);
  const auto path = file_of(directory);
  if (!std::filesystem::exists(path)) return decoding;
  const auto json = read_json(path);
  const DecodingKeys keys(json, path.string());
  keys.read("max_new_tokens", decoding.max_new_tokens);
  keys.read("min_new_tokens", decoding.min_new_tokens);
  keys.read("num_beams", decoding.num_beams);
  keys.read("length_penalty", decoding.length_penalty);
  keys.read_early_stopping(decoding.early_stopping);
  keys.read("do_sample", decoding.sample);
  keys.read("temperature", decoding.temperature);
  constexpr int64_t kTransformersTopK = 50;  // of a file that does not say
  if (!keys.read("top_k", decoding.top_k) && decoding.sample) decoding.top_k = kTransformersTopK;
  keys.read("top_p", decoding.top_p);
  keys.read("min_p", decoding.min_p);
  keys.read("repetition_penalty", decoding.repetition_penalty);
  keys.read("no_repeat_ngram_size", decoding.no_repeat_ngram_size);
  keys.read("suppress_tokens", decoding.suppress_tokens);
  keys.read_bad_words(decoding.bad_words_ids);
  keys.read_stop_strings(decoding.stop);
  keys.warn_of_others();
  return decoding;
}

void check_decoding(const Decoding& decoding, int64_t vocab_size, const std::string& place) {
  const auto expect = [&](bool holds, const char* name, auto value, const char* expected) {
    if (!holds) fail(place, ": ", name, " is ", value, ", expected ", expected);
  };
  const auto& d = decoding;
  expect(d.max_new_tokens >= 1, "max_new_tokens", d.max_new_tokens, "at least 1");
  expect(d.min_new_tokens >= 0, "min_new_tokens", d.min_new_tokens, "at least 0");
  expect(d.num_beams >= 1 && d.num_beams <= 256, "num_beams", d.num_beams, "1 to 256");
  expect(std::isfinite(d.length_penalty), "length_penalty", d.length_penalty, "a finite number");
  expect(!d.sample || (d.temperature > 0 && std::isfinite(d.temperature)), "temperature", d.temperature,
         "a number above 0");
  expect(d.top_k >= 0, "top_k", d.top_k, "at least 0");
  expect(d.top_p >= 0 && d.top_p <= 1, "top_p", d.top_p, "0 to 1");
  expect(d.min_p >= 0 && d.min_p <= 1, "min_p", d.min_p, "0 to 1");
  expect(d.repetition_penalty > 0 && std::isfinite(d.repetition_penalty), "repetition_penalty", d.repetition_penalty,
         "a number above 0");
  expect(std::isfinite(d.presence_penalty), "presence_penalty", d.presence_penalty, "a finite number");
  expect(std::isfinite(d.frequency_penalty), "frequency_penalty", d.frequency_penalty, "a finite number");
  expect(d.no_repeat_ngram_size >= 0, "no_repeat_ngram_size", d.no_repeat_ngram_size, "at least 0");
  check_tokens(d.stop_tokens, vocab_size, place + ": eos_token_id");
  check_tokens(d.suppress_tokens, vocab_size, place + ": suppress_tokens");
  for (const auto& word : d.bad_words_ids) {
    expect(!word.empty(), "bad_words_ids", "an empty list", "at least one token a word");
    check_tokens(word, vocab_size, place + ": bad_words_ids");
  }
  for (const auto& stop : d.stop) expect(!stop.empty(), "stop", "an empty text", "a text");
  expect(d.num_beams == 1 || !d.sample, "num_beams", d.num_beams, "1 with sampling");
  expect(d.num_beams == 1 || d.stop.empty(), "num_beams", d.num_beams, "1 with stop texts");
  expect(d.num_beams == 1 || !d.top_logprobs, "num_beams", d.num_beams, "1 with log-probabilities");
}

}  // namespace vlsi
