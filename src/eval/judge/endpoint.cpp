#include "eval/judge/endpoint.h"

#include <httplib.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <csignal>
#include <stdexcept>
#include <thread>

#include "base/interrupt.h"
#include "base/json.h"
#include "base/quoted.h"

namespace vlsi {
namespace {

using std::chrono::milliseconds;

constexpr const char* kCompletions = "/chat/completions";
constexpr size_t kMostBytes = 64 << 20;

void stop_if_interrupted() {
  if (interrupted()) throw std::runtime_error("stopped by an interrupt while the judge was asked");
}

/// A connection that breaks while it is written to ends the write, not the program.
void block_broken_pipes() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

/// The first line of what a server said, at most 200 characters.
std::string excerpt_of(const std::string& body) {
  constexpr size_t kMost = 200;
  const Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  std::string text = body;
  if (json.is_object() && json.contains("error")) {
    const auto& error = json["error"];
    if (error.is_string()) text = error.get<std::string>();
    if (error.is_object() && error.contains("message") && error["message"].is_string()) {
      text = error["message"].get<std::string>();
    }
  }
  text = text.substr(0, text.find_first_of("\r\n"));
  return printable(text.size() > kMost ? text.substr(0, kMost) + "…" : text);
}

/// choices[0].message.content; null counts as empty. Nothing for a reply of another form, such as half of one.
std::optional<std::string> content_of_reply(const std::string& body) {
  const Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  const auto content = Json::json_pointer("/choices/0/message/content");
  if (!json.is_object() || !json.contains(content)) return std::nullopt;
  const auto& value = json[content];
  if (value.is_null()) return "";
  return value.is_string() ? std::optional(value.get<std::string>()) : std::nullopt;
}

/// Error where what follows the host's last colon is no port. (Colons of an IPv6 address are in brackets.)
void expect_port(const std::string& host, const std::string& url) {
  const size_t colon = host.rfind(':');
  if (colon == host.npos || host.find(']', colon) != host.npos) return;
  const char *begin = host.data() + colon + 1, *end = host.data() + host.size();
  uint16_t port = 0;
  const auto [rest, error] = std::from_chars(begin, end, port);
  if (error == std::errc() && rest == end && port > 0) return;
  fail("the judge's address is '", url, "', with port '", std::string(begin, end), "', expected one of 1 to 65535");
}

/// Why a server gave no reply.
std::string trouble_of(httplib::Error error, const std::string& url) {
  using enum httplib::Error;
  switch (error) {
    case Connection:
    case ConnectionTimeout:
    case BindIPAddress: return "cannot connect to " + url;
    case SSLConnection: return "cannot make a connection by TLS to " + url;
    case SSLServerVerification: return concat("the certificate of ", url, " is not one that this machine trusts");
    case SSLLoadingCerts: return "the certificates that this machine trusts cannot be read";
    case Read: return concat("the connection to ", url, " broke, or was silent for too long");
    case Write: return concat("the connection to ", url, " broke while the question was sent");
    case Canceled: return concat("the reply of ", url, " took too long, or is too large");
    default: return concat("no reply of ", url, ": ", httplib::to_string(error));
  }
}

}  // namespace

struct ChatEndpoint::Try {
  EndpointReply reply;
  bool again = false;
  std::optional<milliseconds> wait = {};
};

ChatEndpoint::ChatEndpoint(EndpointConfig config) : config_(std::move(config)) {
  const auto& url = config_.url;
  const size_t scheme = url.find("://");
  const bool known = url.starts_with("http://") || url.starts_with("https://");
  const size_t slash = known ? url.find('/', scheme + 3) : url.npos;
  host_ = url.substr(0, slash);
  if (!known || host_.size() == scheme + 3) {
    fail("the judge's address is '", url, "', expected http://HOST/v1 or https://HOST/v1");
  }
  expect_port(host_.substr(scheme + 3), url);
  path_ = slash == url.npos ? "" : url.substr(slash);
  while (path_.ends_with('/')) path_.pop_back();
  if (!path_.ends_with(kCompletions)) path_ += kCompletions;
}

ChatEndpoint::Try ChatEndpoint::try_once(const std::string& body) const {
  httplib::Client client(host_);
  constexpr auto kConnecting = std::chrono::seconds(30);
  client.set_connection_timeout(std::min<milliseconds>(config_.timeout, kConnecting));
  client.set_read_timeout(config_.timeout);
  client.set_write_timeout(config_.timeout);
  httplib::Request request;
  request.method = "POST";
  request.path = path_;
  request.headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"}};
  if (!config_.key.empty()) request.headers.emplace("Authorization", "Bearer " + config_.key);
  request.body = body;
  const auto end = std::chrono::steady_clock::now() + config_.timeout;
  request.progress = [&](uint64_t received, uint64_t) {
    return received <= kMostBytes && std::chrono::steady_clock::now() < end;
  };
  const auto result = client.send(request);
  if (!result) return {{{}, false, trouble_of(result.error(), config_.url)}, true};
  const int status = result->status;
  if (status == 200) {
    auto text = content_of_reply(result->body);
    if (text) return {{std::move(text), false, ""}};
    return {{{}, false, "the reply has no choices[0].message.content: " + excerpt_of(result->body)}, true};
  }
  const auto said = concat("status ", status, ": ", excerpt_of(result->body));
  if (status == 400 || status == 413 || status == 422) return {{{}, true, said}};
  const bool again = status == 408 || status == 409 || status == 425 || status == 429 || status >= 500;
  if (!again) fail("asking the judge at ", host_, path_, ": ", said);
  return {
      {{}, false, said}, true, retry_after(result->get_header_value("Retry-After"), std::chrono::system_clock::now())};
}

void ChatEndpoint::wait(int64_t num_tried, std::optional<milliseconds> asked) const {
  constexpr int64_t kMostDoublings = 20, kOfServer = 10;
  const auto own =
      std::min(config_.first_wait * (int64_t{1} << std::min(num_tried - 1, kMostDoublings)), config_.longest_wait);
  const auto end = std::chrono::steady_clock::now() +
                   (asked ? std::min(std::max(*asked, own), config_.longest_wait * kOfServer) : own);
  for (auto now = std::chrono::steady_clock::now(); now < end; now = std::chrono::steady_clock::now()) {
    stop_if_interrupted();
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(end - now, milliseconds(100)));
  }
}

EndpointReply ChatEndpoint::post(const std::string& body) const {
  block_broken_pipes();
  for (int64_t num_tried = 1;; ++num_tried) {
    stop_if_interrupted();
    auto one = try_once(body);
    if (!one.again) return std::move(one.reply);
    if (num_tried >= config_.num_tries) return std::move(one.reply);
    wait(num_tried, one.wait);
  }
}

std::optional<milliseconds> retry_after(const std::string& header, std::chrono::system_clock::time_point now) {
  double seconds = 0;
  const auto [end, error] = std::from_chars(header.data(), header.data() + header.size(), seconds);
  constexpr double kYear = 365 * 86'400.0;
  if (error == std::errc() && end == header.data() + header.size() && std::isfinite(seconds)) {
    return milliseconds(static_cast<int64_t>(1000 * std::clamp(seconds, 0.0, kYear)));
  }
  tm date{};
  const char* rest = ::strptime(header.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (rest == nullptr || *rest != '\0') return std::nullopt;
  const auto time = std::chrono::system_clock::from_time_t(::timegm(&date));
  return std::max(milliseconds(0), std::chrono::duration_cast<milliseconds>(time - now));
}

}  // namespace vlsi
