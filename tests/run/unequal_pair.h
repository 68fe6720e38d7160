// Pairs of tiny models that see differently, and what their first iteration is by plain computation.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "checkpoint/load.h"
#include "objective/verbal_kl.h"
#include "teacher/teacher.h"
#include "tests/seams/toy_run.h"

namespace vlsi::unequal_pair {

namespace fs = std::filesystem;
using toy_run::TinyPair;

/// Gives the models settings of their own for pictures. Those of the data, 23 x 17 pixels, become 6 tokens by the
/// teacher's limits and 1 by the student's, or the other way round.
inline void see_differently(const TinyPair& pair, bool teacher_sees_more) {
  for (const std::string who : {"student", "teacher"}) {
    const auto path = pair.folder() / who / "preprocessor_config.json";
    auto json = read_json(path);
    const bool sees_more = (who == "teacher") == teacher_sees_more;
    json["min_pixels"] = sees_more ? 1024 : 256;
    if (who == "teacher") json["image_mean"] = {0.5, 0.4, 0.3}, json["image_std"] = {0.2, 0.3, 0.4};
    write_text(path, json.dump());
  }
}

/// The rows of `verbal_rows` at the answers of the samples, one sample a pass.
inline at::Tensor rows_of(const fs::path& folder, const std::string& who, const fs::path& input_of,
                          const std::vector<int64_t>& layers, const std::vector<int64_t>& records) {
  at::NoGradGuard no_grad;
  const auto model = load_vlm(folder / who, at::kFloat);
  const auto verbalizers = Verbalizers::load(folder / "run" / (who + "-verbalizers"), model->config().text,
                                             BackboneFingerprint::of(*model), layers);
  const auto processor = load_processor(input_of);
  const RecordFile file(TinyPair::train_data());
  std::vector<at::Tensor> rows;
  for (const int64_t record : records)
    rows.push_back(verbal_rows(*model, verbalizers.get(), pack({processor->encode(file.read(record))})));
  return at::cat(rows, 1);
}

/// The records that a first batch of at most `budget` tokens holds, in the file's order.
inline std::vector<int64_t> first_records(const fs::path& folder, int64_t budget) {
  const auto student = load_processor(folder / "student"), teacher = load_processor(folder / "teacher");
  const RecordFile file(TinyPair::train_data());
  std::vector<int64_t> records;
  int64_t own = 0, theirs = 0;
  for (int64_t record = 0; record < file.size(); ++record) {
    own += std::ssize(student->encode(file.read(record)).tokens);
    theirs += std::ssize(teacher->encode(file.read(record)).tokens);
    if (std::max(own, theirs) > budget) break;
    records.push_back(record);
  }
  return records;
}

/// Runs one iteration of the interaction on one micro-batch, and compares its KL of all pairs with the definition, on
/// each model's own samples one by one. Expects that the teacher would say something else of the student's samples,
/// where it can be shown them.
inline void expect_own_samples(const TinyPair& pair, bool teacher_reads_the_students, int64_t batch_tokens = 250) {
  const auto lines = pair.run({"data.shuffle=false", "optimizer.accumulate=1", "interact.iterations=1",
                               "finetune.iterations=0", concat("data.batch_tokens=", batch_tokens)});
  const auto& folder = pair.folder().path();
  const auto records = first_records(folder, batch_tokens);
  ASSERT_GT(records.size(), 2U);
  ASSERT_LT(records.size(), 12U);
  const auto u = rows_of(folder, "student", folder / "student", {1}, records);
  const auto head = load_vlm(folder / "student", at::kFloat)->head(),
             teacher_head = load_vlm(folder / "teacher", at::kFloat)->head();
  const auto kl_with = [&](const fs::path& input_of) {
    return all_pairs_kl_plain(u, head, rows_of(folder, "teacher", input_of, {1, 2}, records), teacher_head);
  };
  const auto expected = kl_with(folder / "teacher");
  int num_lines = 0;
  for (const auto& line : lines) {
    if (line.at("step") != "interact") continue;
    ++num_lines;
    EXPECT_EQ(line.at("answer_tokens"), u.size(1));
    // Float32 sums of 320 rows, of values near one.
    EXPECT_NEAR(line.at("last_kl").get<double>(), expected[1][2].item<double>(), 2e-5);
    for (int64_t l = 0; l < 2; ++l)
      EXPECT_NEAR(line.at("kl_matrix")[0][l].get<double>(), expected[0][l].item<double>(), 2e-5);
  }
  EXPECT_EQ(num_lines, 1);
  if (teacher_reads_the_students) {
    EXPECT_GT((expected - kl_with(folder / "student")).abs().max().item<double>(), 1e-3);
  }
}

}  // namespace vlsi::unequal_pair
