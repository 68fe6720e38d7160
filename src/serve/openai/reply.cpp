#include "serve/openai/reply.h"

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
OrderedJson chat_logprobs(const Tokenizer& tokenizer, const Reply& reply) {
  OrderedJson content = OrderedJson::array();
  for (const auto& item : reply.logprobs) {
    auto token = token_json(tokenizer, item.token, item.logprob);
    token["top_logprobs"] = OrderedJson::array();
    for (const auto& [other, logprob] : item.likely)
      token["top_logprobs"].push_back(token_json(tokenizer, other, logprob));
    content.push_back(std::move(token));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

/// Lists of one entry a token; `text_offset` counts code points.
OrderedJson completion_logprobs(const Tokenizer& tokenizer, const Reply& reply) {
  OrderedJson tokens = OrderedJson::array(), values = tokens, likely = tokens, offsets = tokens;
  size_t offset = 0;
  for (const auto& item : reply.logprobs) {
    const auto bytes = tokenizer.bytes(item.token);
    tokens.push_back(replace_invalid_utf8(bytes));
    values.push_back(item.logprob);
    OrderedJson top = OrderedJson::object();
    for (const auto& [other, logprob] : item.likely) top[replace_invalid_utf8(tokenizer.bytes(other))] = logprob;
    likely.push_back(std::move(top));
    offsets.push_back(offset);
    for (const unsigned char byte : bytes) offset += (byte & 0xC0) != 0x80;
  }
  return {{"tokens", tokens}, {"token_logprobs", values}, {"top_logprobs", likely}, {"text_offset", offsets}};
}

OrderedJson logprobs_json(const AnswerHead& head, const Tokenizer& tokenizer, const Reply& reply) {
  if (!head.has_logprobs) return nullptr;
  return head.is_chat ? chat_logprobs(tokenizer, reply) : completion_logprobs(tokenizer, reply);
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
    choice["logprobs"] = logprobs_json(head, tokenizer, replies[i]);
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

std::string AnswerStream::text(int64_t choice, std::string_view text) const {
  OrderedJson item{{"index", choice}};
  if (head_.is_chat) {
    item["delta"] = {{"content", text}};
  } else {
    item["text"] = text;
  }
  item["logprobs"] = nullptr;
  item["finish_reason"] = nullptr;
  return event(OrderedJson::array({item}));
}

std::string AnswerStream::end(int64_t choice, const Reply& reply) const {
  OrderedJson item{{"index", choice}};
  if (head_.is_chat) {
    item["delta"] = OrderedJson::object();
  } else {
    item["text"] = "";
  }
  item["logprobs"] = logprobs_json(head_, tokenizer_, reply);
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
