#include "cli/decoding_options.h"

#include <cmath>

#include "base/error.h"
#include "cli/options.h"

namespace vlsi {
namespace {

template <class T, class U>
void replace(U& value, const std::optional<T>& given) {
  if (given) value = *given;
}

/// Error for an option of sampling where nothing is drawn.
void expect_sampling(const DecodingOptions& options, const Decoding& decoding) {
  if (decoding.sample) return;
  const auto refuse = [](bool given, const char* name) {
    if (given) fail(name, " chooses among drawn tokens, but nothing is drawn: give --temperature, too");
  };
  refuse(options.top_k.has_value(), "--top-k");
  refuse(options.top_p.has_value(), "--top-p");
  refuse(options.min_p.has_value(), "--min-p");
}

}  // namespace

Decoding DecodingOptions::over(const Speaker& speaker) const {
  auto decoding = greedy ? speaker.greedy : speaker.decoding;
  replace(decoding.max_new_tokens, max_new_tokens);
  replace(decoding.num_beams, num_beams);
  replace(decoding.length_penalty, length_penalty);
  replace(decoding.early_stopping, early_stopping);
  replace(decoding.repetition_penalty, repetition_penalty);
  replace(decoding.presence_penalty, presence_penalty);
  replace(decoding.frequency_penalty, frequency_penalty);
  replace(decoding.no_repeat_ngram_size, no_repeat_ngram_size);
  if (num_beams && *num_beams > 1) decoding.sample = false;
  if (temperature) {
    if (!std::isfinite(*temperature) || *temperature < 0)
      fail("--temperature is ", *temperature, ", expected 0 or a number above 0");
    decoding.sample = *temperature != 0;  // 0: the most likely token
    if (decoding.sample) decoding.temperature = *temperature;
  }
  expect_sampling(*this, decoding);
  replace(decoding.top_k, top_k);
  replace(decoding.top_p, top_p);
  replace(decoding.min_p, min_p);
  decoding.stop.insert(decoding.stop.end(), stop.begin(), stop.end());
  decoding.seed = seed;
  const auto* place = greedy ? "the decoding options" : "generation_config.json and the decoding options";
  check_decoding(decoding, speaker.model->head().size(0), place);
  return decoding;
}

void add_decoding_options(CLI::App& command, DecodingOptions& options, bool own_is_greedy,
                          const std::string& longest_by_default) {
  command.add_option("--max-new-tokens", options.max_new_tokens, "longest answer [" + longest_by_default + "]")
      ->check(whole_number_from(1));
  if (own_is_greedy) {
    options.greedy = true;
  } else {
    command.add_flag("--greedy", options.greedy,
                     "the most likely token each time; otherwise as the model's generation_config.json says");
  }
  command.add_option("--num-beams", options.num_beams, "beam search with so many beams")->check(whole_number_from(1));
  command.add_option("--length-penalty", options.length_penalty,
                     "exponent of the length that a beam's score is divided by [1]");
  add_word_option(command, "--early-stopping", options.early_stopping, "when a beam search ends");
  command.add_option("--temperature", options.temperature,
                     "above 0: draw each token, the logits divided by it; 0: the most likely one");
  command.add_option("--top-k", options.top_k, "draw among so many of the likeliest tokens; 0: all")
      ->check(whole_number_from(0));
  command.add_option("--top-p", options.top_p, "draw among the likeliest tokens that make up this probability");
  command.add_option("--min-p", options.min_p, "draw among tokens at least so likely, relative to the likeliest");
  command.add_option("--seed", options.seed, "of the draws")->capture_default_str()->check(whole_number_from(0));
  command.add_option("--repetition-penalty", options.repetition_penalty,
                     "divides (above 0) or multiplies (below 0) the logits of tokens of the prompt and answer");
  command.add_option("--presence-penalty", options.presence_penalty, "taken off the logits of the answer's tokens");
  command.add_option("--frequency-penalty", options.frequency_penalty, "the same for each time that they stand there");
  command.add_option("--no-repeat-ngram-size", options.no_repeat_ngram_size, "no so many tokens in a row come twice")
      ->check(whole_number_from(0));
  command.add_option("--stop", options.stop, "a text that ends the answer; may be given several times")
      ->allow_extra_args(false);
  add_draft_options(command, options.draft);
}

}  // namespace vlsi
