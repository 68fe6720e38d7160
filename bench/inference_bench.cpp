// The engine at true shapes, with random weights. DIRECTORY has config.json, the tokenizer and the picture settings;
// weights are not read. Prints one JSON object.
//   inference_bench DIRECTORY THREADS decode REQUESTS TOKENS none|int8|int4    the median seconds of a step, in which
//     every request gets a token; the bytes of weights that a step reads; and this machine's read bandwidth, in bytes a
//     second, measured before and after
//   inference_bench DIRECTORY THREADS draft LAYER DRAFTED    the median seconds of a step of one request, plain, and
//     with so many tokens drafted by a random verbalizer of the layer, none of which is ever accepted
//   inference_bench DIRECTORY THREADS prefill TOKENS    FLOP/s of the maps of the decoder and the head while a prompt
//     is read, and those of at::mm on as many rows
//   inference_bench DIRECTORY THREADS picture PICTURE QUESTIONS    the seconds to the first token of a question about
//     the picture, and their mean over other questions about it
//   inference_bench DIRECTORY THREADS patches PICTURE    the median seconds from the picture's file to its patches
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "bench/read_bandwidth.h"
#include "cli/process.h"
#include "family/family.h"
#include "generate/engine.h"
#include "model/linear.h"
#include "model/quantize.h"
#include "run/verbal_draft.h"

