#include "serve/chat_server.h"

#include <algorithm>
#include <optional>
#include <thread>

#include "base/log.h"
#include "base/quoted.h"
#include "data/picture_source.h"
#include "serve/openai/error.h"
#include "serve/openai/reply.h"
#include "serve/prompts.h"

namespace vlsi {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPatience{100};  // between two looks at whether a client is still there
constexpr int kClientGone = 499;                     // as other servers log it; nobody receives it

struct ClientGone {};

/// Who takes turns with others: a key's owner, else a machine.
std::string client_of(const HttpRequest& http) {
  const auto key = http.headers.find("authorization");
  return key == http.headers.end() ? http.peer : key->second;
}

HttpResponse json_reply(const OrderedJson& json) {
  return {.content_type = "application/json",
          .body = json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n",
          .stream = nullptr};
}

/// The first line of the message of what went wrong inside: LibTorch's go on with a list of functions.
RequestError failure_of(const std::exception& error) {
  const std::string_view message = error.what();
  return {500, printable(message.substr(0, message.find('\n')))};
}

/// More than may ever wait would be refused again and again.
void check_number_of_answers(const AnswerRequest& request, size_t max_waiting) {
  const size_t num_prompts = request.is_chat ? 1 : request.prompts.size(),
               num_answers = num_prompts * static_cast<size_t>(request.num_answers);
  if (num_answers <= max_waiting) return;
  throw RequestError(400,
                     concat("the request asks for ", num_answers, " answers, expected at most the ", max_waiting,
                            " that may wait for a place (--max-waiting)"),
                     request.num_answers > 1 ? "n" : "prompt");
}

int64_t num_cut(const std::vector<Reply>& replies) {
  return std::count_if(replies.begin(), replies.end(),
                       [](const Reply& reply) { return reply.finish == Finish::kLength; });
}

}  // namespace

/// One request until its answer is sent. Its end, however it comes about, ends what the engine does for it.
class ChatServer::Exchange {
 public:
  Exchange(ChatServer& server, const HttpRequest& http)
      : peer(http.peer), server_(server), until_(start_ + server.config_.timeout), is_waited_for_(http.is_waited_for) {
    ++server_.num_open_;
  }
  ~Exchange() {
    mailbox->close();
    if (num_ended_ < replies.size()) server_.engine_.forget_closed();
    --server_.num_open_;
  }

  /// Throws when nobody waits any longer, or it takes too long.
  void check() const {
    if (!is_waited_for_()) throw ClientGone();
    if (Clock::now() > until_) {
      throw RequestError(503, concat("there was no answer within ", server_.config_.timeout.count(), " ms"), "",
                         "timeout");
    }
  }

  /// The next event, whose error is thrown.
  AnswerEvent next() {
    for (;;) {
      check();
      auto event = mailbox->take(kPatience);
      if (!event) continue;
      if (event->error) std::rethrow_exception(event->error);
      if (!first_text_) first_text_ = seconds();
      return *std::move(event);
    }
  }

  void keep(size_t index, Reply reply) {
    if (reply.finish == Finish::kCancelled) throw RequestError(503, "the server is shutting down");
    replies[index] = std::move(reply);
    ++num_ended_;
  }
  bool is_complete() const { return num_ended_ == replies.size(); }

  /// Logs and counts the answer.
  void note() const {
    const auto usage = usage_of(replies, request.num_answers);
    const auto cut = num_cut(replies);
    log_info(concat("answered ", printable(peer), ": ", num_pictures, " pictures of ", usage.image_tokens,
                    " tokens, prompt ", usage.prompt_tokens, " (cached ", usage.cached_tokens, "), answer ",
                    usage.answer_tokens, ", ", seconds(), " s, ",
                    cut == 0 ? "whole" : concat(cut, " of ", replies.size(), " cut at max_tokens"),
                    usage.counts.drafted == 0 ? "" : ", " + describe(usage.counts)));
    server_.metrics_.count_answer(usage, std::ssize(replies), cut, request.is_stream ? first_text_ : std::nullopt,
                                  seconds());
  }

  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  const std::string peer;
  AnswerRequest request;
  size_t num_pictures = 0;
  AnswerHead head;
  std::vector<Reply> replies;
  const std::shared_ptr<Mailbox> mailbox = std::make_shared<Mailbox>();

