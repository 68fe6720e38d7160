// The program on Parquet files: training, scoring, a benchmark, and what a user sees when a file is wrong. The files
// are tests/oracle/make_parquet_fixtures.py's.
#include "tests/cli/program.h"

namespace vlsi::cli_test {
namespace parquet_test {
namespace {

fs::path fixture(const std::string& name) { return fs::path(VLSI_TEST_DATA) / "parquet" / (name + ".parquet"); }

Result score(const Folder& folder, const fs::path& data) {
  return vlsi_program({"score", "--model", model("student"), "--data", data, "--out", folder / "scores.jsonl"});
}

TEST(Parquet, IsScored) {
  const Folder folder;
  const auto result = score(folder, fixture("questions"));
  ASSERT_EQ(result.status, 0) << result.err;
  const auto lines = content_of(folder / "scores.jsonl");
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 7);
}

TEST(Parquet, IsTrainedOn) {
  const Folder folder;
  const auto data =
      concat("data.train=[{path: ", fixture("texts").string(), "}, {path: ", fixture("questions").string(), "}]");
  const auto result = vlsi_program({"finetune", write_run(folder), "--set", data});
  EXPECT_EQ(result.status, 0) << result.err;
}

TEST(Parquet, IsABenchmark) {
  const Folder folder;
  write_text(folder / "answers.jsonl", R"({"id": "0", "answer": "A"}
{"id": "1", "answer": "A"}
)");
  const auto result =
      vlsi_program({"evaluate", "--benchmark", "mmstar", "--profile", "lmms", "--data", fixture("mmstar"),
                    "--predictions", folder / "answers.jsonl", "--out", folder / "out"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(read_json(folder / "out/results.json")["total"], 2);
}

TEST(Parquet, ThatIsWrongIsNamedByFileAndPlace) {
  const Folder folder;
  const auto whole = content_of(fixture("questions"));
  write_text(folder / "cut.parquet", whole.substr(0, 3000));
  write_text(folder / "text.parquet", "question,answer\n");
  const std::vector<std::pair<fs::path, std::string>> cases{
      {folder / "cut.parquet", "cut.parquet: does not end with PAR1, as Parquet files do: it is cut off"},
      {folder / "text.parquet", "text.parquet: does not begin with PAR1, as Parquet files do"},
      {fixture("encrypted"), "encrypted.parquet: is encrypted, expected a Parquet file that is not"},
      {fixture("encrypted_column"), "row group 1, column 'answer': is encrypted, expected a column that is not"},
      {fixture("twice"), "twice.parquet: column \"question\" is there twice"},
      {fixture("empty"), "empty.parquet: holds no rows, expected at least one"},
      {fixture("absurd_rows"), "row group 1: is to have 281474976709645 rows, expected at most"},
      {fixture("other_columns"), "other_columns.parquet, row 1 (row group 1): columns 'conversations', 'messages'"},
      {fixture("wrong_types"), "wrong_types.parquet, row 1 (row group 1), image: is an integer, expected a path"},
      {fixture("no_bytes"), "no_bytes.parquet, row 1 (row group 1), column \"image\".bytes: holds no bytes"},
      {folder / "absent.parquet", "absent.parquet"}};
  for (const auto& [path, message] : cases) expect_refusal(score(folder, path), {message});
}

}  // namespace
}  // namespace parquet_test
}  // namespace vlsi::cli_test
