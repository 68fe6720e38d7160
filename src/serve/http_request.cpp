#include "serve/http_request.h"

#include <algorithm>
#include <optional>

namespace vlsi {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1,
              low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

/// The text up to `separator`, which is taken off with it.
std::optional<std::string_view> take_until(std::string_view& text, std::string_view separator) {
  const size_t end = text.find(separator);
  if (end == text.npos) return std::nullopt;
  const auto part = text.substr(0, end);
  text.remove_prefix(end + separator.size());
  return part;
}

bool parse_target(std::string_view target, HttpRequest& request) {
  if (!target.starts_with('/')) return false;
  std::string_view query;
  if (const size_t mark = target.find('?'); mark != target.npos) {
    query = target.substr(mark + 1);
    target = target.substr(0, mark);
  }
  const auto path = percent_decoded(target);
  if (!path) return false;
  request.path = *path;
  while (!query.empty()) {
    auto item = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), item.size() + 1));
    const size_t equals = std::min(item.find('='), item.size());
    const auto key = percent_decoded(item.substr(0, equals));
    const auto value = percent_decoded(item.substr(std::min(equals + 1, item.size())));
    if (!key || !value) return false;
    request.query[*key] = *value;
  }
  return true;
}

}  // namespace

int parse_http_request(std::string_view head, HttpRequest& request) {
  auto line = take_until(head, "\r\n");
  if (!line) return 400;
  const auto method = take_until(*line, " "), target = take_until(*line, " ");
  if (!method || !target || (*line != "HTTP/1.1" && *line != "HTTP/1.0")) return 400;
  if (*method != "GET") return 405;
  if (!parse_target(*target, request)) return 400;
  while (!head.empty()) {
    line = take_until(head, "\r\n");
    const size_t colon = line ? line->find(':') : std::string_view::npos;
    if (colon == std::string_view::npos || colon == 0) return 400;
    std::string name;
    for (const char c : line->substr(0, colon)) name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    auto value = line->substr(colon + 1);
    while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
    while (value.ends_with(' ') || value.ends_with('\t')) value.remove_suffix(1);
    request.headers[name] = value;
  }
  return 0;
}

}  // namespace vlsi
