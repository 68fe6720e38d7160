#include "eval/judge/judge.h"

#include <algorithm>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/json.h"
#include "base/log.h"

namespace vlsi {
namespace {

/// 128 bits: two requests do not meet by chance.
std::string key_of(const std::string& body, int64_t attempt) {
  std::string key;
  for (const uint64_t seed : {0, 1}) {
    Checksum checksum(seed);
    checksum.update(concat(attempt, ' ', body));
    key += hexadecimal(checksum.value());
  }
  return key;
}

}  // namespace

bool is_reasoning_model(const std::string& model) {
  const std::string name = model.substr(model.rfind('/') + 1);
  const auto is = [&](const std::string& known) {
    return name == known || name.starts_with(known + "-") || name.starts_with(known + ".");
  };
  return is("o1") || is("o3") || is("o4") || is("gpt-5");
}

Judge::Judge(JudgeConfig config) : config_(std::move(config)), endpoint_(config_.endpoint) {}

std::string Judge::body_of(const JudgeRequest& request) const {
  OrderedJson messages = OrderedJson::array();
  if (!request.system.empty()) messages.push_back({{"role", "system"}, {"content", request.system}});
  OrderedJson content = request.prompt;
  if (!request.pictures.empty()) {
    content = OrderedJson::array();
    for (const auto& picture : request.pictures) {
      content.push_back({{"type", "image_url"}, {"image_url", {{"url", picture}}}});
    }
    content.push_back({{"type", "text"}, {"text", request.prompt}});
  }
  messages.push_back({{"role", "user"}, {"content", content}});
  OrderedJson body{{"model", config_.model}, {"messages", messages}};
  if (is_reasoning_model(config_.model)) {
    constexpr int64_t kThoughts = 8192;  // count as tokens of the answer
    if (request.max_tokens > 0) body["max_completion_tokens"] = request.max_tokens + kThoughts;
  } else {
    body["temperature"] = request.temperature;
    if (request.max_tokens > 0) body["max_tokens"] = request.max_tokens;
  }
  return body.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

EndpointReply Judge::ask(const JudgeRequest& request) const {
  const auto body = body_of(request);
  const auto path = config_.cache / (key_of(body, request.attempt) + ".json");
  if (std::filesystem::exists(path)) {
    has_answered_ = true;
    return {require<std::string>(read_json(path), "reply", path.string())};
  }
  auto reply = endpoint_.post(body);
  if (reply.text) {
    num_in_vain_ = 0;
    has_answered_ = true;
    const OrderedJson kept{{"model", config_.model},
                           {"prompt", request.prompt},
                           {"temperature", request.temperature},
                           {"attempt", request.attempt},
                           {"reply", *reply.text}};
    make_directories(config_.cache);
    write_file(path, kept.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n");
    return reply;
  }
  {
    const std::lock_guard lock(trouble_mutex_);
    if (std::exchange(trouble_, reply.trouble).empty()) {
      (has_answered_ ? log_warning : log_info)("the judge gave no answer to a question: " + reply.trouble);
    }
  }
  if (!reply.refused) was_away_ = true;
  if (reply.refused && has_answered_) return reply;  // of this question alone
  constexpr int64_t kMostInVain = 50;
  if (++num_in_vain_ >= kMostInVain) {
    fail("asking the judge at ", config_.endpoint.url, ": ", kMostInVain,
         " questions one after the other got no answer, the last: ", reply.trouble,
         "; what it said before is kept: start again when it answers");
  }
  return reply;
}

void Judge::expect_answered() const {
  if (has_answered_ || !was_away_) return;
  const std::lock_guard lock(trouble_mutex_);
  fail("asking the judge at ", config_.endpoint.url, ": no question got an answer, the last: ", trouble_,
       "; the same command goes on when it answers");
}

}  // namespace vlsi
