#include "serve/openai/reply.h"

#include <algorithm>
#include <chrono>
#include <random>

#include "base/utf8.h"

namespace vlsi {
namespace {

std::string line_of(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

const char* finish_reason(const Reply& reply) { return reply.finish == Finish::kLength ? "length" : "stop"; }

OrderedJson token_json(const Tokenizer& tokenizer, int32_t token, double logprob) {
  const auto bytes = tokenizer.bytes(token);
  OrderedJson numbers = OrderedJson::array();
  for (const unsigned char byte : bytes) numbers.push_back(byte);
  return {{"token", replace_invalid_utf8(bytes)}, {"logprob", logprob}, {"bytes", numbers}};
}

/// {"content": one object a token}.
OrderedJson chat_logprobs(const Tokenizer& tokenizer, std::span<const TokenLogprob> items) {
  OrderedJson content = OrderedJson::array();
  for (const auto& item : items) {
    auto token = token_json(tokenizer, item.token, item.logprob);
    token["top_logprobs"] = OrderedJson::array();
    for (const auto& [other, logprob] : item.likely)
      token["top_logprobs"].push_back(token_json(tokenizer, other, logprob));
    content.push_back(std::move(token));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

/// The likely tokens by their texts, and the chosen one. Of tokens with the same text the likeliest counts.
OrderedJson likely_texts(const Tokenizer& tokenizer, const TokenLogprob& item) {
  OrderedJson texts = OrderedJson::object();
  const auto add = [&](int32_t token, double logprob) {
    auto text = replace_invalid_utf8(tokenizer.bytes(token));
    if (!texts.contains(text)) texts[std::move(text)] = logprob;
  };
  for (const auto& [token, logprob] : item.likely) add(token, logprob);
  add(item.token, item.logprob);
  return texts;
}

size_t num_code_points(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xC0) != 0x80; }));
}

OrderedJson usage_json(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.answer_tokens},
          {"total_tokens", usage.prompt_tokens + usage.answer_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}, {"image_tokens", usage.image_tokens}}}};
}

OrderedJson head_json(const AnswerHead& head, const std::string& object) {
  return {{"id", head.id}, {"object", object}, {"created", head.created}, {"model", head.model}};
}

}  // namespace

/// Lists of one entry a token; `text_offset` counts the code points of the text before it.
OrderedJson LogprobPieces::of_completion(std::span<const TokenLogprob> items, size_t longest) {
  OrderedJson tokens = OrderedJson::array(), values = tokens, likely = tokens, offsets = tokens;
  for (const auto& item : items) {
    tokens.push_back(replace_invalid_utf8(tokenizer_.bytes(item.token)));
    values.push_back(item.logprob);
    likely.push_back(likely_texts(tokenizer_, item));
    offsets.push_back(std::min(offset_, longest));
    offset_ += num_code_points(text_.push(item.token));
  }
  return {{"tokens", tokens}, {"token_logprobs", values}, {"top_logprobs", likely}, {"text_offset", offsets}};
}

OrderedJson LogprobPieces::take(std::span<const TokenLogprob> items, size_t longest) {
  num_tokens_ += items.size();
  if (!has_logprobs_) return nullptr;
  return is_chat_ ? chat_logprobs(tokenizer_, items) : of_completion(items, longest);
}

OrderedJson LogprobPieces::next(std::span<const TokenLogprob> items, std::string_view text) {
  sent_ += num_code_points(text);
  return take(items, sent_);
}

OrderedJson LogprobPieces::rest(const Reply& reply) {
  return take(std::span(reply.logprobs).subspan(num_tokens_), num_code_points(reply.text));
}

