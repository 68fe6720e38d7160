// vlsi evaluate: a model's score on benchmarks, or that of answers made elsewhere.
#include <iostream>
#include <map>

#include "base/atomic_file.h"
#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/decoding_options.h"
#include "cli/engine_options.h"
#include "cli/judge_options.h"
#include "cli/options.h"
#include "eval/asked.h"
#include "eval/evaluate.h"
#include "eval/model_results.h"
#include "eval/predictions.h"
#include "eval/scoring/vectors.h"
#include "ranks/process_ranks.h"

namespace vlsi {
namespace {

struct EvaluateOptions {
  ModelOptions model;
  DataOptions data;
  std::vector<ChosenBenchmark> benchmarks{ChosenBenchmark()};
  ChosenProfile profile;
  std::filesystem::path out, predictions, vectors;
  AskOptions ask;
  DecodingOptions decoding;
  JudgeOptions judge;
};

std::vector<ChosenBenchmark> parse_benchmarks(const std::string& names) {
  std::vector<ChosenBenchmark> all;
  for (size_t begin = 0; begin <= names.size();) {
    const size_t end = std::min(names.find(',', begin), names.size());
    all.push_back(parse_or_fail<ChosenBenchmark>(names.substr(begin, end - begin), "--benchmark"));
    begin = end + 1;
  }
  return all;
}

/// The data of one of several benchmarks: a file or folder of its name, else the table that VLMEvalKit has.
std::filesystem::path data_of(const EvaluateOptions& options, const ChosenBenchmark& benchmark) {
  const auto& folder = options.data.data;
  if (options.benchmarks.size() == 1) return folder;
  for (const char* ending : {"", ".tsv", ".parquet", ".jsonl", ".json"}) {
    auto path = folder / (benchmark->name + ending);
    if (std::filesystem::exists(path)) return path;
  }
  std::vector<std::filesystem::path> found;
  std::string names;
  for (const auto& table : benchmark->tables) {
    const auto name = table + ".tsv";
    if (std::filesystem::exists(folder / name)) found.push_back(folder / name);
    names += concat(names.empty() ? "" : " or ", name);
  }
  if (found.size() == 1) return found[0];
  if (!found.empty()) {
    fail("--data ", folder.string(), ": has ", found.size(), " of ", names, ", all of them for ", benchmark->name,
         "; put the one that is meant into a folder ", benchmark->name, " there");
  }
  fail("--data ", folder.string(), ": has no ", benchmark->name, ", ", benchmark->name,
       ".tsv, .parquet, .jsonl or .json", names.empty() ? "" : ", and no " + names);
}

/// The longest answers of the benchmarks, for help.
std::string usual_lengths() {
  const int64_t usual = BenchmarkEntry().max_new_tokens;
  std::map<int64_t, std::string> others;
  for (const auto& benchmark : benchmarks()) {
    auto& names = others[benchmark.max_new_tokens];
    names += concat(names.empty() ? "" : ", ", benchmark.name);
  }
  others.erase(usual);
  std::string text = std::to_string(usual);
  for (const auto& [length, names] : others) text += concat("; ", length, " for ", names);
  return text;
}

/// One benchmark of a run: where its results go, and who answers.
struct Evaluation {
  const EvaluateOptions& options;
  const ChosenBenchmark& chosen;
  const Benchmark& benchmark;
  std::filesystem::path out;
  int64_t num_waiting;  // for a judge
};

/// What the model's answers depend on beside the questions and how they are asked.
OrderedJson asked(const EvaluateOptions& options, const ChosenBenchmark& chosen) {
  OrderedJson asked{
      {"benchmark", chosen->name}, {"profile", options.profile.text()}, {"data", data_json(data_of(options, chosen))}};
  asked.update(model_json(options.model, options.decoding.draft.files(options.model.model).verbalizers));
  return asked;
}

/// The difference that the pictures make.
void add_blank(const Evaluation& one, std::vector<Answer> answers, Summary& summary) {
  auto without = judge_answers(one.benchmark, std::move(answers), /*blank=*/true, one.out / "predictions-blank.jsonl",
                               one.num_waiting);
  if (summary.json.contains("accuracy") && without.json.contains("accuracy")) {
    const double gain = summary.json["accuracy"].get<double>() - without.json["accuracy"].get<double>();
    summary.json["multimodal_gain"] = gain;
    summary.text += concat("without pictures: ", without.text, "multimodal gain: ", 100 * gain, "\n");
  }
  summary.json["blank"] = without.json;
}

void write_results(const Evaluation& one, const Summary& summary) {
  const auto& options = one.options;
  OrderedJson results{{"benchmark", one.chosen->name}};
  if (options.predictions.empty()) results["model"] = options.model.model.string();
  if (!options.predictions.empty()) results["predictions"] = options.predictions.string();
  results["data"] = data_of(options, one.chosen).string();
  if (!options.model.adapter.empty()) results["adapter"] = options.model.adapter.string();
  results.update(summary.json);
  write_json(one.out / kResultsFile, results);
  std::cout << summary.text;
}

/// Answers made elsewhere.
void score(const Evaluation& one) {
  remove_leftovers(one.out);
  write_results(one, score_predictions(one.benchmark, one.options.predictions, one.options.ask.limit,
                                       one.out / kPredictionsFile, one.num_waiting));
}

/// The model's answers: all ranks ask, the first one judges.
void ask(const Evaluation& one, const Speaker& speaker, const OrderedJson& asked, const Ranks& ranks) {
  AskOptions options = one.options.ask;
  options.asked = asked;
  options.blank = false;
  auto answers = ask_questions(one.benchmark, speaker, options, one.out / "answers", ranks);
  std::vector<Answer> blank;
  if (one.options.ask.blank) {
    options.blank = true;
    blank = ask_questions(one.benchmark, speaker, options, one.out / "answers-blank", ranks);
  }
  if (!ranks.is_first()) return;
  remove_leftovers(one.out);
  auto summary =
      judge_answers(one.benchmark, std::move(answers), /*blank=*/false, one.out / kPredictionsFile, one.num_waiting);
  if (one.options.ask.blank) add_blank(one, std::move(blank), summary);
  write_results(one, summary);
}

void require_option(bool given, const char* option, const char* why) {
  if (!given) fail(option, " is missing: ", why);
}

/// The benchmarks, opened before anything takes long.
struct Opened {
  std::vector<std::unique_ptr<Benchmark>> benchmarks;
  int64_t num_waiting = 0;

