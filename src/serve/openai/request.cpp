#include "serve/openai/request.h"

#include <cmath>
#include <optional>
#include <random>
#include <set>

#include "base/json.h"
#include "data/picture_source.h"
#include "serve/openai/error.h"
#include "serve/openai/messages.h"

namespace vlsi {
namespace {

constexpr size_t kMaxStopTexts = 4;
constexpr size_t kMaxListed = 1024;  // stop tokens, and bad words
constexpr int64_t kMaxTopLogprobs = 20;
constexpr int64_t kMaxTokens = int64_t{1} << 30;  // of an answer

/// Makes integers of whole numbers such as 5.0, as some clients write them.
void take_whole_numbers(Json& value) {
  if (value.is_structured()) {
    for (auto& item : value) take_whole_numbers(item);
  } else if (value.is_number_float()) {
    const auto number = value.get<double>();
    if (number == std::trunc(number) && std::abs(number) < 0x1p63) value = static_cast<int64_t>(number);
  }
}

/// The keys of one request; it knows which of them were asked for.
class RequestKeys {
 public:
  explicit RequestKeys(std::string_view body) : json_(parse(body)) {}

  template <class T>
  std::optional<T> read(const char* key) {
    known_.insert(key);
    try {
      return find<T>(json_, key, "the request");
    } catch (const Error& error) {
      throw RequestError(400, error.what(), key);
    }
  }

  /// The value as it stands in the request, however large; null where it is absent or null.
  const Json* look_at(const char* key) {
    known_.insert(key);
    const auto found = json_.find(key);
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }

  template <class T>
  std::optional<T> read(const char* key, T least, T most) {
    const auto value = read<T>(key);
    if (value && !(*value >= least && *value <= most))
      refuse(key, concat("is ", *value, ", expected ", least, " to ", most));
    return value;
  }

  /// The values of a list; none where it is absent.
  template <class T>
  std::vector<T> read_list(const char* key) {
    const auto list = read<std::vector<T>>(key).value_or(std::vector<T>());
    if (list.size() > kMaxListed) refuse(key, concat("has ", list.size(), " values, expected at most ", kMaxListed));
    return list;
  }

  /// What would change the answer and is not supported, unless its value asks for nothing.
  void require_neutral(const char* key, const Json& neutral) {
    const auto value = read<Json>(key);
    const bool is_empty = value && ((value->is_structured() && value->empty()) || *value == "");
    if (value && *value != neutral && !is_empty) refuse(key, "is not supported");
  }

  [[noreturn]] static void refuse(const std::string& key, const std::string& found) {
    throw RequestError(400, concat("the request: key '", key, "' ", found), key);
  }

  void ignore_others(const RequestRules& rules) const {
    if (!rules.ignore) return;
    for (const auto& [key, value] : json_.items()) {
      if (!known_.contains(key) && !value.is_null()) rules.ignore(key);
    }
  }

 private:
  static Json parse(std::string_view body) {
    try {
      auto json = parse_json(body, "the request");
      take_whole_numbers(json);
      if (json.is_object()) return json;
      throw RequestError(400, concat("the request: is ", describe(json), ", expected an object"));
    } catch (const RequestError&) {
      throw;
    } catch (const Error& error) {
      throw RequestError(400, error.what());
    }
  }

