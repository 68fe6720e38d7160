// MME's folder in its two layouts.
#include "data/mme_folder.h"

#include <gtest/gtest.h>

#include "tests/data/data_files.h"

namespace vlsi {
namespace {

void make_folders(const Folder& folder, std::initializer_list<const char*> names) {
  for (const char* name : names) std::filesystem::create_directories(folder.path() / name);
}

TEST(MmeFolder, ReadsTasksOfBothLayouts) {
  const Folder folder;
  const std::string root = "MME_Benchmark_release_version/MME_Benchmark/";
  make_folders(folder, {(root + "count").c_str(), (root + "posters/images").c_str(),
                        (root + "posters/questions_answers_YN").c_str(), (root + "empty").c_str()});
  folder.write(root + "count/0001.png", "x");
  folder.write(root + "count/0001.txt", "Two cats? Please answer yes or no.\tYes\r\nThree?\tNo\n");
  folder.write(root + "posters/images/tt1.jpg", "x");
  folder.write(root + "posters/questions_answers_YN/tt1.txt", "Is it A?\tNo\nIs it B?\tYes");
  ASSERT_TRUE(is_mme_folder(folder.path()));
  const auto rows = read_mme_folder(folder.path());
  ASSERT_EQ(rows.size(), 4);
  EXPECT_EQ(rows[0].first, "count/0001/1");
  EXPECT_EQ(rows[0].second, (Json{{"id", "count/0001/1"},
                                  {"category", "count"},
                                  {"question_id", "0001.png"},
                                  {"image", root + "count/0001.png"},
                                  {"question", "Two cats? Please answer yes or no."},
                                  {"answer", "Yes"}}));
  EXPECT_EQ(rows[3].first, "posters/tt1/2");
  EXPECT_EQ(rows[3].second["image"], root + "posters/images/tt1.jpg");
}

TEST(MmeFolder, RefusesOtherFiles) {
  const Folder folder;
  make_folders(folder, {"a", "b"});
  EXPECT_FALSE(is_mme_folder(folder.path()));
  folder.write("a/1.png", "x");
  folder.write("a/1.txt", "One?\tYes\n");
  EXPECT_ERROR(read_mme_folder(folder.path()), "1.txt: has 1 question, expected 2");
  folder.write("a/1.txt", "One?\tYes\nTwo? No\n");
  EXPECT_ERROR(read_mme_folder(folder.path()), "1.txt, line 2: ends with no tab and Yes or No");
  folder.write("a/1.txt", "One?\tYes\nTwo?\tNo\n");
  folder.write("a/2.txt", "One?\tYes\nTwo?\tNo\n");
  EXPECT_ERROR(read_mme_folder(folder.path()), "has no picture of this name");
}

}  // namespace
}  // namespace vlsi
