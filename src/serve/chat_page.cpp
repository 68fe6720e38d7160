#include "serve/chat_page.h"

#include "base/log.h"
#include "base/quoted.h"
#include "lens/lens.h"
#include "report/page.h"
#include "serve/openai/error.h"
#include "serve/openai/messages.h"

namespace vlsi {

std::vector<HttpPage> ChatPage::pages() {
  std::vector<HttpPage> pages{{"GET", "/", [this](const HttpRequest&) { return page(); }, /*is_open=*/true}};
  if (speaker_.verbalizers)
    pages.push_back({"POST", "/lens", [this](const HttpRequest& request) { return lens(request); }});
  return pages;
}

HttpResponse ChatPage::page() const {
  const OrderedJson data{{"model", model_}, {"needs_key", needs_key_}, {"has_layers", speaker_.verbalizers != nullptr}};
  return {.content_type = "text/html; charset=utf-8", .body = chat_page_html(data), .stream = nullptr};
}

HttpResponse ChatPage::lens(const HttpRequest& request) try {
  const std::unique_lock lock(lens_mutex_, std::try_to_lock);
  if (!lock) throw RequestError(429, "another reader's layers are being read");
  const auto body = parse_json(request.body, "the request");
  const auto answer = require<std::string>(body, "answer", "the request");
  const auto conversation = read_messages(require<Json>(body, "messages", "the request"), {});
  const auto& tokenizer = speaker_.processor->tokenizer();
  const auto tokens = tokenizer.encode(answer, SpecialText::kPlain);
  auto prompt = speaker_.processor->outline_prompt(conversation);
  check_lens_length(speaker_, prompt, tokens);  // before pictures are decoded
  speaker_.processor->fill(conversation, prompt);
  const auto reading = read_lens(speaker_, {}, prompt, tokens);
  OrderedJson panel{{"role", "model"}, {"model", model_}};
  panel.update(to_json(reading, std::nullopt, tokenizer));
  return {.content_type = "application/json", .body = page_json(panel), .stream = nullptr};
} catch (const RequestError& error) {
  return error_reply(error);
} catch (const Error& error) {
  return error_reply(RequestError(400, error.what()));
} catch (const std::exception& error) {
  log_warning(concat("reading layers failed: ", printable(error.what())));
  return error_reply(RequestError(500, printable(error.what())));
}

}  // namespace vlsi
