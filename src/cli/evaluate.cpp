// vlsi evaluate: a model's score on benchmarks, or that of answers made elsewhere.
#include <iostream>

#include "base/atomic_file.h"
#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/decoding_options.h"
#include "cli/options.h"
#include "eval/evaluate.h"
#include "eval/predictions.h"
#include "eval/scoring/vectors.h"

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

/// The data of one of several benchmarks: a file or folder of its name.
std::filesystem::path data_of(const EvaluateOptions& options, const ChosenBenchmark& benchmark) {
  if (options.benchmarks.size() == 1) return options.data.data;
  for (const char* ending : {"", ".tsv", ".parquet", ".jsonl", ".json"}) {
    auto path = options.data.data / (benchmark->name + ending);
    if (std::filesystem::exists(path)) return path;
  }
  fail("--data ", options.data.data.string(), ": has no ", benchmark->name, ", ", benchmark->name,
       ".tsv, .parquet, .jsonl or .json");
}

/// The difference that the pictures make.
void add_blank(const Benchmark& benchmark, const Speaker& speaker, const EvaluateOptions& options,
               const std::filesystem::path& out, Summary& summary) {
  AskOptions blank = options.ask;
  blank.blank = true;
  auto without = evaluate(benchmark, speaker, blank, out / "predictions-blank.jsonl");
  if (summary.json.contains("accuracy") && without.json.contains("accuracy")) {
    const double gain = summary.json["accuracy"].get<double>() - without.json["accuracy"].get<double>();
    summary.json["multimodal_gain"] = gain;
    summary.text += concat("without pictures: ", without.text, "multimodal gain: ", 100 * gain, "\n");
  }
  summary.json["blank"] = without.json;
}

std::unique_ptr<Benchmark> open(const ChosenBenchmark& chosen, const EvaluateOptions& options) {
  return chosen->open({data_of(options, chosen), options.data.images, options.profile});
}

void run_one(const ChosenBenchmark& chosen, const Benchmark& benchmark, const EvaluateOptions& options,
             const Speaker* speaker) {
  const auto out = options.benchmarks.size() == 1 ? options.out : options.out / chosen->name;
  make_directories(out);
  check_writable(out);
  const auto lines = out / "predictions.jsonl";
  AskOptions seeing = options.ask;
  seeing.blank = false;
  auto summary = speaker == nullptr ? score_predictions(benchmark, options.predictions, options.ask.limit, lines)
                                    : evaluate(benchmark, *speaker, seeing, lines);
  OrderedJson results{{"benchmark", chosen->name}};
  if (speaker != nullptr) results["model"] = options.model.model.string();
  if (speaker == nullptr) results["predictions"] = options.predictions.string();
  results["data"] = data_of(options, chosen).string();
  if (!options.model.adapter.empty()) results["adapter"] = options.model.adapter.string();
  if (speaker != nullptr && options.ask.blank) add_blank(benchmark, *speaker, options, out, summary);
  results.update(summary.json);
  write_json(out / "results.json", results);
  std::cout << summary.text;
}

void require_option(bool given, const char* option, const char* why) {
  if (!given) fail(option, " is missing: ", why);
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
    if (options.benchmarks.size() > 1)
      fail("--predictions has the answers of one benchmark, and --benchmark names ", options.benchmarks.size());
    const auto& chosen = options.benchmarks[0];
    run_one(chosen, *open(chosen, options), options, nullptr);
    return 0;
  }
  require_option(!options.model.model.empty(), "--model", "it answers the questions, unless --predictions has answers");
  options.ask.asking.batch_tokens = options.data.batch_tokens;
  options.ask.asking.on_error = options.data.on_error();
  std::vector<std::unique_ptr<Benchmark>> opened;  // before the model is loaded
  for (const auto& chosen : options.benchmarks) opened.push_back(open(chosen, options));
  make_directories(options.out);
  check_writable(options.out);
  const auto& draft = options.decoding.draft;
  const auto speaker = load(options.model, SpecialText::kControl, draft.files(options.model.model));
  options.ask.asking.decoding = options.decoding.over(speaker);
  options.ask.asking.draft = draft.of(speaker, options.ask.asking.decoding);
  for (size_t i = 0; i < opened.size(); ++i) {
    run_one(options.benchmarks[i], *opened[i], options, &speaker);
    opened[i].reset();
  }
  return 0;
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
          "one, or several with commas, whose data are files or folders of their names in --data: " +
              words_of<ChosenBenchmark>("; "))
      ->default_str(options->benchmarks[0].text());
  add_word_option(command, "--profile", options->profile, "whose prompts and scoring rules");
  command.add_option("--out", options->out, "folder for results.json and predictions.jsonl");
  options->decoding.max_new_tokens = 16;
  add_decoding_options(command, options->decoding, /*own_is_greedy=*/true, "16");
  add_verbalizer_options(command, options->decoding.draft);
  command.add_option("--limit", options->ask.limit, "the first so many questions [all]")->check(whole_number_from(1));
  command.add_flag("--blank", options->ask.blank, "ask again without pictures, and print the difference");
  command.add_option("--predictions", options->predictions,
                     "score these answers instead of a model's: VLMEvalKit's table or JSON, lmms-eval's JSONL, "
                     "predictions.jsonl");
  command.add_option("--vectors", options->vectors, "check scoring functions with the calls in this JSONL file");
  return [options] { return run(*options); };
}

}  // namespace vlsi
