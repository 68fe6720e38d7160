// The thread that owns the generation engine, and what the threads of requests give to it and get from it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "generate/engine.h"
#include "run/speaker.h"
#include "serve/fair_queue.h"

namespace vlsi {

/// What became of one of a client's answers: new text with what is known of the tokens since the last one, its end, or
/// why there is none.
struct AnswerEvent {
  size_t index = 0;  // of the answer in the client's request
  std::string text = {};
  std::vector<TokenLogprob> logprobs = {};
  std::optional<Reply> reply = {};
  std::exception_ptr error = {};
};

/// Events of the answers to one request, from the engine's thread to the request's.
class Mailbox {
 public:
  void put(AnswerEvent event);
  /// The oldest event; nothing when none comes within `patience`.
  std::optional<AnswerEvent> take(std::chrono::milliseconds patience);

  /// Nobody takes events any more: the answers end.
  void close() { is_closed_ = true; }
  bool is_closed() const { return is_closed_; }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<AnswerEvent> events_;
  std::atomic<bool> is_closed_ = false;
};

/// One prompt with the way to decode it.
struct Question {
  Sample prompt;
  Decoding decoding;
  bool wants_text = false;  // as it comes, in events of its own
};

/// What may wait for a place in the engine.
struct WaitingLimits {
  size_t count = 256;                 // of answers
  int64_t picture_bytes = 2LL << 30;  // a single request may have more
};

class EngineThread {
 public:
  /// `speaker` must outlive it.
  EngineThread(const Speaker& speaker, const EngineConfig& config, const WaitingLimits& limits);
  /// Ends all answers.
  ~EngineThread();

  enum class Taken { kYes, kFull, kStopping };
  /// Takes all of the questions or none. Clients take turns. The mailbox gets one end or error for each of them, under
  /// its place among them.
  Taken ask(const std::string& client, std::vector<Question> questions, const std::shared_ptr<Mailbox>& mailbox);
  /// Forgets the questions of a closed mailbox that wait.
  void forget_closed();

  /// From now on takes no questions, and refuses those that wait: their error is a RequestError 503.
  void stop_taking();

  int64_t num_waiting() const;
  int64_t num_running() const { return num_running_; }

 private:
  struct Waiting {
    Question question;
    size_t index;
    std::shared_ptr<Mailbox> mailbox;
    std::shared_ptr<const int64_t> picture_bytes;  // of its request, counted while one of its questions waits
  };

  void run();
  std::vector<Waiting> take_waiting();
  void wait_for_clients(std::unique_lock<std::mutex>& lock);
  void step();
  void submit(Waiting waiting);

  const EngineConfig config_;
  const WaitingLimits limits_;
  std::atomic<int64_t> waiting_bytes_ = 0;
  Engine engine_;  // the thread's own
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  FairQueue<Waiting> queue_;
  // The thread's own: how many answers ended in the last pass, when, and how long it waits for their clients.
  int64_t num_ended_ = 0;
  std::chrono::steady_clock::time_point end_of_pass_;
  std::chrono::steady_clock::duration patience_{0};
  bool is_stopping_ = false;
  std::atomic<bool> is_ending_ = false;
  std::atomic<int64_t> num_running_ = 0;
  std::thread thread_;
};

}  // namespace vlsi