 private:
  ChatServer& server_;
  const Clock::time_point start_ = Clock::now(), until_;
  const std::function<bool()> is_waited_for_;
  size_t num_ended_ = 0;
  std::optional<double> first_text_;
};

ChatServer::ChatServer(const Speaker& speaker, ChatServerConfig config)
    : speaker_(speaker),
      config_(std::move(config)),
      rules_{config_.model,
             config_.defaults,
             speaker.model->config().text.vocab_size,
             &speaker.processor->tokenizer(),
             config_.media,
             [this](const std::string& key) { ignore(key); },
             speaker.model->config().text.max_position_embeddings},
      engine_(speaker, config_.engine, config_.waiting),
      readers_(std::clamp<int>(static_cast<int>(std::thread::hardware_concurrency()), 2, 64)) {}

std::vector<HttpPage> ChatServer::pages() {
  const auto answering = [this](bool is_chat) {
    return [this, is_chat](HttpRequest request) { return answer(std::move(request), is_chat); };
  };
  const auto health = [this](const HttpRequest&) -> HttpResponse {
    if (is_stopping_) return error_reply(RequestError(503, "the server is shutting down"));
    return json_reply({{"status", "ok"}});
  };
  const auto metrics = [this](const HttpRequest&) -> HttpResponse {
    return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
            .body = metrics_.text(engine_.num_running(), engine_.num_waiting()),
            .stream = nullptr};
  };
  return {{"POST", "/v1/chat/completions", answering(true)},
          {"POST", "/v1/completions", answering(false)},
          {"GET", "/v1/models", [this](const HttpRequest&) { return models(); }},
          {"GET", "/v1/models/" + config_.model, [this](const HttpRequest&) { return model(); }},
          {"GET", "/health", health, /*is_open=*/true},
          {"GET", "/metrics", metrics}};
}

void ChatServer::stop_taking() {
  is_stopping_ = true;
  engine_.stop_taking();
}

HttpResponse ChatServer::model() const {
  return json_reply({{"id", config_.model},
                     {"object", "model"},
                     {"created", 0},
                     {"owned_by", "vlsi"},
                     {"max_model_len", speaker_.model->config().text.max_position_embeddings}});
}

HttpResponse ChatServer::models() const {
  return json_reply({{"object", "list"}, {"data", OrderedJson::array({OrderedJson::parse(model().body)})}});
}

/// Warns once of a key; names come from clients, so that not every one of them is kept.
void ChatServer::ignore(const std::string& key) {
  constexpr size_t kMostKeys = 64;
  {
    const std::lock_guard lock(ignored_mutex_);
    if (ignored_.size() == kMostKeys || !ignored_.insert(key.substr(0, kMostKeys)).second) return;
  }
  log_warning(concat("a request's key ", excerpt(key), " has no effect"));
}

HttpResponse ChatServer::answer(HttpRequest http, bool is_chat) {
  HttpResponse reply;
  try {
    reply = answer_or_throw(std::move(http), is_chat);
  } catch (const ClientGone&) {
    metrics_.count_gone_client();
    reply.status = kClientGone;
  } catch (const RequestError& error) {
    reply = error_reply(error);
  } catch (const Error& error) {
    reply = error_reply(RequestError(400, error.what()));
  } catch (const std::exception& error) {
    const auto failure = failure_of(error);
    log_warning(concat("a request failed: ", failure.what()));
    reply = error_reply(failure);
  }
  metrics_.count_request(reply.status);
  return reply;
}

HttpResponse ChatServer::answer_or_throw(HttpRequest http, bool is_chat) {
  const auto exchange = begin(std::move(http), is_chat);
  auto first = exchange->next();
  return exchange->request.is_stream ? stream_reply(exchange, std::move(first))
                                     : whole_reply(exchange, std::move(first));
}

