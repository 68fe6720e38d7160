#include "serve/engine_thread.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "serve/openai/error.h"

namespace vlsi {
namespace {

/// Of a request's questions, which share their pictures where they share a prompt.
int64_t picture_bytes_of(const std::vector<Question>& questions) {
  std::set<const void*> seen;
  int64_t sum = 0;
  for (const auto& question : questions) {
    for (const auto& picture : question.prompt.images) {
      if (seen.insert(picture.rows.const_data_ptr()).second) sum += static_cast<int64_t>(picture.rows.nbytes());
    }
  }
  return sum;
}

}  // namespace

void Mailbox::put(AnswerEvent event) {
  {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
  }
  filled_.notify_one();
}

std::optional<AnswerEvent> Mailbox::take(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  if (!filled_.wait_for(lock, patience, [&] { return !events_.empty(); })) return std::nullopt;
  auto event = std::move(events_.front());
  events_.pop_front();
  return event;
}

EngineThread::EngineThread(const Speaker& speaker, const EngineConfig& config, const WaitingLimits& limits)
    : config_(config),
      limits_(limits),
      engine_(*speaker.model, speaker.processor->tokenizer(), speaker.pictures.get(), config),
      queue_(limits.count),
      thread_([this] { run(); }) {}

EngineThread::~EngineThread() {
  stop_taking();
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

EngineThread::Taken EngineThread::ask(const std::string& client, std::vector<Question> questions,
                                      const std::shared_ptr<Mailbox>& mailbox) {
  const int64_t bytes = picture_bytes_of(questions);
  {
    const std::lock_guard lock(mutex_);
    if (is_stopping_) return Taken::kStopping;
    if (queue_.num_free() < questions.size()) return Taken::kFull;
    if (bytes > 0 && waiting_bytes_ > 0 && waiting_bytes_ + bytes > limits_.picture_bytes) return Taken::kFull;
    waiting_bytes_ += bytes;
    const std::shared_ptr<const int64_t> held(new int64_t(bytes), [this](const int64_t* size) {
      waiting_bytes_ -= *size;
      delete size;
    });
    for (size_t i = 0; i < questions.size(); ++i) queue_.push(client, {std::move(questions[i]), i, mailbox, held});
  }
  changed_.notify_all();
  return Taken::kYes;
}

void EngineThread::forget_closed() {
  const std::lock_guard lock(mutex_);
  queue_.erase_if([](const Waiting& waiting) { return waiting.mailbox->is_closed(); });
}

void EngineThread::stop_taking() {
  const std::lock_guard lock(mutex_);
  is_stopping_ = true;
  const auto reason = std::make_exception_ptr(RequestError(503, "the server is shutting down"));
  while (auto waiting = queue_.pop()) waiting->mailbox->put({.index = waiting->index, .error = reason});
}

int64_t EngineThread::num_waiting() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(queue_.size());
}

/// Clients whose answer has ended mostly ask again. What they ask is read and answered together, in fewer passes over
/// the weights, if the next pass waits until as many questions have come, or none comes any more; a quarter of a pass
/// at most.
void EngineThread::wait_for_clients(std::unique_lock<std::mutex>& lock) {
  const auto is_complete = [&] { return is_ending_ || static_cast<int64_t>(queue_.size()) >= num_ended_; };
  const auto last = end_of_pass_ + patience_;
  for (size_t num_come = 0; !is_complete() && std::chrono::steady_clock::now() < last; num_come = queue_.size()) {
    const auto gap = std::min(last, std::chrono::steady_clock::now() + patience_ / 8);
    if (!changed_.wait_until(lock, gap, [&] { return is_ending_ || queue_.size() > num_come; })) return;
  }
}

/// Those that the engine has places for, so that it decides nothing about the order of clients. Waits for one where
/// there is nothing else to do.
std::vector<EngineThread::Waiting> EngineThread::take_waiting() {
  std::unique_lock lock(mutex_);
  if (engine_.num_unfinished() == 0) changed_.wait(lock, [&] { return is_ending_ || queue_.size() > 0; });
  wait_for_clients(lock);
  std::vector<Waiting> taken;
  for (int64_t free = config_.max_sequences - engine_.num_unfinished(); free > 0; --free) {
    auto waiting = queue_.pop();
    if (!waiting) break;
    taken.push_back(*std::move(waiting));
  }
  return taken;
}

void EngineThread::submit(Waiting waiting) {
  const auto mailbox = waiting.mailbox;
  const size_t index = waiting.index;
  const bool wants_text = waiting.question.wants_text;
  Request request;
  request.prompt = std::move(waiting.question.prompt);
  request.decoding = std::move(waiting.question.decoding);
  const auto noted = std::make_shared<std::vector<TokenLogprob>>();  // since the last text
  if (wants_text) request.on_logprob = [noted](const TokenLogprob& logprob) { noted->push_back(logprob); };
  request.on_text = [this, mailbox, index, wants_text, noted](std::string_view text) {
    if (wants_text && !text.empty())
      mailbox->put({.index = index, .text = std::string(text), .logprobs = std::exchange(*noted, {})});
    return !mailbox->is_closed() && !is_ending_;
  };
  request.on_reply = [mailbox, index](Reply reply) { mailbox->put({.index = index, .reply = std::move(reply)}); };
  request.on_error = [mailbox, index](std::exception_ptr error) { mailbox->put({.index = index, .error = error}); };
  try {
    engine_.submit(std::move(request));
  } catch (const std::exception&) {
    mailbox->put({.index = index, .error = std::current_exception()});
  }
}

void EngineThread::step() {
  const auto start = std::chrono::steady_clock::now();
  const int64_t num_before = engine_.num_unfinished();
  try {
    engine_.step();
  } catch (const std::exception& error) {
    log_warning(concat("the engine failed: ", error.what()));
  }
  num_running_ = engine_.num_unfinished();
  num_ended_ = num_before - engine_.num_unfinished();
  end_of_pass_ = std::chrono::steady_clock::now();
  constexpr std::chrono::steady_clock::duration kLongest = std::chrono::milliseconds(50);
  patience_ = std::min(kLongest, (end_of_pass_ - start) / 4);
}

void EngineThread::run() {
  while (!is_ending_ || engine_.num_unfinished() > 0) {
    for (auto& waiting : take_waiting()) submit(std::move(waiting));
    num_running_ = engine_.num_unfinished();
    step();
  }
}

}  // namespace vlsi
