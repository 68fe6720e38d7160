#include "lens/lens.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/quoted.h"
#include "generate/cache_room.h"
#include "generate/engine.h"
#include "model/fused.h"
#include "model/product.h"
#include "teacher/teacher.h"

namespace vlsi {
namespace {

/// The prompt with the answer behind it. Its answer positions predict the answer's tokens and, with `end`, what follows
/// them.
Sample with_answer(Sample sample, const std::vector<int32_t>& answer, bool end) {
  const auto last_prompt = static_cast<int32_t>(sample.tokens.size()) - 1;
  const auto num_positions = static_cast<int32_t>(answer.size()) + (end ? 1 : 0);
  sample.answer_positions.resize(static_cast<size_t>(num_positions));
  std::iota(sample.answer_positions.begin(), sample.answer_positions.end(), last_prompt);
  for (const int32_t token : answer) {
    sample.tokens.push_back(token);
    for (auto& axis : sample.positions) axis.push_back(sample.next_position);
    ++sample.next_position;
  }
  return sample;
}

/// What the language head reads of each layer, [L, N, D], the model's own output last.
at::Tensor rows_of(const Speaker& speaker, const Batch& batch, std::vector<int64_t>& layers) {
  const auto& model = *speaker.model;
  if (speaker.verbalizers != nullptr) {
    layers = speaker.verbalizers->layers();
    layers.push_back(model.num_layers());
    return verbal_rows(model, speaker.verbalizers.get(), batch, speaker.pictures.get());
  }
  layers.resize(static_cast<size_t>(model.num_layers()));
  std::iota(layers.begin(), layers.end(), 1);
  const auto hidden = model.forward(batch, {layers, /*final_rows=*/false}, speaker.pictures.get()).layers;
  return rms_norm(hidden, model.final_norm(), model.config().text.rms_norm_eps);
}

/// Appends the most probable tokens under softmax(rows headᵀ), rows [N, D], head [V, D].
void add_candidates(const at::Tensor& rows, const at::Tensor& head, int64_t vocab_size, int64_t num_candidates,
                    std::vector<std::vector<Candidate>>& all) {
  const auto logits = affine(rows.to(head.scalar_type()), head).to(at::kFloat).narrow(1, 0, vocab_size);  // [N, V]
  const auto log_total = logits.logsumexp(1, /*keepdim=*/true);
  // A stable sort of the few that may be among the first: topk says nothing about the order of equals.
  const int64_t k = std::min(num_candidates, vocab_size);
  const auto [values, tokens] = logits.topk(k, 1);
  const auto probabilities = (values - log_total).exp().to(at::kCPU, at::kDouble).contiguous();
  const auto ids = tokens.cpu().contiguous();
  for (int64_t n = 0; n < rows.size(0); ++n) {
    std::vector<Candidate> candidates;
    for (int64_t i = 0; i < k; ++i) {
      candidates.push_back({static_cast<int32_t>(ids.const_data_ptr<int64_t>()[n * k + i]),
                            probabilities.const_data_ptr<double>()[n * k + i]});
    }
    std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
      return a.probability != b.probability ? a.probability > b.probability : a.token < b.token;
    });
    all.push_back(std::move(candidates));
  }
}

/// The same of all rows, with the logits of a few at a time.
std::vector<std::vector<Candidate>> candidates_of(const at::Tensor& rows, const at::Tensor& head, int64_t vocab_size,
                                                  const LensConfig& config) {
  const int64_t num_rows = rows.size(0), num_at_once = std::max<int64_t>(1, config.num_logits / head.size(0));
  std::vector<std::vector<Candidate>> all;
  for (int64_t first = 0; first < num_rows; first += num_at_once) {
    const auto some = rows.narrow(0, first, std::min(num_at_once, num_rows - first));
    add_candidates(some, head, vocab_size, config.num_candidates, all);
  }
  return all;
}

OrderedJson to_json(const Candidate& candidate, const Tokenizer& tokenizer) {
  // Six digits: more would be the noise of float32 sums, and bytes on a page.
  const double rounded = std::round(candidate.probability * 1e6) / 1e6;
  return {{"token", candidate.token}, {"text", token_text(tokenizer, candidate.token)}, {"probability", rounded}};
}

}  // namespace

