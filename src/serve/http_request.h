// The head of an HTTP request, taken apart.
#pragma once

#include <string_view>

#include "serve/http_server.h"

namespace vlsi {

/// Parses the request line and the headers (every line ends in CR LF). Returns 0, or the status to refuse with: 400 for
/// anything malformed, 405 for another method than GET.
int parse_http_request(std::string_view head, HttpRequest& request);

}  // namespace vlsi
