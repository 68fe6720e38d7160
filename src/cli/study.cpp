// vlsi study: a study's stages side by side, and tables of what its variants are worth.
#include <iostream>

#include "base/atomic_file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "report/page.h"
#include "study/children.h"
#include "study/run_study.h"
#include "study/study_curves.h"
#include "study/study_tables.h"

namespace vlsi {
namespace {

struct StudyOptions {
  std::filesystem::path file, out, page;
  std::vector<std::string> overrides;
  std::vector<std::filesystem::path> merge;
  StudyFormat format = StudyFormat::kText;
  bool dry_run = false;
};

/// docs/formats.md, "Report data".
OrderedJson page_data(const StudyOptions& options, const StudyConfig& study, const std::vector<VariantResult>& results,
                      const std::vector<StudyTable>& tables) {
  return {{"format", 1},
          {"live", false},
          {"runs", OrderedJson::array()},
          {"comparison", OrderedJson::array()},
          {"lens", nullptr},
          {"study",
           {{"name", options.file.filename().string()},
            {"tables", to_json(tables)},
            {"curves", study_curves(study, results)},
            {"matches", study_matches(study, results)}}}};
}

/// Error for what cannot be written after hours.
void check_output(const StudyOptions& options, const char* name, const std::filesystem::path& path) {
  expect_apart(path, name, {options.file});
  std::error_code unknown;
  const bool is_special = std::filesystem::is_fifo(path, unknown) || std::filesystem::is_character_file(path, unknown);
  if (!path.empty() && !is_special) AtomicFile probe(path);
}

void print(const StudyOptions& options, const StudyConfig& study, const std::vector<VariantResult>& results) {
  const auto tables = study_tables(study, results);
  const auto text = to_text(tables, options.format);
  if (!options.page.empty()) write_file(options.page, page_html(page_data(options, study, results, tables)));
  if (options.out.empty()) {
    std::cout << text;
  } else {
    write_file(options.out, text);
  }
}

int merge(const StudyOptions& options, const StudyConfig& study) {
  auto folders = options.merge;
  if (std::filesystem::exists(study.results / kStudyResultsFile)) folders.insert(folders.begin(), study.results);
  print(options, study, merge_results(study, folders));
  return 0;
}

int run(const StudyOptions& options) {
  const auto study = load_study(options.file, options.overrides);
  if (!options.merge.empty()) return merge(options, study);
  const auto stages = expand(study, options.file.string());
  if (options.dry_run) {
    std::cout << describe_plan(study, stages);
    return 0;
  }
  catch_interrupts();
  for (const auto& folder : {study.out, study.results}) make_directories(folder);
  check_output(options, "--out", options.out);
  check_output(options, "--page", options.page);
  const auto end = run_study(study, stages, own_program());
  const auto results = collect_results(study, stages);
  write_results(study.results, results);
  print(options, study, results);
  for (const auto& failure : end.failures) log_warning("study: " + failure);
  if (end.is_interrupted) log_info("stopped; the same command goes on");
  return end.failures.empty() && !end.is_interrupted ? 0 : 1;
}

}  // namespace

Action add_study(CLI::App& command) {
  auto options = std::make_shared<StudyOptions>();
  command.add_option("study", options->file, "the study's YAML file")->required();
  command.add_option("--set", options->overrides, "key=value over the file, as --set 'seeds=[1, 2]'");
  command.add_flag("--dry-run", options->dry_run, "say what would be run, what is shared and what is done");
  command.add_option("--merge", options->merge,
                     "run nothing: the tables of the results in these folders, of studies by this file elsewhere, "
                     "and in its own (`results`)");
  add_word_option(command, "--format", options->format, "of the tables");
  command.add_option("--out", options->out, "a file for the tables instead of the terminal");
  command.add_option("--page", options->page,
                     "an HTML file to write: the tables, learning curves, and the matches early and late");
  command.footer([] {
    return "Keys of the study's file, with their defaults:\n\n" +
           write_settings(StudyConfig{}, /*with_comments=*/true) + "\n\nof a stage:\n\n" +
           write_settings(StageConfig{}, /*with_comments=*/true) + "\n\nof a variant:\n\n" +
           write_settings(VariantConfig{}, /*with_comments=*/true);
  });
  return [options] { return run(*options); };
}

}  // namespace vlsi