void check_lens_length(const Speaker& speaker, const Sample& prompt, const std::vector<int32_t>& answer) {
  const int64_t context = speaker.model->config().text.max_position_embeddings;
  if (std::ssize(prompt.tokens) + std::ssize(answer) <= context) return;
  fail("reading layers: the prompt has ", prompt.tokens.size(), " tokens and the answer ", answer.size(),
       ", expected together at most the model's context of ", context);
}

LensReading read_lens(const Speaker& speaker, const LensConfig& config, const Sample& prompt,
                      const std::optional<std::vector<int32_t>>& answer) {
  at::NoGradGuard no_grad;
  const auto& model = *speaker.model;
  LensReading reading;
  reading.verbalized = speaker.verbalizers != nullptr;
  reading.answer_given = answer.has_value();
  reading.stopped = true;
  if (answer) {
    check_lens_length(speaker, prompt, *answer);
    reading.answer = *answer;
  } else {
    auto decoding = speaker.greedy;
    decoding.max_new_tokens = config.max_new_tokens;
    Engine engine(model, speaker.processor->tokenizer(), speaker.pictures.get(),
                  {.cache_bytes = cache_bytes_of_one(model, std::ssize(prompt.tokens), decoding)});
    const auto own = generate(engine, prompt, decoding);
    reading.answer = own.tokens;
    reading.stopped = own.finish == Finish::kStop;
  }
  const auto batch = to_device(pack({with_answer(prompt, reading.answer, reading.stopped)}), model.device());
  std::vector<int64_t> layers;
  const auto rows = rows_of(speaker, batch, layers);
  const int64_t vocab_size = std::min(model.head().size(0), speaker.processor->tokenizer().size());
  for (size_t i = 0; i < layers.size(); ++i) {
    const bool is_output = i + 1 == layers.size();
    const auto& head = is_output || !speaker.verbal_head.defined() ? model.head() : speaker.verbal_head;
    reading.layers.push_back({layers[i], candidates_of(rows[static_cast<int64_t>(i)], head, vocab_size, config)});
  }
  return reading;
}

Sample blank_pictures(Sample sample) {
  for (auto& image : sample.images) image.rows = at::zeros_like(image.rows);
  return sample;
}

std::string token_text(const Tokenizer& tokenizer, int32_t token) { return with_escapes(tokenizer.bytes(token)); }

namespace {

OrderedJson to_json(const LensReading& reading, const Tokenizer& tokenizer) {
  OrderedJson tokens = OrderedJson::array(), layers = OrderedJson::array();
  for (const int32_t token : reading.answer)
    tokens.push_back({{"token", token}, {"text", token_text(tokenizer, token)}});
  for (const auto& layer : reading.layers) {
    OrderedJson positions = OrderedJson::array();
    std::vector<int32_t> said;
    for (const auto& position : layer.positions) {
      OrderedJson candidates = OrderedJson::array();
      for (const auto& candidate : position) candidates.push_back(to_json(candidate, tokenizer));
      positions.push_back(std::move(candidates));
      said.push_back(position.front().token);
    }
    layers.push_back({{"layer", layer.layer},
                      {"output", &layer == &reading.layers.back()},
                      {"text", tokenizer.decode(said)},
                      {"positions", std::move(positions)}});
  }
  return {{"lens", reading.verbalized ? "verbalizers" : "logit lens"},
          {"answer",
           {{"text", tokenizer.decode(reading.answer)},
            {"tokens", std::move(tokens)},
            {"given", reading.answer_given},
            {"finish_reason", reading.stopped ? "stop" : "length"}}},
          {"layers", std::move(layers)}};
}

}  // namespace

OrderedJson to_json(const LensReading& reading, const std::optional<LensReading>& blank, const Tokenizer& tokenizer) {
  auto json = to_json(reading, tokenizer);
  json["blank"] = blank ? to_json(*blank, tokenizer) : OrderedJson(nullptr);
  return json;
}

}  // namespace vlsi
