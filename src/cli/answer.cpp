// vlsi answer: a data file whose answers are the model's own.
#include <map>
#include <optional>

#include "base/atomic_file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/decoding_options.h"
#include "cli/engine_options.h"
#include "cli/options.h"
#include "eval/answer_store.h"
#include "eval/asked.h"
#include "eval/stored_answers.h"

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
  const auto* format = data_formats().find(path.extension().string());
  if (format != nullptr && !format->is_json)
    fail(option, " ", path.string(), ": is ", format->meaning, ", expected JSON or JSONL");
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

/// Where the answers are kept until all are there; nowhere beside what is no file.
std::filesystem::path store_beside(const AtomicFile& out, std::filesystem::path path) {
  return out.is_direct() ? std::filesystem::path() : path += ".parts";
}

/// The records with their answers or labels, a line each; in a JSON file as an array.
void write_records(const std::vector<Answer>& answers, const RecordFile& file,
                   const std::map<std::string, Json>& labelled, const std::filesystem::path& path, AtomicFile& out) {
  const bool is_array = path.extension() != ".jsonl";
  int64_t num_written = 0, num_empty = 0;
  const auto write = [&](const Json& record) {
    const char* const before = !is_array ? "" : num_written > 0 ? ",\n" : "\n";
    out.write(before + record.dump() + (is_array ? "" : "\n"));
    ++num_written;
  };
  if (is_array) out.write("[");
  for (const auto& answer : answers) {
    const auto label = labelled.empty() ? labelled.end() : labelled.find(file.read(answer.record, false).id);
    if (label != labelled.end()) {
      write(label->second);
    } else if (answer.text.find_first_not_of(" \t\r\n") == std::string::npos) {
      ++num_empty;  // teaches nothing and could not be read back
    } else {
      write(with_answer(file.json(answer.record), answer.text));
    }
  }
  if (is_array) out.write("\n]\n");
  out.commit();
  log_info(concat("wrote ", num_written, " answers to ", path.string(),
                  num_empty > 0 ? concat("; ", num_empty, " were empty and left out") : ""));
}

int run(const AnswerOptions& options) {
  catch_interrupts();
  const auto path = options.data.file();
  check_is_json("--data", path);
  const RecordFile file(path, options.data.images);
  const auto labelled = read_labelled(options.labelled);
  expect_apart(options.out, "--out", {path, options.labelled});
  auto out = std::make_optional<AtomicFile>(options.out);
  const auto store = store_beside(*out, options.out);
  if (!store.empty()) out.reset();  // it can be written; a kill from here on leaves no half of it
  const auto& draft = options.decoding.draft;
  const auto drafting = draft.files(options.model.model);
  const auto speaker = load(options.model, SpecialText::kControl, drafting);
  const auto decoding = options.decoding.over(speaker);
  OrderedJson asked{{"data", data_json(path)}};
  asked.update(model_json(options.model, drafting.verbalizers));
  const auto answers = stored_answers(file, speaker,
                                      {{.decoding = decoding,
                                        .draft = draft.of(speaker, decoding),
                                        .batch_tokens = options.data.batch_tokens,
                                        .on_error = options.data.on_error(),
                                        .cache_bytes = options.cache_bytes,
                                        .group_records = group_records_for(*speaker.model)},
                                       asked,
                                       store});
  if (!out) out.emplace(options.out);
  write_records(answers, file, labelled, options.out, *out);
  if (!store.empty()) remove_answers(store);  // all is written
  return 0;
}

}  // namespace

Action add_answer(CLI::App& command) {
  auto options = std::make_shared<AnswerOptions>();
  add_model_options(command, options->model);
  add_data_options(command, options->data);
  command.add_option("--out", options->out, "JSON or JSONL file to write; its picture paths are those of --data")
      ->required();
  command.add_option("--labelled", options->labelled,
                     "a data file whose records stand in the place of those of --data with their ids, labels and all");
  add_decoding_options(command, options->decoding, /*own_is_greedy=*/true, "128");
  add_verbalizer_options(command, options->decoding.draft);
  add_cache_memory_option(command, options->cache_bytes);
  return [options] { return run(*options); };
}

}  // namespace vlsi
