#include "generate/greedy.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "base/json.h"
#include "family/config_keys.h"

namespace vlsi {
namespace {

/// The most likely token of every row. rows [B, D] -> [B] int64
at::Tensor most_likely(const Vlm& model, const at::Tensor& rows) {
  return at::linear(rows, model.head()).to(at::kFloat).argmax(-1);
}

}  // namespace

std::vector<Generated> generate_greedy(const Vlm& model, const Batch& prompts, const GreedyConfig& config,
                                       const std::function<void(int64_t sequence, int32_t token)>& on_token) {
  at::NoGradGuard no_grad;
  std::vector<Generated> answers(static_cast<size_t>(prompts.num_samples()));
  if (config.max_new_tokens < 1) return answers;

  int64_t longest = 0;
  for (int64_t i = 0; i < prompts.num_samples(); ++i) {
    longest = std::max(longest, prompts.sequence_starts[i + 1] - prompts.sequence_starts[i]);
  }
  KvCache cache(model.config().text, prompts.num_samples(), longest + config.max_new_tokens,
                at::TensorOptions(model.device()).dtype(model.dtype()));
  auto tokens = most_likely(model, model.forward(prompts, {}, config.pictures, &cache).final_rows);
  auto positions = at::tensor(prompts.next_positions, at::kInt).to(at::kLong);

  std::vector<int64_t> sequences(answers.size());  // that go on: row of the batch each stands for
  for (size_t i = 0; i < sequences.size(); ++i) sequences[i] = static_cast<int64_t>(i);
  for (int64_t step = 1;; ++step) {
    const auto on_cpu = tokens.cpu();
    std::vector<int64_t> kept;
    for (size_t row = 0; row < sequences.size(); ++row) {
      const int64_t token = on_cpu.const_data_ptr<int64_t>()[row];
      auto& answer = answers[sequences[row]];
      answer.stopped =
          std::find(config.stop_tokens.begin(), config.stop_tokens.end(), token) != config.stop_tokens.end();
      if (answer.stopped) continue;
      answer.tokens.push_back(static_cast<int32_t>(token));
      if (on_token) on_token(sequences[row], static_cast<int32_t>(token));
      kept.push_back(static_cast<int64_t>(row));
    }
    if (kept.empty() || step == config.max_new_tokens) return answers;

    if (kept.size() < sequences.size()) {
      const auto rows = at::tensor(kept, at::kLong);
      cache.select(rows.to(model.device()));
      tokens = tokens.index_select(0, rows.to(model.device()));
      positions = positions.index_select(0, rows);
      std::vector<int64_t> remaining;
      for (const int64_t row : kept) remaining.push_back(sequences[row]);
      sequences = std::move(remaining);
    }
    tokens = most_likely(model, model.forward_next(tokens, positions.to(model.device()), cache));
    positions = positions + 1;
  }
}

std::vector<int64_t> stop_tokens(const std::filesystem::path& directory, const ModelConfig& config) {
  const auto path = directory / "generation_config.json";
  if (!std::filesystem::exists(path)) return config.eos_token_ids;
  const auto tokens = find_token_ids(read_json(path), "eos_token_id", path.string());
  if (!tokens) return config.eos_token_ids;
  for (const int64_t token : *tokens) {
    if (token < 0 || token >= config.text.vocab_size) {
      fail(path.string(), ": key 'eos_token_id' has ", token, ", expected ids of the vocabulary's ",
           config.text.vocab_size, " rows");
    }
  }
  return *tokens;
}

}  // namespace vlsi
