// The page that shows a served model: a conversation, and what its layers say.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "run/speaker.h"
#include "serve/http.h"

namespace vlsi {

class ChatPage {
 public:
  /// `model`: the name that requests ask for. The page asks its reader for a key where `needs_key`. `speaker` must
  /// outlive it.
  ChatPage(const Speaker& speaker, std::string model, bool needs_key)
      : speaker_(speaker), model_(std::move(model)), needs_key_(needs_key) {}

  /// GET "/", and with verbalizers POST "/lens": {messages, answer} -> what every layer says along the answer
  /// (docs/formats.md, "vlsi lens --json"); 400 where both are longer than the model's context. This object must
  /// outlive them.
  std::vector<HttpPage> pages();

 private:
  HttpResponse page() const;
  HttpResponse lens(const HttpRequest& request);

  const Speaker& speaker_;
  const std::string model_;
  const bool needs_key_;
  std::mutex lens_mutex_;  // one reading at a time
};

}  // namespace vlsi
