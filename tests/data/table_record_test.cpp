// Rows of tables as conversations.
#include "data/table_record.h"

#include <gtest/gtest.h>

#include "data/dataset.h"
#include "tests/data/data_files.h"

namespace vlsi {
namespace {

TEST(TableRecord, IsAConversationOfPicturesQuestionAndAnswer) {
  const Folder folder;
  const RecordFile file(folder.write("train.tsv",
                                     "index\timage_path\thint\tquestion\tA\tB\tanswer\tcategory\n"
                                     "7\t['a.png', 'b.png']\tLook.\tWhich?\tcat\tNA\tA\tanimals\n"
                                     "8\tnan\t\t\"Two\nlines?\"\t\t\tYes\t\n"));
  ASSERT_EQ(file.size(), 2);
  EXPECT_EQ(file.json(1), (Json{{"index", "8"}, {"question", "Two\nlines?"}, {"answer", "Yes"}}));
  const auto first = file.read(0), second = file.read(1);
  EXPECT_EQ(first.id, "7");
  EXPECT_EQ(first.category, "animals");
  ASSERT_EQ(first.turns.size(), 2);
  ASSERT_EQ(first.turns[0].contents.size(), 3);
  EXPECT_EQ(first.turns[0].contents[1].image, folder.path() / "b.png");
  EXPECT_EQ(text_of(first.turns[0]), "Look.\nWhich?\nA. cat");
  EXPECT_EQ(text_of(first.turns[1]), "A");
  EXPECT_EQ(text_of(second.turns[0]), "Two\nlines?");
}

TEST(TableRecord, NeedsAQuestionAndForTrainingAnAnswer) {
  const Folder folder;
  const RecordFile file(folder.write("train.tsv", "index\tquestion\tanswer\n7\tWhich?\tN/A\n8\t\tYes\n"));
  EXPECT_ERROR(file.read(0), "train.tsv, row 1 (line 2): column 'answer' is missing");
  EXPECT_EQ(file.read(0, false).turns.size(), 1);
  EXPECT_ERROR(file.read(1), "train.tsv, row 2 (line 3): column 'question' is missing");
}

TEST(ListsInCells, AreReadAsPythonWritesThem) {
  EXPECT_EQ(texts_of_value(Json("['a', \"b's\", 'c\\'d\\n', 1, 2.50, None, True]")),
            (std::vector<std::string>{"a", "b's", "c'd\n", "1", "2.5", "True"}));
  EXPECT_EQ(texts_of_value(Json("('a' 'b', r'\\d',)")), (std::vector<std::string>{"ab", "\\d"}));
  EXPECT_EQ(texts_of_value(Json("[]")), std::vector<std::string>{});
  for (const char* other : {"[a]", "['a'", "['a']]", "[1, 2", "['a' b]", "plain", "[1,,2]", "['\\ud800']", "[-]"}) {
    EXPECT_EQ(texts_of_value(Json(other)), std::vector<std::string>{other});
  }
  EXPECT_EQ(texts_of_value(Json(std::string(40, '[') + std::string(40, ']'))).size(), 1);  // too deep for a list
  EXPECT_EQ(texts_of_value(Json::array({1, "x", nullptr})), (std::vector<std::string>{"1", "x"}));
}

}  // namespace
}  // namespace vlsi
