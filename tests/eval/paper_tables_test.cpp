// The paper's tables in the program, and beside results.
#include "eval/paper_tables.h"

#include <gtest/gtest.h>

#include <set>

#include "eval/benchmark.h"
#include "eval/results_table.h"
#include "tests/data/data_files.h"

namespace vlsi {
namespace {

TEST(PaperTables, NameBenchmarksThatThereAreAndHaveAScoreOrNoneInEveryCell) {
  std::set<std::string> names;
  size_t num_scores = 0;
  for (const auto& table : paper_tables()) {
    EXPECT_TRUE(names.insert(table.name).second);
    for (const auto& benchmark : table.benchmarks) EXPECT_NE(benchmarks().find(benchmark), nullptr) << benchmark;
    for (const auto& row : table.rows) {
      ASSERT_EQ(row.scores.size(), table.benchmarks.size()) << row.model;
      for (size_t i = 0; i < row.scores.size(); ++i) {
        if (!row.scores[i]) continue;
        ++num_scores;
        EXPECT_LE(*row.scores[i], table.benchmarks[i] == "mme" ? 2800 : 100) << row.model;
        EXPECT_GT(*row.scores[i], table.benchmarks[i] == "mme" ? 1000 : 20) << row.model;
      }
      const auto size = row.billions ? concat("-", *row.billions, "B") : "B";
      EXPECT_EQ(row.model.find(size) != std::string::npos, row.billions.has_value()) << row.model;
    }
  }
  EXPECT_EQ(names, (std::set<std::string>{"1", "2", "3a", "3b", "4a", "4b", "4c"}));
  EXPECT_EQ(num_scores, 542);  // as tests/oracle/check_paper_tables.py finds in the paper's text
}

TEST(PaperTables, StandAboveResultsAndAreMarkedWithThem) {
  const Folder folder({{"a/results.json", R"({"benchmark": "mm-vet", "score": 75.8, "profile": "vlsi"})"},
                       {"b/results.json", R"({"benchmark": "mmmu", "score": 58.9, "profile": "vlsi"})"}});
  const auto& columns = *table_columns().find("4a");
  auto table = read_results({"ours=" + (folder / "a").string(), "x&y=" + (folder / "b").string()}, columns);
  add_paper_rows(table, columns);
  EXPECT_EQ(to_text(table, TableFormat::kText),
            "model                     mmbench  mm-vet   mmmu\n"
            "LLaVA-OV-0.5B                52.1    29.1   31.4\n"
            "VLsI-0.5B (LLaVA-OV-72B)     72.5    50.7   49.9\n"
            "LLaVA-OV-7B                  80.8    57.5   48.8\n"
            "VLsI-7B (Qwen2-VL-72B)      86.3*   75.8*  69.3*\n"
            "VLsI-7B (LLaVA-OV-72B)      86.1+    61.6  59.1+\n"
            "LLaVA-OV-72B                 85.9   63.7+   56.8\n"
            "\n"
            "ours                            -   75.8*      -\n"
            "x&y                             -       -   58.9\n"
            "the first 6 rows: the paper, Table 4a\n");
  const auto latex = to_text(table, TableFormat::kLatex);
  EXPECT_NE(latex.find("LLaVA-OV-72B & 85.9 & \\underline{63.7} & 56.8 \\\\\n\\midrule\nours & - & \\textbf{75.8} & - "
                       "\\\\\nx\\&y & - & - & 58.9 \\\\\n"),
            std::string::npos);
  EXPECT_NE(latex.find("% the first 6 rows: the paper, Table 4a\n"), std::string::npos);
  const auto html = to_text(table, TableFormat::kHtml);
  EXPECT_NE(html.find("<tr class=\"paper\"><td>LLaVA-OV-7B</td><td>80.8</td>"), std::string::npos);
  EXPECT_NE(html.find("<tr><td>ours</td><td>-</td><td><b>75.8</b></td>"), std::string::npos);
  const auto markdown = to_text(table, TableFormat::kMarkdown);
  EXPECT_NE(markdown.find("| LLaVA-OV-72B | 85.9 | <u>63.7</u> | 56.8 |\n| ours | - | **75.8** | - |\n"),
            std::string::npos);
  EXPECT_ERROR(add_paper_rows(table, *table_columns().find("all")),
               "the paper has no table with the columns 'all', expected --columns 1, 2, 3a, 3b, 4a, 4b, 4c");
}

}  // namespace
}  // namespace vlsi
