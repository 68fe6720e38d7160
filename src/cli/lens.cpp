// vlsi lens: what every layer of a model says about one input.
#include "lens/lens.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <optional>

#include "base/atomic_file.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "lens/lens_table.h"
#include "report/page.h"
#include "report/report.h"

namespace vlsi {
namespace {

struct LensOptions {
  ModelOptions model;
  PromptOptions prompt;
  std::filesystem::path verbalizers, head, html;
  std::optional<std::string> answer;
  std::vector<int64_t> layers;
  int64_t max_new_tokens = 32;
  bool blank = false, json = false;
};

Speaker load(LensOptions options) {
  if (options.verbalizers.empty() && (!options.head.empty() || !options.layers.empty()))
    fail("--head and --layers are of no use without --verbalizers");
  if (!options.model.dtype) options.model.dtype = dtype_of_verbalizers(options.verbalizers);
  SpeakerFiles more;
  more.verbalizers = options.verbalizers;
  more.layers = options.layers;
  more.head = options.head;
  return load(options.model, SpecialText::kPlain, more);  // what a person types is text, whatever it looks like
}

TableStyle style_of_terminal() {
  TableStyle style;
  const char* const no_color = std::getenv("NO_COLOR");
  const bool is_terminal = ::isatty(STDOUT_FILENO) != 0;
  style.colour = is_terminal && (no_color == nullptr || *no_color == '\0');
  winsize size{};
  if (is_terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) style.width = size.ws_col;
  return style;
}

/// The reading, and with pictures and `blank` the one without seeing.
struct Readings {
  LensReading seeing;
  std::optional<LensReading> blank;
};

void print_tables(const Readings& readings, const Tokenizer& tokenizer) {
  const auto style = style_of_terminal();
  const char* const lens =
      readings.seeing.verbalized ? "verbalizers" : "logit lens (no verbalizers: final norm and language head)";
  std::cout << "read by: " << lens << "\n" << lens_table(readings.seeing, tokenizer, style);
  if (readings.blank) std::cout << "\nwith blank pictures\n" << lens_table(*readings.blank, tokenizer, style);
}

OrderedJson panel_json(const LensOptions& options, const Readings& readings, const Tokenizer& tokenizer) {
  OrderedJson json{{"role", "model"}, {"model", options.model.model.string()}, {"verbalizers", nullptr}};
  if (!options.verbalizers.empty()) json["verbalizers"] = options.verbalizers.string();
  json.update(to_json(readings.seeing, readings.blank, tokenizer));
  return json;
}

void write_page(const LensOptions& options, Conversation conversation, OrderedJson panel, AtomicFile& page) {
  conversation.id.clear();
  if (options.answer) conversation.turns.push_back({Role::kAssistant, {{Content::Kind::kText, *options.answer, {}}}});
  auto sample = sample_json(conversation);
  sample["panels"].push_back(std::move(panel));
  page.write(page_html(lens_page_data(sample)));
  page.commit();
}

int run(const LensOptions& options) {
  std::optional<AtomicFile> page;
  expect_apart(options.html, "--html", options.prompt.images);
  if (!options.html.empty()) page.emplace(options.html);
  const auto speaker = load(options);
  const auto& tokenizer = speaker.processor->tokenizer();
  const LensConfig config{options.max_new_tokens};
  const auto conversation = options.prompt.conversation();
  const auto prompt = speaker.processor->encode_prompt(conversation);
  const auto answer =
      options.answer ? std::optional(tokenizer.encode(*options.answer, SpecialText::kPlain)) : std::nullopt;
  Readings readings{read_lens(speaker, config, prompt, answer), std::nullopt};
  if (options.blank) {
    if (prompt.images.empty()) fail("--blank needs a picture to leave out: give --image");
    readings.blank = read_lens(speaker, config, blank_pictures(prompt), answer);
  }

  auto panel = panel_json(options, readings, tokenizer);
  if (page) write_page(options, conversation, panel, *page);
  if (options.json) {
    std::cout << page_json(panel) << "\n";
  } else if (options.html.empty()) {
    print_tables(readings, tokenizer);
  }
  return 0;
}

}  // namespace

Action add_lens(CLI::App& command) {
  auto options = std::make_shared<LensOptions>();
  options->model.dtype.reset();
  add_model_options(command, options->model);
  command.get_option("--dtype")->description(Dtype::expected() + " [the verbalizers', else float32]");
  command.add_option("--verbalizers", options->verbalizers,
                     "trained ones; without them: the logit lens, final norm and language head on every layer");
  command.add_option("--head", options->head,
                     "the model that the verbalizers were trained on, where --model's language head was trained since");
  command.add_option("--layers", options->layers, "of the verbalizers [all]")->delimiter(',');
  add_prompt_options(command, options->prompt);
  command.add_option("--answer", options->answer, "the answer to read along; default: the model's own greedy one");
  command.add_option("--max-new-tokens", options->max_new_tokens, "longest answer of its own")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  command.add_flag("--blank", options->blank, "also with the pictures blanked: what the model says without seeing");
  command.add_flag("--json", options->json, "print one line of JSON");
  command.add_option("--html", options->html, "write a page that shows the same");
  return [options] { return run(*options); };
}

}  // namespace vlsi
