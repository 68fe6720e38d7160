// What goes wrong with a request, in the form of OpenAI's interface.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "serve/http.h"

namespace vlsi {

/// A request that gets no answer.
class RequestError : public Error {
 public:
  /// `param`: the key of the request that is wrong; `code`: a word for programs. Both may be empty.
  RequestError(int http_status, const std::string& message, std::string param_name = "", std::string error_code = "")
      : Error(message), status(http_status), param(std::move(param_name)), code(std::move(error_code)) {}

  int status;
  std::string param, code;
};

/// 400, context_length_exceeded, for a prompt that leaves no token for the answer; of a chat with a hint.
void check_context(int64_t num_tokens, int64_t context, const std::string& param);

/// {"error": {"message", "type", "param", "code"}} as one line; what is empty becomes null.
std::string error_json(const RequestError& error);

/// The answer with it. 429 and 503 say when to try again.
HttpResponse error_reply(const RequestError& error);

}  // namespace vlsi