AnswerHead new_answer_head(const std::string& model, bool is_chat, bool has_logprobs) {
  std::random_device random;
  std::string id = is_chat ? "chatcmpl-" : "cmpl-";
  for (int i = 0; i < 4; ++i) {
    const uint32_t bits = random();
    for (int shift = 0; shift < 32; shift += 4) id += "0123456789abcdef"[bits >> shift & 15];
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {id, model, std::chrono::duration_cast<std::chrono::seconds>(now).count(), is_chat, has_logprobs};
}

Usage usage_of(const std::vector<Reply>& replies, int64_t num_answers) {
  Usage usage;
  for (size_t i = 0; i < replies.size(); ++i) {
    const auto& reply = replies[i];
    usage.answer_tokens += static_cast<int64_t>(reply.tokens.size());
    usage.counts += reply.counts;
    if (i % static_cast<size_t>(num_answers) != 0) continue;
    usage.prompt_tokens += reply.num_prompt_tokens;
    usage.cached_tokens += reply.num_cached_tokens;
    usage.image_tokens += reply.num_image_tokens;
  }
  return usage;
}

OrderedJson whole_answer(const AnswerHead& head, const Tokenizer& tokenizer, const std::vector<Reply>& replies,
                         int64_t num_answers) {
  auto answer = head_json(head, head.is_chat ? "chat.completion" : "text_completion");
  answer["choices"] = OrderedJson::array();
  for (size_t i = 0; i < replies.size(); ++i) {
    OrderedJson choice{{"index", i}};
    const auto text = replace_invalid_utf8(replies[i].text);
    if (head.is_chat) {
      choice["message"] = {{"role", "assistant"}, {"content", text}, {"refusal", nullptr}};
    } else {
      choice["text"] = text;
    }
    choice["logprobs"] = LogprobPieces(head, tokenizer).rest(replies[i]);
    choice["finish_reason"] = finish_reason(replies[i]);
    answer["choices"].push_back(std::move(choice));
  }
  answer["usage"] = usage_json(usage_of(replies, num_answers));
  return answer;
}

std::string AnswerStream::event(OrderedJson choices) const {
  auto json = head_json(head_, head_.is_chat ? "chat.completion.chunk" : "text_completion");
  json["choices"] = std::move(choices);
  if (with_usage_) json["usage"] = nullptr;
  return sse_event(line_of(json));
}

std::string AnswerStream::begin(int64_t choice) const {
  if (!head_.is_chat) return "";
  const OrderedJson item{{"index", choice},
                         {"delta", {{"role", "assistant"}, {"content", ""}}},
                         {"logprobs", nullptr},
                         {"finish_reason", nullptr}};
  return event(OrderedJson::array({item}));
}

LogprobPieces& AnswerStream::logprobs_of(int64_t choice) {
  return logprobs_.try_emplace(choice, head_, tokenizer_).first->second;
}

std::string AnswerStream::text(int64_t choice, std::string_view text, std::span<const TokenLogprob> logprobs) {
  OrderedJson item{{"index", choice}};
  if (head_.is_chat) {
    item["delta"] = {{"content", text}};
  } else {
    item["text"] = text;
  }
  item["logprobs"] = logprobs_of(choice).next(logprobs, text);
  item["finish_reason"] = nullptr;
  return event(OrderedJson::array({item}));
}

std::string AnswerStream::end(int64_t choice, const Reply& reply) {
  OrderedJson item{{"index", choice}};
  if (head_.is_chat) {
    item["delta"] = OrderedJson::object();
  } else {
    item["text"] = "";
  }
  item["logprobs"] = logprobs_of(choice).rest(reply);
  item["finish_reason"] = finish_reason(reply);
  return event(OrderedJson::array({item}));
}

std::string AnswerStream::usage(const Usage& usage) const {
  auto json = head_json(head_, head_.is_chat ? "chat.completion.chunk" : "text_completion");
  json["choices"] = OrderedJson::array();
  json["usage"] = usage_json(usage);
  return sse_event(line_of(json));
}

std::string sse_event(const std::string& data) { return "data: " + data + "\n\n"; }

}  // namespace vlsi
