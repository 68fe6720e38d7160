// A model behind OpenAI's interface: requests in, answers out, whole or in pieces.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <semaphore>
#include <set>
#include <string>
#include <vector>

#include "run/speaker.h"
#include "serve/engine_thread.h"
#include "serve/http.h"
#include "serve/metrics.h"
#include "serve/openai/request.h"

namespace vlsi {

struct ChatServerConfig {
  std::string model;                 // the name that requests ask for
  Decoding defaults;                 // for what they do not say
  std::filesystem::path media = {};  // file:// below it is read; empty: nowhere
  EngineConfig engine = {};
  WaitingLimits waiting = {};                  // more get 429
  std::chrono::milliseconds timeout{600'000};  // for a request, from its body to the end of its answer
};

class ChatServer {
 public:
  /// `speaker` must outlive it.
  ChatServer(const Speaker& speaker, ChatServerConfig config);

  /// POST /v1/chat/completions and /v1/completions, GET /v1/models, /health and /metrics; this object must outlive
  /// them.
  std::vector<HttpPage> pages();

  /// Refuses new requests and those that wait with 503; what runs goes on.
  void stop_taking();
  /// Requests whose answer is not sent yet, as long as somebody holds it (HttpResponse::until_sent).
  int64_t num_open() const { return num_open_; }

  const ChatServerConfig& config() const { return config_; }

 private:
  class Exchange;

  HttpResponse answer(HttpRequest http, bool is_chat);
  HttpResponse answer_or_throw(HttpRequest http, bool is_chat);
  std::shared_ptr<Exchange> begin(HttpRequest http, bool is_chat);
  HttpResponse stream_reply(const std::shared_ptr<Exchange>& exchange, AnswerEvent first);
  HttpResponse whole_reply(const std::shared_ptr<Exchange>& exchange, AnswerEvent first);
  void ignore(const std::string& key);
  HttpResponse models() const;
  HttpResponse model() const;

  const Speaker& speaker_;
  const ChatServerConfig config_;
  RequestRules rules_;
  ServerMetrics metrics_;
  EngineThread engine_;
  std::counting_semaphore<64> readers_;  // prompts that may be read at once: a picture takes much memory
  std::atomic<int64_t> num_open_ = 0;
  std::atomic<bool> is_stopping_ = false;
  std::mutex ignored_mutex_;
  std::set<std::string> ignored_;  // keys that were warned of
};

}  // namespace vlsi
