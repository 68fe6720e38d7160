// A model that judges answers: what it is asked, with a memory on disk of what it said.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "eval/judge/endpoint.h"
#include "eval/judge/prompts.h"

namespace vlsi {

struct JudgeConfig {
  EndpointConfig endpoint;
  std::string model;
  JudgePrompts prompts;
  std::filesystem::path cache;  // a folder
  int64_t num_workers = 8;      // requests at once
};

/// One request. Equal ones are sent once and remembered; `attempt` tells apart those that are to be drawn anew.
struct JudgeRequest {
  std::string system, prompt;
  std::vector<std::string> pictures = {};  // data URLs; in front of the prompt
  double temperature = 0;
  int64_t max_tokens = 0;  // 0: as the server has it
  int64_t attempt = 0;
};

/// Threads may ask at the same time.
class Judge {
 public:
  explicit Judge(JudgeConfig config);

  /// From the cache's file NAME.json, else from the endpoint. A reply without a text is not remembered. Error where
  /// many requests one after the other got none: then nobody answers there. A refused one counts only as long as none
  /// was answered, by now or in an earlier run.
  EndpointReply ask(const JudgeRequest& request) const;

  /// Error where requests were sent, and none was answered, by now or in an earlier run.
  void expect_answered() const;

  const JudgeConfig& config() const { return config_; }

 private:
  std::string body_of(const JudgeRequest& request) const;

  const JudgeConfig config_;
  const ChatEndpoint endpoint_;
  mutable std::atomic<int64_t> num_in_vain_ = 0;
  mutable std::atomic<bool> has_answered_ = false;
  mutable std::atomic<bool> was_away_ = false;  // no answer, and no refusal of the question
  mutable std::mutex trouble_mutex_;
  mutable std::string trouble_;  // of the last request without an answer
};

/// Whether the model thinks before it answers, takes its limit of tokens under another name, and no temperature: o1,
/// o3, o4 and gpt-5 with what begins so.
bool is_reasoning_model(const std::string& model);

}  // namespace vlsi
