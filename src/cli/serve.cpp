// vlsi serve: a model behind OpenAI's interface, and a page to try it.
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "base/hub_cache.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/size_text.h"
#include "cli/commands.h"
#include "cli/decoding_options.h"
#include "cli/engine_options.h"
#include "cli/options.h"
#include "serve/access.h"
#include "serve/app.h"
#include "serve/chat_page.h"
#include "serve/chat_server.h"
#include "serve/openai/error.h"

namespace vlsi {
namespace {

constexpr int64_t kYearSeconds = 365 * 24 * 3600, kMostBodyBytes = int64_t{1} << 40;

struct ServeOptions {
  ModelOptions model;
  DecodingOptions decoding;
  EngineConfig engine;
  std::string host = "127.0.0.1", name;
  int port = 8000;
  std::filesystem::path key_file, media;
  int64_t max_body_bytes = 64 << 20;
  int64_t max_waiting = static_cast<int64_t>(WaitingLimits().count), shutdown_seconds = 30;
  int64_t timeout_seconds = std::chrono::round<std::chrono::seconds>(ChatServerConfig().timeout).count();
};

/// One key a line, and that of the environment.
std::vector<std::string> read_keys(const std::filesystem::path& path) {
  std::vector<std::string> keys;
  if (const char* const key = std::getenv("VLSI_API_KEY"); key != nullptr && *key != '\0') keys.emplace_back(key);
  if (path.empty()) return keys;
  std::ifstream file(path);
  if (!file) fail("reading the keys in ", path.string(), ": the file cannot be read");
  const size_t before = keys.size();
  for (std::string line; std::getline(file, line);) {
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (!line.empty()) keys.push_back(line);
  }
  if (keys.size() == before) fail("reading the keys in ", path.string(), ": found none, expected one a line");
  return keys;
}

AppConfig app_config(const ServeOptions& options) {
  if (options.max_body_bytes > kMostBodyBytes)
    fail("--max-body is ", size_text(options.max_body_bytes), ", expected at most ", size_text(kMostBodyBytes));
  AppConfig config;
  config.host = options.host;
  config.port = options.port;
  config.max_body_bytes = static_cast<size_t>(options.max_body_bytes);
  config.max_held_body_bytes = 16 * config.max_body_bytes;
  config.max_connections = config.max_streams = 256;
  config.request_timeout = std::chrono::seconds(60);
  config.keys = read_keys(options.key_file);
  config.refuse = [](int status, const std::string& reason) { return error_reply(RequestError(status, reason)); };
  if (config.keys.empty() && !Access::is_loopback(options.host)) {
    fail("--host is ", options.host, ", which others can reach: give a key by --api-key-file or VLSI_API_KEY");
  }
  if (!options.media.empty() && !std::filesystem::is_directory(options.media))
    fail("--media is ", options.media.string(), ", expected a folder");
  return config;
}

std::string name_of(const ServeOptions& options) {
  if (!options.name.empty()) return options.name;
  if (const auto name = hub_name_of(options.model.model)) return *name;
  const auto path = std::filesystem::absolute(options.model.model).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename();
}

int run(const ServeOptions& options) {
  catch_interrupts();
  const auto config = app_config(options);
  App app(config);  // before anything is read, which may take long
  const auto& draft = options.decoding.draft;
  const auto layers = draft.verbalizers_of(options.model.model);
  auto model = options.model;
  if (!model.dtype) model.dtype = dtype_of_verbalizers(layers.verbalizers);
  const auto speaker = load(model, SpecialText::kPlain, layers);
  ChatServerConfig chat_config{name_of(options), options.decoding.over(speaker)};
  expect_places_for_beams(chat_config.defaults, options.engine);
  if (!options.decoding.max_new_tokens) chat_config.defaults.max_new_tokens = usual_longest_answer(options.model.model);
  chat_config.media = options.media;
  chat_config.engine = options.engine;
  chat_config.engine.draft = draft.of(speaker, chat_config.defaults);
  chat_config.waiting.count = static_cast<size_t>(options.max_waiting);
  chat_config.timeout = std::chrono::seconds(options.timeout_seconds);
  ChatServer server(speaker, chat_config);
  ChatPage page(speaker, chat_config.model, !config.keys.empty());
  auto pages = server.pages();
  for (auto& more : page.pages()) pages.push_back(std::move(more));
  std::cout << app.address() << std::endl;
  log_info(concat("serving '", chat_config.model, "' until Ctrl-C"));
  std::optional<std::chrono::steady_clock::time_point> end;
  app.run(pages, std::chrono::milliseconds(50), [&] {
    if (!interrupted()) return true;
    if (!end) {
      end = std::chrono::steady_clock::now() + std::chrono::seconds(options.shutdown_seconds);
      server.stop_taking();
      if (server.num_open() > 0)
        log_info(concat("finishing ", server.num_open(), " answers; Ctrl-C again ends at once"));
    }
    return server.num_open() > 0 && std::chrono::steady_clock::now() < *end;
  });
  return 0;
}

}  // namespace

Action add_serve(CLI::App& command) {
  auto options = std::make_shared<ServeOptions>();
  options->model.dtype.reset();
  add_model_options(command, options->model);
  command.get_option("--dtype")->description(Dtype::expected() + " [the verbalizers', else float32]");
  command.add_option("--port", options->port, "0: a free one")->capture_default_str()->check(CLI::Range(0, 65535));
  command.add_option("--host", options->host, "address to serve at; anything but loopback needs a key")
      ->capture_default_str();
  command.add_option("--api-key-file", options->key_file,
                     "keys that clients must have, one a line; VLSI_API_KEY is one more");
  command.add_option("--name", options->name, "the model's name in requests [its directory's]");
  command.add_option("--media", options->media, "folder of pictures that requests may name by file://");
  command.add_option("--verbalizers", options->decoding.draft.verbalizers,
                     "for the page, what the layers say, and for --draft-layer [those in the model's directory]");
  command.add_option("--head", options->decoding.draft.head,
                     "the model that the verbalizers were trained on, where --model's language head was trained since");
  add_engine_options(command, options->engine);
  command.add_option("--max-waiting", options->max_waiting, "answers that wait for a place; more are refused (429)")
      ->capture_default_str()
      ->check(whole_number_from(1));
  command.add_option("--timeout", options->timeout_seconds, "of a request, in seconds")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{1}, kYearSeconds));
  command.add_option("--shutdown-timeout", options->shutdown_seconds, "for answers that run at Ctrl-C, in seconds")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{0}, kYearSeconds));
  add_bytes_option(command, "--max-body", options->max_body_bytes, "a request's longest body");
  add_decoding_options(command, options->decoding, /*own_is_greedy=*/false, "generation_config.json's, else 1024");
  command.footer([] {
    return "Decoding options are for what a request does not say; without a seed of its own its tokens are drawn "
           "anew.\n";
  });
  return [options] { return run(*options); };
}

}  // namespace vlsi