  Opened(const EvaluateOptions& options) {
    if (options.benchmarks.size() > 1 && std::filesystem::is_regular_file(options.judge.prompts)) {
      fail("--judge-prompts ", options.judge.prompts.string(),
           " is the prompt of one benchmark, and --benchmark names ", options.benchmarks.size(), "; expected a folder");
    }
    const auto judge = make_judge(options.judge, options.out / "judge");
    if (judge) num_waiting = judge->config().num_workers;
    for (const auto& chosen : options.benchmarks) {
      benchmarks.push_back(chosen->open(
          {data_of(options, chosen), options.data.images, options.profile, judge, options.predictions.empty()}));
    }
    make_directories(options.out);
    check_writable(options.out);
  }

  Evaluation evaluation(const EvaluateOptions& options, size_t i) const {
    const auto& chosen = options.benchmarks[i];
    const auto out = options.benchmarks.size() == 1 ? options.out : options.out / chosen->name;
    make_directories(out);
    check_writable(out);
    return {options, chosen, *benchmarks[i], out, num_waiting};
  }
};

/// As one of the ranks that share the questions.
int ask_all(EvaluateOptions options, const Ranks& ranks) {
  const Opened opened(options);
  options.model.device.value = ranks.device_for(options.model.device.value);
  const auto& draft = options.decoding.draft;
  const auto speaker = load(options.model, SpecialText::kControl, draft.files(options.model.model));
  options.ask.asking.decoding = options.decoding.over(speaker);
  options.ask.asking.draft = draft.of(speaker, options.ask.asking.decoding);
  for (size_t i = 0; i < options.benchmarks.size(); ++i) {
    options.ask.asking.decoding.max_new_tokens =
        options.decoding.max_new_tokens.value_or(options.benchmarks[i]->max_new_tokens);
    const auto known = ranks.is_first() ? asked(options, options.benchmarks[i]) : OrderedJson();
    ask(opened.evaluation(options, i), speaker, known, ranks);
  }
  return 0;
}

int run(EvaluateOptions options) {
  catch_interrupts();
  if (!options.vectors.empty()) {
    const auto count = run_vectors(options.vectors, std::cout);
    return count.same == count.total ? 0 : 1;
  }
  require_option(!options.data.data.empty(), "--data", "the questions are in it");
  require_option(!options.out.empty(), "--out", "the results go there");
  if (!options.predictions.empty()) {
    if (options.ask.blank) fail("--blank asks a model without pictures, and --predictions has the answers");
    expect_apart(options.out / kPredictionsFile, "--out: predictions.jsonl there,", {options.predictions});
    if (options.benchmarks.size() > 1)
      fail("--predictions has the answers of one benchmark, and --benchmark names ", options.benchmarks.size());
    const Opened opened(options);
    score(opened.evaluation(options, 0));
    return 0;
  }
  require_option(!options.model.model.empty(), "--model", "it answers the questions, unless --predictions has answers");
  std::error_code unknown;
  if (std::filesystem::equivalent(options.out, options.model.model, unknown))
    fail("--out ", options.out.string(), " is the model's own folder; choose another, as ", options.out.string(),
         "/eval");
  options.ask.asking.batch_tokens = options.data.batch_tokens;
  options.ask.asking.on_error = options.data.on_error();
  check_device(options.model.device);
  use_threads(options.model.threads);
  return run_as_rank(options.model.device, [&](const Ranks& ranks) { return ask_all(options, ranks); });
}

}  // namespace

Action add_evaluate(CLI::App& command) {
  auto options = std::make_shared<EvaluateOptions>();
  add_model_options(command, options->model);
  add_data_options(command, options->data);
  for (const char* name : {"--model", "--data"}) command.get_option(name)->required(false);
  command
      .add_option_function<std::string>(
          "--benchmark", [options](const std::string& names) { options->benchmarks = parse_benchmarks(names); },
          "one, or several with commas, whose data are files or folders of their names, or VLMEvalKit's tables, in "
          "--data: " +
              words_of<ChosenBenchmark>("; "))
      ->default_str(options->benchmarks[0].text());
  add_word_option(command, "--profile", options->profile, "whose prompts and scoring rules");
  command.add_option("--out", options->out, "folder for results.json and predictions.jsonl");
  add_decoding_options(command, options->decoding, /*own_is_greedy=*/true, usual_lengths());
  add_verbalizer_options(command, options->decoding.draft);
  add_cache_memory_option(command, options->ask.asking.cache_bytes);
  command.add_option("--limit", options->ask.limit, "the first so many questions [all]")->check(whole_number_from(1));
  command.add_flag("--blank", options->ask.blank, "ask again without pictures, and print the difference");
  command.add_option("--predictions", options->predictions,
                     "score these answers instead of a model's: VLMEvalKit's table or JSON, lmms-eval's JSONL, "
                     "predictions.jsonl");
  add_judge_options(command, options->judge);
  command.add_option("--vectors", options->vectors, "check scoring functions with the calls in this JSONL file");
  return [options] { return run(*options); };
}

}  // namespace vlsi
