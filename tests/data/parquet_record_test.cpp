// Rows of Parquet files as conversations, and as records of a mixture. The files are
// tests/oracle/make_parquet_fixtures.py's.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "data/dataset.h"
#include "data/mixture.h"
#include "data/read_picture.h"
#include "tests/data/data_files.h"

namespace vlsi {
namespace parquet_record_test {
namespace {

namespace fs = std::filesystem;

fs::path fixture(const std::string& name) { return fs::path(VLSI_TEST_DATA) / "parquet" / (name + ".parquet"); }

int num_pictures(const Turn& turn) {
  return static_cast<int>(std::count_if(turn.contents.begin(), turn.contents.end(),
                                        [](const auto& one) { return one.kind == Content::Kind::kImage; }));
}

TEST(ParquetRecord, IsAConversationOfTurns) {
  const RecordFile file(fixture("conversations"));
  ASSERT_EQ(file.size(), 5);
  const auto first = file.read(0), second = file.read(1);
  EXPECT_EQ(first.id, "a");
  ASSERT_EQ(first.turns[0].contents.size(), 2);
  const auto picture = read_picture(first.turns[0].contents[0], {});
  EXPECT_EQ(picture.width, 4);
  EXPECT_EQ(picture.height, 4);
  EXPECT_EQ(text_of(first.turns[0]), "What colour?");
  EXPECT_EQ(second.turns.size(), 4);
  EXPECT_EQ(num_pictures(file.read(2).turns[0]), 0);
  EXPECT_EQ(file.read(3).turns[0].contents[0].image, fixture("conversations").parent_path() / "d.png");
  EXPECT_EQ(num_pictures(file.read(4).turns[0]), 0);
  EXPECT_EQ(RecordFile(fixture("conversations"), "/pictures").read(3).turns[0].contents[0].image, "/pictures/d.png");
}

TEST(ParquetRecord, MayBeQuestionsWithTheirAnswers) {
  const RecordFile file(fixture("texts"));
  const auto first = file.read(0), second = file.read(1), third = file.read(2);
  ASSERT_EQ(first.turns.size(), 4);
  EXPECT_EQ(first.id, "1");
  EXPECT_EQ(num_pictures(first.turns[0]), 1);
  EXPECT_EQ(text_of(first.turns[2]), "Its colour?");
  EXPECT_EQ(text_of(first.turns[3]), "Red.");
  EXPECT_EQ(num_pictures(second.turns[0]), 2);
  EXPECT_EQ(num_pictures(third.turns[0]), 0);
}

TEST(ParquetRecord, MayBeAQuestionAndItsAnswer) {
  const RecordFile file(fixture("questions"));
  const auto last = file.read(6);
  EXPECT_EQ(last.id, "7");
  EXPECT_EQ(num_pictures(last.turns[0]), 1);
  EXPECT_EQ(text_of(last.turns[0]), "Question 6?");
  EXPECT_EQ(text_of(last.turns[1]), "answer 6");
  const auto of_benchmark = RecordFile(fixture("mmstar")).read(3);
  EXPECT_EQ(of_benchmark.id, "3");
  EXPECT_EQ(of_benchmark.category, "math");
}

TEST(ParquetRecord, LeavesOutWhatPandasWritesForNoValue) {
  const Folder folder;
  const RecordFile rows(fixture("options")),
      table(folder.write("a.tsv",
                         "index\thint\tquestion\tA\tB\tC\tanswer\tcategory\n"
                         "1\t\tWhich?\tcat\tNone\t\tA\t3\n2\t\tHow many?\tN/A\tnan\t2.5\t2.5\t4\n"));
  EXPECT_EQ(text_of(rows.read(0).turns[0]), "Which?\nA. cat\nB. None");
  EXPECT_EQ(text_of(table.read(0).turns[0]), text_of(rows.read(0).turns[0]));
  EXPECT_EQ(text_of(rows.read(1).turns[0]), "How many?\nA. N/A\nC. 2.5");
  EXPECT_EQ(text_of(table.read(1).turns[0]), "How many?\nC. 2.5");  // where "N/A" is no value either
  EXPECT_EQ(rows.read(0).category, table.read(0).category);
  EXPECT_TRUE(rows.json(0)["hint"].is_null());
}

TEST(ParquetRecord, OfAnAnswerThatIsNoTextIsRefused) {
  EXPECT_ERROR(RecordFile(fixture("answer_lists")).read(0),
               "answer_lists.parquet, row 1 (row group 1): column 'answer' is an array, expected a text");
}

TEST(ParquetRecord, OfAnotherSchemaIsRefused) {
  EXPECT_ERROR(RecordFile(fixture("other_columns")).read(0),
               "other_columns.parquet, row 1 (row group 1): columns 'conversations', 'messages', 'texts', "
               "'instruction' and 'question' "
               "are missing, expected one of them");
  EXPECT_ERROR(RecordFile(fixture("wrong_types")).read(0),
               "row 1 (row group 1), image: is an integer, expected a path");
  EXPECT_ERROR(
      RecordFile(fixture("no_bytes")).read(0),
      "no_bytes.parquet, row 1 (row group 1), column \"image\".bytes: holds no bytes, expected those of a picture");
}

TEST(ParquetRecord, ComesFromAFileThatIsKnownByItsFooter) {
  const RecordFile file(fixture("texts"));
  const auto print = file.fingerprint();
  EXPECT_EQ(print.name, "texts.parquet");
  EXPECT_EQ(print.bytes, static_cast<int64_t>(fs::file_size(fixture("texts"))));
  EXPECT_NE(print.checksum, RecordFile(fixture("questions")).fingerprint().checksum);
}

std::vector<std::pair<int32_t, int64_t>> order_of(const Mixture& mixture, int64_t epoch) {
  std::vector<std::pair<int32_t, int64_t>> result;
  for (const auto& record : mixture.order(3, epoch, true)) result.emplace_back(record.file, record.record);
  return result;
}

TEST(ParquetMixture, ShufflesWithinReachOfWhatFitsIntoMemory) {
  const Folder folder;
  std::string lines;
  for (int i = 0; i < 40; ++i) lines += record(std::to_string(i)) + "\n";
  const Mixture mixture({{fixture("zeros"), {}, 1}, {folder.write("a.jsonl", lines), {}, 2}});
  const auto order = order_of(mixture, 0);
  ASSERT_EQ(order.size(), 112);
  std::map<std::pair<int32_t, int64_t>, int> counts;
  for (const auto& one : order) ++counts[one];
  EXPECT_EQ(counts.size(), 72);
  for (const auto& [one, count] : counts) EXPECT_EQ(count, one.first == 0 ? 1 : 2);
  EXPECT_EQ(order, order_of(mixture, 0));
  EXPECT_NE(order, order_of(mixture, 1));
  // Between its first and its last record a stretch is needed: of 24 at once at most 4, which take less than 96 MiB.
  const auto stretches = mixture.file(0).stretches();
  std::map<int64_t, std::pair<size_t, size_t>> extents;
  for (size_t i = 0; i < order.size(); ++i) {
    if (order[i].first != 0) continue;
    const auto stretch = std::upper_bound(stretches.begin(), stretches.end(), order[i].second,
                                          [](int64_t row, const auto& one) { return row < one.end; });
    extents.try_emplace(stretch - stretches.begin(), i, i).first->second.second = i;
  }
  EXPECT_EQ(extents.size(), 24);
  int most = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    most = std::max<int>(most, std::count_if(extents.begin(), extents.end(), [&](const auto& one) {
                           return one.second.first <= i && i <= one.second.second;
                         }));
  }
  EXPECT_LE(most, 4);
  EXPECT_GE(most, 2);
}

TEST(ParquetMixture, OfSmallFilesIsShuffledWhole) {
  const Mixture mixture({{fixture("pages"), {}, 1}, {fixture("questions"), {}, 1}});
  const auto order = order_of(mixture, 0);
  EXPECT_EQ(std::set(order.begin(), order.end()).size(), 157);
  const auto middle =
      std::count_if(order.begin() + 40, order.begin() + 120, [](const auto& one) { return one.first == 1; });
  EXPECT_GT(middle, 0);
  EXPECT_LT(middle, 7);
}

}  // namespace
}  // namespace parquet_record_test
}  // namespace vlsi
