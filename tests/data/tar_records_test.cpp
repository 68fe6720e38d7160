#include "data/tar_records.h"

#include <gtest/gtest.h>

#include "data/dataset.h"
#include "tests/data/data_files.h"
#include "tests/data/tar_writer.h"

namespace vlsi {
namespace tar_records_test {
namespace {

const std::string kTurns =
    R"("conversations": [{"from": "human", "value": "<image>What?"}, {"from": "gpt", "value": "a cat"}])";

std::vector<std::string> pictures_of(const Conversation& conversation) {
  std::vector<std::string> pictures;
  for (const auto& turn : conversation.turns) {
    for (const auto& content : turn.contents) {
      if (content.kind == Content::Kind::kImage) pictures.push_back(content.picture_file);
    }
  }
  return pictures;
}

class TarRecordsTest : public testing::Test {
 protected:
  RecordFile file_of(const std::vector<std::pair<std::string, std::string>>& files) {
    return RecordFile(folder_.write("a.tar", tar_of(files)));
  }
  std::string place(const std::string& sample) const { return (folder_ / "a.tar").string() + ", sample " + sample; }

  const Folder folder_;
};

TEST_F(TarRecordsTest, AreAPictureWithJson) {
  const auto file = file_of({{"0.jpg", "JPEG"},
                             {"0.json", "{" + kTurns + ", \"image\": \"coco/7.jpg\"}"},
                             {"1.json", "{\"id\": \"x\", " + kTurns + "}"},
                             {"1.PNG", "PNG"},
                             {"1.cls", "3"}});
  ASSERT_EQ(file.size(), 2);
  const auto first = file.read(0), second = file.read(1);
  EXPECT_EQ(first.id, "0");
  EXPECT_EQ(pictures_of(first), std::vector<std::string>{"JPEG"});
  EXPECT_EQ(text_of(first.turns[0]), "What?");
  EXPECT_EQ(text_of(first.turns[1]), "a cat");
  EXPECT_EQ(second.id, "x");
  EXPECT_EQ(pictures_of(second), std::vector<std::string>{"PNG"});
}

TEST_F(TarRecordsTest, AreAPictureWithAText) {
  const auto file = file_of({{"k/0.webp", "W"}, {"k/0.txt", "a caption"}, {"k/0.json", R"({"url": "x"})"}});
  const auto conversation = file.read(0);
  EXPECT_EQ(conversation.id, "k/0");
  EXPECT_EQ(pictures_of(conversation), std::vector<std::string>{"W"});
  ASSERT_EQ(conversation.turns.size(), 2u);
  EXPECT_EQ(text_of(conversation.turns[0]), "");
  EXPECT_EQ(text_of(conversation.turns[1]), "a caption");
}

TEST_F(TarRecordsTest, AreAPictureWithAnInstructionWhateverTextIsBeside) {
  const auto file =
      file_of({{"0.jpg", "J"}, {"0.json", R"({"instruction": "Q", "output": "A"})"}, {"0.txt", "a caption"}});
  const auto conversation = file.read(0);
  EXPECT_EQ(pictures_of(conversation), std::vector<std::string>{"J"});
  EXPECT_EQ(text_of(conversation.turns[0]), "Q");
  EXPECT_EQ(text_of(conversation.turns[1]), "A");
}

TEST_F(TarRecordsTest, AreAPictureWithAListOfMessages) {
  const auto file =
      file_of({{"0.jpg", "J"},
               {"0.json", R"([{"role": "user", "content": "<image>Q"}, {"role": "assistant", "content": "A"}])"}});
  EXPECT_EQ(pictures_of(file.read(0)), std::vector<std::string>{"J"});
}

TEST_F(TarRecordsTest, AreLlavaOneVisions15) {
  const std::string turns =
      R"("texts": [{"role": "system", "content": "S"}, {"role": "user", "content": "<image><image>Q"},
                                         {"role": "assistant", "content": "A"}])";
  const auto file =
      file_of({{"image_0.0_a.jpg", "first"},
               {"image_0.1_b.png", "second"},
               {"image_0.json", "{" + turns + R"(, "media": "image", "name": ["1_b.png", "0_a.jpg"]})"},
               {"text_1.json", R"({"texts": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}],
                                                 "media": "text", "name": []})"},
               {"video_2.0_a.mp4", "v"},
               {"video_2.json", "{" + turns + R"(, "media": "video", "name": ["0_a.mp4"]})"},
               {"image_3.0_a.jpg", "p"},
               {"image_3.json", "{" + turns + R"(, "media": "image", "name": ["0_a.jpg", "1_b.jpg"]})"}});
  EXPECT_EQ(pictures_of(file.read(0)), (std::vector<std::string>{"second", "first"}));
  EXPECT_EQ(file.read(0).turns[0].role, Role::kSystem);
  EXPECT_TRUE(pictures_of(file.read(1)).empty());
  EXPECT_ERROR(file.read(2), place("3 (video_2), media: is 'video'"));
  EXPECT_ERROR(file.read(3), place("4 (image_3), name: \"1_b.jpg\" is no member of the sample"));
}

TEST_F(TarRecordsTest, RefuseAMemberWithoutItsPartner) {
  const auto file = file_of({{"0.jpg", "J"},
                             {"1.json", "{" + kTurns + "}"},
                             {"2.jpg", ""},
                             {"2.json", "{" + kTurns + "}"},
                             {"3.json", "7"},
                             {"4.json", "{"}});
  EXPECT_ERROR(file.read(0), place("1 (0): has no member 'json' and none 'txt'"));
  EXPECT_ERROR(file.read(1), place("2 (1)"));
  EXPECT_ERROR(file.read(1), "1 place");
  EXPECT_ERROR(file.read(2), place("3 (2), images[0]: holds no bytes"));
  EXPECT_ERROR(file.read(3), place("4 (3), json: is an integer, expected an object or a list of messages"));
  EXPECT_ERROR(file.read(4), place("5 (4), json"));
}

TEST_F(TarRecordsTest, AreKeptByTheirJson) {
  const auto path = folder_.write("a.tar", tar_of({{"0.json", "{\"n\": 1, " + kTurns + "}"},
                                                   {"0.jpg", "J"},
                                                   {"1.json", "{\"n\": 2, " + kTurns + "}"},
                                                   {"1.jpg", "K"}}));
  const RecordFile file(path, {}, nullptr, Keep("n > 1"));
  ASSERT_EQ(file.size(), 1);
  EXPECT_EQ(file.read(0).id, "1");
}

}  // namespace
}  // namespace tar_records_test
}  // namespace vlsi
