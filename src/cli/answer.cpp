// vlsi answer: a data file whose answers are the model's own.
#include <map>

#include "base/atomic_file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/decoding_options.h"
#include "cli/engine_options.h"
#include "cli/options.h"
#include "eval/answers.h"

namespace vlsi {
namespace {

struct AnswerOptions {
  ModelOptions model;
  DataOptions data;
  std::filesystem::path out, labelled;
  DecodingOptions decoding;
  int64_t cache_bytes = EngineConfig().cache_bytes;
};

/// A record of another format is no JSON that could be written again.
void check_is_json(const char* option, const std::filesystem::path& path) {
  const auto ending = path.extension();
  if (ending == ".tsv" || ending == ".parquet" || ending == ".tar")
    fail(option, " ", path.string(), ": is a table or a tar, expected JSON or JSONL");
}

/// The records of --labelled by their ids; they stand as they are in the place of what the model answered.
std::map<std::string, Json> read_labelled(const std::filesystem::path& path) {
  std::map<std::string, Json> records;
  if (path.empty()) return records;
  check_is_json("--labelled", path);
  const RecordFile file(path, {});
  for (int64_t i = 0; i < file.size(); ++i) {
    const auto id = file.read(i, /*answers_required=*/false).id;
    if (!records.emplace(id, file.json(i)).second) fail(file.place(i), ": the id '", id, "' is there twice");
  }
  return records;
}

int run(const AnswerOptions& options) {
  catch_interrupts();
  const auto path = options.data.file();
  check_is_json("--data", path);
  const RecordFile file(path, options.data.images);
  const auto labelled = read_labelled(options.labelled);
  expect_apart(options.out, "--out", {path, options.labelled});
  AtomicFile out(options.out);
  const auto& draft = options.decoding.draft;
  const auto speaker = load(options.model, SpecialText::kControl, draft.files(options.model.model));
  const auto decoding = options.decoding.over(speaker);
  const auto answers = answer_all(speaker, file,
                                  {.decoding = decoding,
                                   .draft = draft.of(speaker, decoding),
                                   .batch_tokens = options.data.batch_tokens,
                                   .on_error = options.data.on_error(),
                                   .cache_bytes = options.cache_bytes});
  int64_t num_written = 0, num_empty = 0;
  out.write("[");
  for (const auto& answer : answers) {
    const auto label = labelled.empty() ? labelled.end() : labelled.find(file.read(answer.record, false).id);
    if (label != labelled.end()) {
      out.write((num_written++ > 0 ? ",\n" : "\n") + label->second.dump());
      continue;
    }
    // An empty answer teaches nothing and could not be read back.
    if (answer.text.find_first_not_of(" \t\r\n") == std::string::npos) {
      ++num_empty;
      continue;
    }
    out.write((num_written++ > 0 ? ",\n" : "\n") + with_answer(file.json(answer.record), answer.text).dump());
  }
  out.write("\n]\n");
  out.commit();
  log_info(concat("wrote ", num_written, " answers to ", options.out.string(),
                  num_empty > 0 ? concat("; ", num_empty, " were empty and left out") : ""));
  return 0;
}

}  // namespace

Action add_answer(CLI::App& command) {
  auto options = std::make_shared<AnswerOptions>();
  add_model_options(command, options->model);
  add_data_options(command, options->data);
  command.add_option("--out", options->out, "JSON file to write; its picture paths are those of --data")->required();
  command.add_option("--labelled", options->labelled,
                     "a data file whose records stand in the place of those of --data with their ids, labels and all");
  add_decoding_options(command, options->decoding, /*own_is_greedy=*/true, "128");
  add_verbalizer_options(command, options->decoding.draft);
  add_cache_memory_option(command, options->cache_bytes);
  return [options] { return run(*options); };
}

}  // namespace vlsi
