// Several runs as a table: what each is, means and deviations over seeds.
#include "report/comparison.h"

#include <cmath>

#include "tests/report/run_files.h"

namespace vlsi {
namespace {

using namespace report_test;

class Comparison : public testing::Test {
 protected:
  void add(const std::string& name, const std::vector<std::string>& overrides, double accuracy) {
    write_config(folder_ / name, overrides);
    write_text(folder_ / name / "metrics.jsonl", R"({"step":"finetune","iteration":1,"loss":2,"seconds":10})"
                                                 "\n"
                                                 R"({"step":"finetune","iteration":1,"validation_loss":0.5})"
                                                 "\n");
    write_text(folder_ / name / "evaluation/results.json",
               concat(R"({"accuracy":)", accuracy, R"(,"categories":{"color":{"accuracy":1}}})"));
    runs_.push_back(std::make_unique<RunData>(folder_ / name));
  }
  OrderedJson table() const {
    OrderedJson json = OrderedJson::array();
    std::vector<const RunData*> pointers;
    for (const auto& run : runs_) {
      json.push_back(run->to_json());
      pointers.push_back(run.get());
    }
    return compare_runs(pointers, json);
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  Folder folder_;
  std::vector<std::unique_ptr<RunData>> runs_;
};

TEST_F(Comparison, NamesRunsByWhatOthersTakeFromThem) {
  const std::vector<std::string> finetune{"verbalize.iterations=0", "interact.iterations=0"};
  add("big", finetune, 0.9);
  add("small", finetune, 0.5);
  const auto student = "student.model=" + path("small/model"), teacher = "teacher.model=" + path("big/model");
  add("sft", {finetune[0], finetune[1], student}, 0.6);
  add("last", {"interact.intermediate_loss=none", student, teacher}, 0.7);
  add("vlsi", {student, teacher}, 0.8);
  std::vector<std::string> labels;
  const auto rows = table();
  for (const auto& row : rows) labels.push_back(row["label"]);
  EXPECT_EQ(labels,
            (std::vector<std::string>{"teacher", "student before", "fine-tuning", "last-layer distillation", "VLsI"}));
  EXPECT_EQ(rows[4]["score"], OrderedJson::parse(R"({"mean":80.0,"deviation":null,"count":1})"));
  EXPECT_EQ(rows[4]["full"], 100);
  EXPECT_EQ(rows[4]["categories"]["color"]["mean"], 100.0);
  EXPECT_EQ(rows[4]["seconds"]["mean"], 10.0);
  EXPECT_EQ(rows[4]["validation_loss"]["mean"], 0.5);
  EXPECT_TRUE(rows[4]["peak_memory_bytes"].is_null());
}

TEST_F(Comparison, AveragesOneBenchmarkAlone) {
  add("seed-1", {"seed=1"}, 0.5);
  write_text(folder_ / "seed-2/another/results.json", R"({"benchmark":"mme","score":2000,"accuracy":20})");
  add("seed-2", {"seed=2"}, 0.7);
  const auto rows = table();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0]["score"]["mean"], 60.0);
  EXPECT_EQ(rows[0]["full"], 100);
}

TEST_F(Comparison, JoinsRunsThatDifferInSeedAndPathsOnly) {
  add("seed-1", {"seed=1", "data.train=[{path: a.json}]"}, 0.5);
  add("seed-2", {"seed=2", "data.train=[{path: b.json}]"}, 0.7);
  add("seed-3", {"seed=3", "threads=1"}, 0.6);
  const auto rows = table();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0]["runs"], OrderedJson::parse("[0,1,2]"));
  EXPECT_EQ(rows[0]["score"]["mean"], 60.0);
  EXPECT_NEAR(rows[0]["score"]["deviation"].get<double>(), 10, 1e-4);  // six digits are kept
}

TEST_F(Comparison, TellsApartOtherConfigurationsOfOneMethod) {
  add("a", {"interact.matching.rule=uniform"}, 0.5);
  add("b", {}, 0.7);
  add("c", {"interact.train=[decoder]"}, 0.7);
  const auto rows = table();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0]["label"], "VLsI (a)");
  EXPECT_EQ(rows[1]["label"], "VLsI (b)");
}

}  // namespace
}  // namespace vlsi
