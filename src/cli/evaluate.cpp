// vlsi evaluate: a model's accuracy on a benchmark.
#include <iomanip>
#include <iostream>

#include "base/atomic_file.h"
#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "eval/answers.h"
#include "eval/exact_match.h"

namespace vlsi {
namespace {

struct EvaluateOptions {
  ModelOptions model;
  DataOptions data;
  std::string benchmark;
  std::filesystem::path out;
  int64_t max_new_tokens = 16;
};

/// The text of a conversation's last turn, which is the expected answer.
std::string expected_answer(const Conversation& conversation, const std::string& place) {
  if (conversation.turns.back().role != Role::kAssistant) {
    fail(place, ": ends with a question, expected its answer to compare with");
  }
  std::string text;
  for (const auto& content : conversation.turns.back().contents) text += content.text;
  return text;
}

OrderedJson to_json(const ExactMatch& match) {
  OrderedJson categories = OrderedJson::object();
  for (const auto& [category, tally] : match.by_category()) {
    if (category.empty()) continue;
    categories[category] = {{"accuracy", tally.accuracy()}, {"right", tally.right}, {"total", tally.total}};
  }
  return {{"accuracy", match.overall().accuracy()},
          {"right", match.overall().right},
          {"total", match.overall().total},
          {"categories", categories}};
}

int run(const EvaluateOptions& options) {
  catch_interrupts();
  const RecordFile file(options.data.data, options.data.images);
  make_directories(options.out);
  check_writable(options.out);
  const auto model = load(options.model);
  const auto answers =
      answer_all(model, file, options.max_new_tokens, options.data.batch_tokens, options.data.on_error());
  ExactMatch match;
  AtomicFile predictions(options.out / "predictions.jsonl");
  for (const auto& answer : answers) {
    const auto conversation = file.read(answer.record);
    const auto expected = expected_answer(conversation, file.place(answer.record));
    const bool right = ExactMatch::is_right(answer.text, expected);
    match.add(conversation.category, right);
    predictions.write(OrderedJson{{"id", conversation.id},
                                  {"category", conversation.category},
                                  {"answer", answer.text},
                                  {"expected", expected},
                                  {"right", right}}
                          .dump() +
                      "\n");
  }
  predictions.commit();
  OrderedJson results{
      {"benchmark", options.benchmark}, {"model", options.model.model.string()}, {"data", options.data.data.string()}};
  if (!options.model.adapter.empty()) results["adapter"] = options.model.adapter.string();
  results.update(to_json(match));
  write_json(options.out / "results.json", results);

  const auto line = [](const std::string& name, const Tally& tally) {
    std::cout << std::left << std::setw(24) << name << std::right << std::fixed << std::setprecision(2) << std::setw(7)
              << 100 * tally.accuracy() << " %  " << tally.right << " of " << tally.total << "\n";
  };
  line(options.benchmark, match.overall());
  for (const auto& [category, tally] : match.by_category()) {
    if (!category.empty()) line("  " + category, tally);
  }
  return 0;
}

}  // namespace

Action add_evaluate(CLI::App& command) {
  auto options = std::make_shared<EvaluateOptions>();
  add_model_options(command, options->model);
  add_data_options(command, options->data);
  command
      .add_option("--benchmark", options->benchmark,
                  "easy-vqa: exact match, per question type (the records' `category`)")
      ->required()
      ->check(CLI::IsMember({"easy-vqa"}));
  command.add_option("--out", options->out, "folder for results.json and predictions.jsonl")->required();
  command.add_option("--max-new-tokens", options->max_new_tokens, "longest answer")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  return [options] { return run(*options); };
}

}  // namespace vlsi