namespace {

using namespace vlsi;

constexpr int64_t kPromptTokens = 8, kSkippedSteps = 4, kDraftedTokens = 24;
constexpr int kRounds = 5, kProducts = 5;

std::shared_ptr<Vlm> random_model(const std::filesystem::path& directory) {
  auto model = make_vlm(load_model_config(directory));
  for (auto& [name, parameter] : model->named_parameters()) {
    parameter.set_data(parameter.dim() > 1 ? at::randn(parameter.sizes(), at::kBFloat16).mul_(0.02)
                                           : at::ones(parameter.sizes(), at::kBFloat16));
  }
  return model;
}

double step_bytes(const Vlm& model, Quantization kind) {
  const auto& head = model.head();
  double bytes = kind == Quantization::kNone
                     ? static_cast<double>(head.nbytes())
                     : static_cast<double>(quantized_bytes(head.size(0), head.size(1), Quantization::kInt8));
  for (const auto& [name, parameter] : model.named_parameters()) {
    if (!name.starts_with("decoder.")) continue;
    bytes += kind == Quantization::kNone || parameter.dim() < 2
                 ? static_cast<double>(parameter.nbytes())
                 : static_cast<double>(quantized_bytes(parameter.size(0), parameter.size(1), kind));
  }
  return bytes;
}

double seconds_of(const std::function<void()>& action) {
  const auto started = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// A prompt of text alone, another one for each request.
Sample prompt(int64_t request, int64_t num_tokens) {
  Sample sample;
  sample.positions.resize(3);
  for (int64_t i = 0; i < num_tokens; ++i) {
    sample.tokens.push_back(static_cast<int32_t>(1000 + 97 * request + i));
    for (auto& axis : sample.positions) axis.push_back(static_cast<int32_t>(i));
  }
  sample.answer_positions.push_back(num_tokens - 1);
  sample.labels.push_back(0);
  sample.next_position = static_cast<int32_t>(num_tokens);
  return sample;
}

Decoding greedy(int64_t num_tokens) {
  Decoding decoding;
  decoding.max_new_tokens = num_tokens;
  return decoding;
}

/// Seconds to the first token of the answer.
double first_token(Engine& engine, const Sample& sample) {
  return seconds_of([&] { generate(engine, sample, greedy(1)); });
}

/// Median seconds of a step of so many requests at once, after the first few.
double step_seconds(const Vlm& model, const Tokenizer& tokenizer, int64_t num_requests, int64_t num_tokens,
                    const Draft& draft = {}) {
  Engine engine(model, tokenizer, nullptr, {.draft = draft});
  for (int64_t i = 0; i < num_requests; ++i) {
    engine.submit({.prompt = prompt(i, kPromptTokens),
                   .decoding = greedy(num_tokens),
                   .on_reply = [](const Reply&) {},
                   .on_error = {}});
  }
  std::vector<double> seconds;
  for (bool more = true; more;) seconds.push_back(seconds_of([&] { more = engine.step(); }));
  seconds.erase(seconds.begin(), seconds.begin() + std::min<int64_t>(kSkippedSteps, std::ssize(seconds) - 1));
  return median(seconds);
}

OrderedJson decode(const std::filesystem::path& directory, std::span<char*> words) {
  const int64_t num_requests = std::stoll(words[0]), num_tokens = std::stoll(words[1]);
  const auto kind = parse_or_fail<Quantization>(words[2], "the kind of weights");
  const auto model = random_model(directory);
  const double bytes = step_bytes(*model, kind);
  if (kind != Quantization::kNone) {
    model->quantize_head(Quantization::kInt8);
    quantize(*model, kind);
  }
  const auto processor = load_processor(directory);
  const double before = read_bandwidth();
  const double seconds = step_seconds(*model, processor->tokenizer(), num_requests, num_tokens);
  return {{"seconds", seconds}, {"bytes", bytes}, {"bandwidth", std::max(before, read_bandwidth())}};
}

OrderedJson draft(const std::filesystem::path& directory, std::span<char*> words) {
  const int64_t layer = std::stoll(words[0]), drafted = std::stoll(words[1]);
  const auto model = random_model(directory);
  const auto processor = load_processor(directory);
  const Speaker speaker{.model = model, .processor = {}, .verbalizers = Verbalizers::of(*model, {}, {layer}, 1)};
  const auto by_layer = draft_by_verbalizer(speaker, layer, drafted);
  std::vector<double> plain, with_draft;
  for (int round = 0; round < kRounds; ++round) {
    plain.push_back(step_seconds(*model, processor->tokenizer(), 1, kDraftedTokens));
    with_draft.push_back(step_seconds(*model, processor->tokenizer(), 1, kDraftedTokens, by_layer));
  }
  return {{"plain", median(plain)}, {"with_draft", median(with_draft)}};
}

OrderedJson prefill(const std::filesystem::path& directory, std::span<char*> words) {
  const int64_t num_tokens = std::stoll(words[0]);
  const auto model = random_model(directory);
  const auto processor = load_processor(directory);
  double flops = 2.0 * static_cast<double>(model->head().numel());  // of the last token alone
  for (const auto& [name, parameter] : model->named_parameters()) {
    if (!name.starts_with("decoder.") || parameter.dim() < 2) continue;
    flops += 2.0 * static_cast<double>(parameter.numel() * num_tokens);
  }
  const auto& config = model->config().text;
  const auto rows = at::randn({num_tokens, config.hidden_size}).to(at::kBFloat16);
  const auto weight = at::randn({config.intermediate_size, config.hidden_size}).to(at::kBFloat16);
  const double product = 2.0 * static_cast<double>(rows.numel() * weight.size(0));
  std::vector<double> ours, theirs;
  for (int round = 0; round <= kRounds; ++round) {
    Engine engine(*model, processor->tokenizer(), nullptr, {.prompt_tokens = num_tokens});
    const double seconds = first_token(engine, prompt(round, num_tokens));
    std::vector<double> products;
    for (int i = 0; i < kProducts; ++i) products.push_back(seconds_of([&] { at::mm(rows, weight.t()); }));
    if (round == 0) continue;  // allocates
    ours.push_back(flops / seconds);
    theirs.push_back(product / median(products));
  }
  return {{"flops", median(ours)}, {"mm", median(theirs)}};
}

Sample question(const Processor& processor, const std::filesystem::path& picture, int64_t number) {
  const auto text = "What is number " + std::to_string(number) + " from the left?";
  return processor.encode_prompt(
      {"", "", {{Role::kUser, {{Content::Kind::kImage, {}, picture}, {Content::Kind::kText, text, {}}}}}});
}

OrderedJson ask_about_picture(const std::filesystem::path& directory, std::span<char*> words) {
  const int64_t num_questions = std::stoll(words[1]);
  const auto model = random_model(directory);
  const auto processor = load_processor(directory);
  Engine engine(*model, processor->tokenizer(), nullptr);
  double first = 0, others = 0;
  for (int64_t i = 0; i < num_questions; ++i) {
    // With the reading of the picture's file, as a client waits for it.
    const double seconds = seconds_of([&] { generate(engine, question(*processor, words[0], i), greedy(1)); });
    (i == 0 ? first : others) += seconds;
  }
  return {{"first", first}, {"others", others / static_cast<double>(num_questions - 1)}};
}

OrderedJson patches(const std::filesystem::path& directory, std::span<char*> words) {
  const auto processor = load_processor(directory);
  std::vector<double> seconds;
  int64_t num_patches = 0;
  for (int i = 0; i <= kRounds; ++i) {
    const double elapsed =
        seconds_of([&] { num_patches = question(*processor, words[0], i).images.at(0).rows.size(0); });
    if (i > 0) seconds.push_back(elapsed);
  }
  return {{"seconds", median(seconds)}, {"patches", num_patches}};
}

struct Mode {
  std::string_view name;
  size_t num_words;
  OrderedJson (*measure)(const std::filesystem::path& directory, std::span<char*> words);
};
constexpr Mode kModes[] = {{"decode", 3, decode},
                           {"draft", 2, draft},
                           {"prefill", 1, prefill},
                           {"picture", 2, ask_about_picture},
                           {"patches", 1, patches}};

}  // namespace

int main(int argc, char** argv) {
  const std::span<char*> words(argv + std::min(argc, 4), argv + argc);
  const auto* mode = argc < 4 ? std::end(kModes) : std::ranges::find(kModes, std::string_view(argv[3]), &Mode::name);
  if (mode == std::end(kModes) || words.size() != mode->num_words) {
    std::cerr
        << "inference_bench: expected a directory, threads and what to measure, as the source's first lines say\n";
    return 2;
  }
  try {
    at::NoGradGuard no_grad;
    keep_freed_memory();
    at::set_num_threads(std::stoi(argv[2]));
    std::cout << mode->measure(argv[1], words).dump() << "\n";
  } catch (const Error& error) {
    std::cerr << error.what() << "\n";
    return 2;
  }
}