/// Reads the request and gives its questions to the engine.
std::shared_ptr<ChatServer::Exchange> ChatServer::begin(HttpRequest http, bool is_chat) {
  if (is_stopping_) throw RequestError(503, "the server is shutting down");
  const auto exchange = std::make_shared<Exchange>(*this, http);
  while (!readers_.try_acquire_for(kPatience)) exchange->check();
  struct Release {
    std::counting_semaphore<64>& semaphore;
    ~Release() { semaphore.release(); }
  } release{readers_};
  auto& request = exchange->request;
  request = is_chat ? read_chat_request(http.body, rules_) : read_completion_request(http.body, rules_);
  http.body = {};
  check_number_of_answers(request, config_.waiting.count);
  const auto prompts = prompts_of(request, *speaker_.processor, speaker_.model->config(), [&] { exchange->check(); });
  request.conversation = {};
  request.prompts.clear();
  std::vector<Question> questions;
  for (const auto& prompt : prompts) {
    exchange->num_pictures += prompt.images.size();
    for (int64_t i = 0; i < request.num_answers; ++i) {
      questions.push_back({prompt, request.decoding, request.is_stream});
      questions.back().decoding.seed += static_cast<uint64_t>(i);
    }
  }
  exchange->head = new_answer_head(config_.model, is_chat, request.decoding.top_logprobs.has_value());
  exchange->replies.resize(questions.size());
  exchange->check();
  switch (engine_.ask(client_of(http), std::move(questions), exchange->mailbox)) {
    case EngineThread::Taken::kYes: break;
    case EngineThread::Taken::kStopping: throw RequestError(503, "the server is shutting down");
    case EngineThread::Taken::kFull:
      throw RequestError(429, "as many answers as may wait are waiting already", "", "queue_full");
  }
  return exchange;
}

HttpResponse ChatServer::whole_reply(const std::shared_ptr<Exchange>& exchange, AnswerEvent first) {
  exchange->keep(first.index, *std::move(first.reply));
  while (!exchange->is_complete()) {
    auto event = exchange->next();
    exchange->keep(event.index, *std::move(event.reply));
  }
  exchange->note();
  auto reply = json_reply(
      whole_answer(exchange->head, speaker_.processor->tokenizer(), exchange->replies, exchange->request.num_answers));
  reply.until_sent = exchange;
  return reply;
}

HttpResponse ChatServer::stream_reply(const std::shared_ptr<Exchange>& exchange, AnswerEvent first) {
  const auto follow = [this, exchange, event = std::move(first)](const SendPiece& send_piece) mutable {
    AnswerStream pieces(exchange->head, speaker_.processor->tokenizer(), exchange->request.wants_usage);
    const auto send = [&](std::string_view piece) {
      if (!piece.empty() && !send_piece(piece)) throw ClientGone();
    };
    try {
      for (int64_t i = 0; i < std::ssize(exchange->replies); ++i) send(pieces.begin(i));
      for (;; event = exchange->next()) {
        const auto choice = static_cast<int64_t>(event.index);
        if (!event.text.empty()) send(pieces.text(choice, event.text, event.logprobs));
        if (!event.reply) continue;
        exchange->keep(event.index, *std::move(event.reply));
        send(pieces.end(choice, exchange->replies[event.index]));
        if (exchange->is_complete()) break;
      }
      exchange->note();
      if (exchange->request.wants_usage) send(pieces.usage(usage_of(exchange->replies, exchange->request.num_answers)));
      send(kStreamEnd);
    } catch (const ClientGone&) {
      metrics_.count_gone_client();
    } catch (const RequestError& error) {
      send_piece(sse_event(error_json(error)));
    } catch (const std::exception& error) {
      const auto failure = failure_of(error);
      log_warning(concat("an answer in pieces failed: ", failure.what()));
      send_piece(sse_event(error_json(failure)));
    }
  };
  return {.content_type = "text/event-stream", .stream = follow};
}

}  // namespace vlsi
