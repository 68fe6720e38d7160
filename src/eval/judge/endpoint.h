// A chat model behind OpenAI's interface, asked over HTTP or HTTPS until it answers.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace vlsi {

struct EndpointConfig {
  std::string url;  // of the interface, "https://host/v1", or of its chat completions
  std::string key = {};
  std::chrono::milliseconds timeout{300'000};  // of one try
  int64_t num_tries = 6;
  std::chrono::milliseconds first_wait{1'000};     // between two tries; each later one is twice as long
  std::chrono::milliseconds longest_wait{60'000};  // of these; what the server asks for may be ten times that
};

/// What became of a request.
struct EndpointReply {
  std::optional<std::string> text;  // choices[0].message.content
  bool refused = false;             // not this request, whenever it comes: status 400, 413 or 422
  std::string trouble = {};         // why there is no text, on one line
};

/// Threads may use one at the same time.
class ChatEndpoint {
 public:
  /// Error for what is no URL.
  explicit ChatEndpoint(EndpointConfig config);

  /// Posts the JSON `body`. Tries again after status 408, 409, 425, 429 and 5xx, a broken or slow connection, and a
  /// reply that is no JSON or not of its form; waits as the server asks (Retry-After), else longer each time. Error
  /// for other statuses: a wrong key or address helps no question. An interrupt ends it with an exception.
  EndpointReply post(const std::string& body) const;

  const EndpointConfig& config() const { return config_; }

 private:
  struct Try;
  Try try_once(const std::string& body) const;
  void wait(int64_t num_tried, std::optional<std::chrono::milliseconds> asked) const;

  const EndpointConfig config_;
  std::string host_, path_;  // "https://host:port", "/v1/chat/completions"
};

/// The time that a Retry-After header asks for: seconds, or a date of HTTP after `now`. Nothing for another text.
std::optional<std::chrono::milliseconds> retry_after(const std::string& header,
                                                     std::chrono::system_clock::time_point now);

}  // namespace vlsi
