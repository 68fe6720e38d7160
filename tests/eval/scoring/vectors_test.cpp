// The scoring functions against what the communities' own code gave (tests/oracle/lmms_verdicts.py and
// harness_verdicts.py, seed 8, 30 calls of each function).
#include "eval/scoring/vectors.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/data/data_files.h"

namespace vlsi {
namespace {

TEST(ScoringVectors, AgreeWithTheProgramsThatTheyCameFrom) {
  std::ostringstream out;
  const auto count = run_vectors(VLSI_SOURCE_DIR "/tests/eval/scoring_vectors.jsonl", out);
  EXPECT_EQ(count.total, 1078);
  EXPECT_EQ(count.same, count.total) << out.str();
}

TEST(ScoringVectors, TellCallsThatDiffer) {
  const Folder folder;
  const auto path = folder.write("vectors.jsonl",
                                 R"line({"fn": "vlsi.blink (a remark)", "args": {"prediction": "so (B)"}, "out": "B"}
{"fn": "vlsi.blink", "args": {"prediction": "so [B]"}, "out": "C"}

{"fn": "none", "args": {}, "out": 1}
)line");
  std::ostringstream out;
  const auto count = run_vectors(path, out);
  EXPECT_EQ(count.same, 1);
  EXPECT_EQ(count.total, 3);
  EXPECT_EQ(out.str(), R"line({"fn":"vlsi.blink (a remark)","out":"B","same":true}
{"fn":"vlsi.blink","out":"so [B]","same":false}
{"fn":"none","out":null,"same":false,"error":"no such function"}
1 of 3
)line");
}

TEST(ScoringVectors, RefuseLinesThatAreNoCalls) {
  const Folder folder;
  std::ostringstream out;
  EXPECT_ERROR(run_vectors(folder.write("a.jsonl", R"({"fn": "vlsi.blink", "args": {}, "out": 1})"), out),
               "a.jsonl, line 1: argument 'prediction' is missing");
  EXPECT_ERROR(run_vectors(folder.write("b.jsonl", R"({"fn": "vlsi.blink"})"), out),
               "expected the keys 'fn', 'args' and 'out'");
  EXPECT_ERROR(run_vectors(folder.write("c.jsonl", "[1]"), out), "c.jsonl, line 1");
  EXPECT_ERROR(
      run_vectors(folder.write("d.jsonl",
                               R"line({"fn": "python.str(round(x,nd))", "args": {"x": 1, "nd": "a"}, "out": "1"})line"),
                  out),
      "d.jsonl, line 1: an argument of python.str(round(x,nd)) is of another type");
}

}  // namespace
}  // namespace vlsi