  const Json json_;
  std::set<std::string> known_;
};

/// The keys that would change the answer and are not supported, each with the value that asks for nothing. An empty
/// list, object or text does so, too.
void refuse_unsupported(RequestKeys& keys) {
  static const std::pair<const char*, Json> all[]{
      // the conversation
      {"tools", nullptr},
      {"functions", nullptr},
      {"audio", nullptr},
      {"chat_template", nullptr},
      {"add_generation_prompt", true},
      {"continue_final_message", false},
      {"truncate_prompt_tokens", nullptr},
      // the tokens that may be chosen
      {"logit_bias", nullptr},
      {"allowed_token_ids", nullptr},
      {"guided_json", nullptr},
      {"guided_regex", nullptr},
      {"guided_choice", nullptr},
      {"guided_grammar", nullptr},
      {"structured_outputs", nullptr},
      // the search
      {"num_beams", 1},
      {"use_beam_search", false},
      {"length_penalty", 1},
      // the end and the text of the answer
      {"ignore_eos", false},
      {"skip_special_tokens", true},
      {"include_stop_str_in_output", false},
      {"echo", false},
      {"suffix", ""},
  };
  for (const auto& [key, neutral] : all) keys.require_neutral(key, neutral);
}

void check_model(RequestKeys& keys, const RequestRules& rules) {
  const auto model = keys.read<std::string>("model");
  if (!model) throw RequestError(400, "the request: key 'model' is missing", "model");
  if (*model != rules.model) {
    throw RequestError(404, concat("there is no model ", excerpt(*model), ", expected '", rules.model, "'"), "model",
                       "model_not_found");
  }
}

void read_sampling(RequestKeys& keys, Decoding& decoding) {
  const auto temperature = keys.read<double>("temperature", 0, 100);
  if (temperature) {
    decoding.sample = *temperature > 0;
    if (decoding.sample) {
      decoding.temperature = *temperature;
      decoding.num_beams = 1;
    }
  }
  if (const auto top_p = keys.read<double>("top_p")) decoding.top_p = *top_p;
  if (const auto top_k = keys.read<int64_t>("top_k")) decoding.top_k = *top_k == -1 ? 0 : *top_k;
  if (const auto min_p = keys.read<double>("min_p")) decoding.min_p = *min_p;
  if (const auto penalty = keys.read<double>("presence_penalty", -2, 2)) decoding.presence_penalty = *penalty;
  if (const auto penalty = keys.read<double>("frequency_penalty", -2, 2)) decoding.frequency_penalty = *penalty;
  if (const auto penalty = keys.read<double>("repetition_penalty")) decoding.repetition_penalty = *penalty;
  if (const auto size = keys.read<int64_t>("no_repeat_ngram_size", 0, kMaxTokens))
    decoding.no_repeat_ngram_size = *size;
  if (keys.read<int64_t>("num_beams")) decoding.num_beams = 1;
  if (const auto samples = keys.read<bool>("do_sample"); samples && *samples != decoding.sample) {
    if (temperature)
      RequestKeys::refuse("do_sample", "contradicts the temperature: tokens are drawn above 0, and not at 0");
    decoding.sample = *samples;
    if (decoding.sample) decoding.num_beams = 1;
  }
  const auto seed = keys.read<int64_t>("seed");
  std::random_device random;
  decoding.seed = seed ? static_cast<uint64_t>(*seed) : (uint64_t{random()} << 32 | random());
}

void read_stop(RequestKeys& keys, Decoding& decoding) {
  const auto stop = keys.read<Json>("stop");
  if (!stop) return;
  const auto list = stop->is_array() ? *stop : Json::array({*stop});
  if (list.size() > kMaxStopTexts)
    RequestKeys::refuse("stop", concat("has ", list.size(), " texts, expected at most ", kMaxStopTexts));
  for (const auto& text : list) {
    if (!text.is_string())
      RequestKeys::refuse("stop", concat("is ", describe(*stop), ", expected a string or up to 4 strings"));
    decoding.stop.push_back(text.get<std::string>());
  }
}

void read_stop_tokens(RequestKeys& keys, int64_t vocab_size, Decoding& decoding) {
  for (const int64_t token : keys.read_list<int64_t>("stop_token_ids")) {
    if (token < 0 || token >= vocab_size)
      RequestKeys::refuse("stop_token_ids", concat("has ", token, ", expected ids of tokens"));
    decoding.stop_tokens.push_back(token);
  }
}

/// Words as a text begins with them, and with the space before them.
void read_bad_words(RequestKeys& keys, const Tokenizer& tokenizer, Decoding& decoding) {
  for (const auto& word : keys.read_list<std::string>("bad_words")) {
    if (word.empty()) RequestKeys::refuse("bad_words", "has an empty text");
    for (const auto& text : {word, " " + word}) {
      const auto tokens = tokenizer.encode(text);
      decoding.bad_words_ids.emplace_back(tokens.begin(), tokens.end());
    }
  }
}

void read_length(RequestKeys& keys, Decoding& decoding) {
  const auto older = keys.read<int64_t>("max_tokens", 1, kMaxTokens),
             newer = keys.read<int64_t>("max_completion_tokens", 1, kMaxTokens);
  if (const auto given = newer ? newer : older) decoding.max_new_tokens = *given;
  if (const auto least = keys.read<int64_t>("min_tokens", 0, kMaxTokens)) decoding.min_new_tokens = *least;
}

void read_stream(RequestKeys& keys, AnswerRequest& request) {
  request.is_stream = keys.read<bool>("stream").value_or(false);
  const auto options = keys.read<Json>("stream_options");
  if (!options) return;
  if (!options->is_object())
    RequestKeys::refuse("stream_options", concat("is ", describe(*options), ", expected an object"));
  if (!request.is_stream) RequestKeys::refuse("stream_options", "is of no use without 'stream'");
  try {
    request.wants_usage = find<bool>(*options, "include_usage", "stream_options").value_or(false);
  } catch (const Error& error) {
    throw RequestError(400, error.what(), "stream_options.include_usage");
  }
}

/// Of either kind of request. What is left is the prompt and the log-probabilities.
AnswerRequest read_common(RequestKeys& keys, const RequestRules& rules) {
  AnswerRequest request;
  check_model(keys, rules);
  refuse_unsupported(keys);
  request.decoding = rules.defaults;
  read_length(keys, request.decoding);
  read_sampling(keys, request.decoding);
  read_stop(keys, request.decoding);
  read_stop_tokens(keys, rules.vocab_size, request.decoding);
  read_bad_words(keys, *rules.tokenizer, request.decoding);
  read_stream(keys, request);
  request.num_answers = keys.read<int64_t>("n", 1, kMaxAnswers).value_or(1);
  return request;
}

/// The last look: nothing of the request is read behind it.
void check(const RequestKeys& keys, const RequestRules& rules, const AnswerRequest& request) {
  keys.ignore_others(rules);
  try {
    check_decoding(request.decoding, rules.vocab_size, "the request");
  } catch (const Error& error) {
    throw RequestError(400, error.what());
  }
}

/// Its length is looked at before it is copied: a body has room for many times a context.
std::vector<int32_t> read_tokens(const Json& list, const RequestRules& rules) {
  check_context(static_cast<int64_t>(list.size()), rules.context, "prompt");
  std::vector<int32_t> tokens;
  for (const auto& item : list) {
    const bool is_token = item.is_number_integer() && item >= 0 && item < rules.vocab_size;
    if (!is_token) RequestKeys::refuse("prompt", concat("has ", item.dump(), ", expected ids of tokens"));
    tokens.push_back(item.get<int32_t>());
  }
  return tokens;
}

std::vector<PlainPrompt> read_prompts(RequestKeys& keys, const RequestRules& rules, int64_t num_answers) {
  const auto* prompt = keys.look_at("prompt");
  if (!prompt) throw RequestError(400, "the request: key 'prompt' is missing", "prompt");
  if (prompt->is_string()) return {prompt->get<std::string>()};
  if (!prompt->is_array() || prompt->empty()) {
    RequestKeys::refuse("prompt", concat("is ", prompt->is_array() ? "empty" : describe(*prompt),
                                         ", expected a text, tokens, or an array of these"));
  }
  if (prompt->front().is_number()) return {read_tokens(*prompt, rules)};
  if (static_cast<int64_t>(prompt->size()) > kMaxAnswers / num_answers) {
    RequestKeys::refuse("prompt",
                        concat("has ", prompt->size(), " prompts, expected at most ", kMaxAnswers, " answers in all"));
  }
  std::vector<PlainPrompt> prompts;
  for (const auto& item : *prompt) {
    if (item.is_string()) {
      prompts.emplace_back(item.get<std::string>());
    } else if (item.is_array()) {
      prompts.emplace_back(read_tokens(item, rules));
    } else {
      RequestKeys::refuse("prompt", concat("has ", describe(item), ", expected texts or tokens"));
    }
  }
  return prompts;
}

}  // namespace

AnswerRequest read_chat_request(std::string_view body, const RequestRules& rules) {
  RequestKeys keys(body);
  auto request = read_common(keys, rules);
  request.is_chat = true;
  if (const auto format = keys.read<Json>("response_format"); format && *format != Json{{"type", "text"}})
    RequestKeys::refuse("response_format", "is not supported, expected {\"type\": \"text\"}");
  const auto top = keys.read<int64_t>("top_logprobs", 0, kMaxTopLogprobs);
  const bool wants_logprobs = keys.read<bool>("logprobs").value_or(false);
  if (top.value_or(0) > 0 && !wants_logprobs) RequestKeys::refuse("top_logprobs", "is of no use without 'logprobs'");
  if (wants_logprobs) request.decoding.top_logprobs = top.value_or(0);
  request.truncates_prompt = keys.read<bool>("truncate_prompt").value_or(false);
  const auto* messages = keys.look_at("messages");
  if (!messages) throw RequestError(400, "the request: key 'messages' is missing", "messages");
  request.conversation = read_messages(*messages, {rules.media, rules.ignore});
  check(keys, rules, request);
  return request;
}

AnswerRequest read_completion_request(std::string_view body, const RequestRules& rules) {
  RequestKeys keys(body);
  auto request = read_common(keys, rules);
  if (const auto best_of = keys.read<int64_t>("best_of"); best_of && *best_of != request.num_answers)
    RequestKeys::refuse("best_of", "is not supported, expected as many as 'n'");
  request.decoding.top_logprobs = keys.read<int64_t>("logprobs", 0, kMaxTopLogprobs);
  request.prompts = read_prompts(keys, rules, request.num_answers);
  check(keys, rules, request);
  return request;
}

}  // namespace vlsi
