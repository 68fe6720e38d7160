// Runs of the three steps within the test program, so that they see what the test added to the tables.
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "checkpoint/save.h"
#include "run/distill.h"
#include "tests/support/files.h"
#include "tests/support/initialize_vlm.h"

namespace vlsi::toy_run {

/// The lines of a run's metrics.jsonl.
inline std::vector<Json> metrics_in(const std::filesystem::path& run) {
  std::vector<Json> lines;
  std::ifstream file(run / "metrics.jsonl");
  for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line));
  return lines;
}

/// Random models "student" and "teacher" of tests/data/tiny in a folder, and runs of theirs.
class TinyPair {
 public:
  TinyPair() {
    for (const std::string who : {"student", "teacher"}) {
      const std::filesystem::path source = VLSI_TEST_DATA "/tiny/" + who + ".json";
      const auto config = parse_model_config(read_json(source), source.string());
      save_vlm(folder_ / who, *initialize_vlm(config, Initializer::kFanIn, /*seed=*/1), at::kFloat,
               VLSI_TEST_DATA "/tiny/tokenizer");
    }
    write_text(folder_ / "run.yaml",
               concat("out: ", (folder_ / "run").string(),
                      "\nseed: 3\ndtype: float32\nteacher: {model: ", (folder_ / "teacher").string(),
                      ", layers: [1, 2]}\nstudent: {model: ", (folder_ / "student").string(),
                      ", layers: [1]}\ndata: {train: [{path: ", train_data().string(),
                      "}], batch_tokens: 300}\noptimizer: {learning_rate: 1.0e-3, accumulate: 2}\n"
                      "verbalize: {iterations: 2}\ninteract: {iterations: 3, train: [decoder]}\n"
                      "finetune: {iterations: 1}\n"));
  }

  const Folder& folder() const { return folder_; }
  static std::filesystem::path train_data() { return VLSI_TEST_DATA "/tiny/train.json"; }

  /// The lines of metrics.jsonl of a whole run with these overrides, "key=value".
  std::vector<Json> run(const std::vector<std::string>& overrides) const {
    const auto config = load_run_config(folder_ / "run.yaml", overrides);
    check(config, "run.yaml");
    EXPECT_EQ(distill(config, {}, one_rank()), Outcome::kFinished);
    return metrics_in(config.out);
  }

 private:
  Folder folder_;
};

}  // namespace vlsi::toy_run
