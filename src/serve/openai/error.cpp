#include "serve/openai/error.h"

#include "base/json.h"

namespace vlsi {
namespace {

const char* type_of(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 429: return "rate_limit_error";
    default: return status < 500 ? "invalid_request_error" : "server_error";
  }
}

OrderedJson text_or_null(const std::string& text) { return text.empty() ? OrderedJson() : OrderedJson(text); }

}  // namespace

void check_context(int64_t num_tokens, int64_t context, const std::string& param) {
  if (num_tokens < context) return;
  const auto* const hint =
      param == "messages" ? "; with \"truncate_prompt\": true a conversation loses its oldest turns" : "";
  throw RequestError(
      400, concat("the prompt has ", num_tokens, " tokens, expected fewer than the model's context of ", context, hint),
      param, "context_length_exceeded");
}

std::string error_json(const RequestError& error) {
  const OrderedJson body{{"message", error.what()},
                         {"type", type_of(error.status)},
                         {"param", text_or_null(error.param)},
                         {"code", text_or_null(error.code)}};
  return OrderedJson{{"error", body}}.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

HttpResponse error_reply(const RequestError& error) {
  HttpResponse reply{
      .status = error.status, .content_type = "application/json", .body = error_json(error) + "\n", .stream = nullptr};
  if (error.status == 429 || error.status == 503) reply.headers["Retry-After"] = "1";
  return reply;
}

}  // namespace vlsi
