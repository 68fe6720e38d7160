// Tables of results, their marks and formats.
#include "eval/results_table.h"

#include <gtest/gtest.h>

#include "tests/data/data_files.h"

namespace vlsi {
namespace {

std::string result(const std::string& benchmark, const std::string& keys) {
  return R"({"benchmark": ")" + benchmark + R"(", )" + keys + "}";
}

TEST(ResultsTable, HasARowAModelAndMarksTheBestTwo) {
  const Folder folder({{"a/mme/results.json", result("mme", R"("score": 1872.4, "profile": "lmms")")},
                       {"a/ai2d/results.json", result("ai2d", R"("score": 60.24, "profile": "lmms")")},
                       {"b_c/results.json", result("ai2d", R"("score": 89, "profile": "vlsi")")},
                       {"c/ai2d/results.json", result("ai2d", R"("score": 60.2, "profile": "lmms")")},
                       {"c/mm-vet/results.json", result("mm-vet", R"("total": 3)")},
                       {"c/easy/results.json", result("easy-vqa", R"("accuracy": 0.5)")}});
  const auto path = [&](const char* name) { return (folder / name).string(); };
  const auto table = read_results({"A=" + path("a"), path("b_c/"), path("c")}, *table_columns().find("all"));
  EXPECT_EQ(to_text(table, TableFormat::kText),
            "model  easy-vqa   ai2d   mme\n"
            "A             -  60.2+  1872\n"
            "b_c           -  89.0*     -\n"
            "c          50.0  60.2+     -\n"
            "ai2d: scores of different profiles: lmms, vlsi\n");
  const auto two = read_results({path("a"), path("b_c")}, *table_columns().find("3a"));
  EXPECT_EQ(two.columns, (std::vector<std::string>{"mmbench", "mathvista", "mm-vet", "mmmu"}));
  const TableColumns one{"", "", {"ai2d"}};
  const auto small = read_results({path("a"), path("b_c")}, one);
  EXPECT_EQ(to_text(small, TableFormat::kMarkdown),
            "| model | ai2d |\n|---|---|\n| a | <u>60.2</u> |\n| b\\_c | **89.0** |\n\nai2d: scores of different "
            "profiles: lmms, vlsi\n");
  EXPECT_EQ(
      to_text(small, TableFormat::kLatex),
      "\\begin{tabular}{lr}\n\\toprule\nmodel & ai2d \\\\\n\\midrule\na & \\underline{60.2} \\\\\n"
      "b\\_c & \\textbf{89.0} \\\\\n\\bottomrule\n\\end{tabular}\n% ai2d: scores of different profiles: lmms, vlsi\n");
  EXPECT_NE(to_text(small, TableFormat::kHtml).find("<tr><td>b_c</td><td><b>89.0</b></td></tr>"), std::string::npos);
}

TEST(ResultsTable, RefusesFoldersWithoutResults) {
  const Folder folder({{"none/x.txt", ""},
                       {"two/a/results.json", result("ai2d", R"("score": 1)")},
                       {"two/b/results.json", result("ai2d", R"("score": 2)")},
                       {"other/results.json", "{}"}});
  const auto read = [&](const char* name) { read_results({(folder / name).string()}, *table_columns().find("all")); };
  EXPECT_ERROR(read("none"), "none: has no results.json, and no folder in it has one");
  EXPECT_ERROR(read("missing"), "missing: has no results.json");
  EXPECT_ERROR(read("two"), "b/results.json: is the second result of ai2d");
  EXPECT_ERROR(read("other"), "results.json: key 'benchmark' is missing");
}

}  // namespace
}  // namespace vlsi
