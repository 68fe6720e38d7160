#include "data/json_records.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>

#include "data/dataset.h"
#include "tests/data/data_files.h"

namespace vlsi {
namespace {

TEST(Dataset, ReadsAnArray) {
  const Folder folder;
  const auto path = folder.write("a.json", "\xEF\xBB\xBF\n[\n" + record("one", R"("id": "x",)") + ",\n\n  " +
                                               record("<image>\\ntwo", R"("image": "p/q.jpg",)") + "\n ]\n");
  const RecordFile file(path);
  ASSERT_EQ(file.size(), 2);
  EXPECT_EQ(file.read(0).id, "x");
  EXPECT_EQ(file.read(1).id, "2");
  EXPECT_EQ(file.read(1).turns[0].contents[0].image, folder.path() / "p/q.jpg");
  EXPECT_EQ(file.place(0), path.string() + ", record 1 (line 3)");
  EXPECT_EQ(file.place(1), path.string() + ", record 2 (line 5)");
  EXPECT_EQ(RecordFile(path, "/pictures").read(1).turns[0].contents[0].image, "/pictures/p/q.jpg");
}

TEST(Dataset, ReadsLines) {
  const Folder folder;
  const auto path = folder.write(
      "a.jsonl", "\xEF\xBB\xBF" + record("one") + "\r\n\n  \t\r\n " + record("two") + "\n" + record("three"));
  const RecordFile file(path);
  ASSERT_EQ(file.size(), 3);
  EXPECT_EQ(file.read(1).turns[0].contents[0].text, "two");
  EXPECT_EQ(file.read(2).turns[0].contents[0].text, "three");
  EXPECT_EQ(file.place(1), path.string() + ", record 2 (line 4)");
  EXPECT_EQ(file.place(2), path.string() + ", record 3 (line 5)");
}

TEST(Dataset, FindsRecordsAroundStringsEscapesAndNesting) {
  const Folder folder;
  const std::vector<std::string> records{R"({"a": "}],[{"})",
                                         R"({"a": "\\"})",
                                         R"({"a": "\"}, {\\\""})",
                                         R"({"a": {"b": [{"c": [[]]}, "]"]}})",
                                         R"({})",
                                         R"({"": ""})",
                                         R"({"a": "\\\\", "b": "\\\\\""})",
                                         "{\n\"a\"\n:\n[1,2]\n}"};
  std::string text = "[";
  for (const auto& record : records) text += (text.size() > 1 ? " , " : "") + record;
  const RecordFile file(folder.write("a.json", text + "]"));
  ASSERT_EQ(file.size(), std::ssize(records));
  for (size_t i = 0; i < records.size(); ++i) EXPECT_EQ(file.json(i), Json::parse(records[i])) << records[i];
}

TEST(Dataset, RefusesFilesThatHoldNoRecords) {
  const Folder folder;
  const auto expect = [&](const std::string& text, const std::string& part) {
    const auto path = folder.write("bad.json", text);
    EXPECT_ERROR(RecordFile{path}, part);
    EXPECT_ERROR(RecordFile{path}, path.string());
  };
  expect("", "the file is empty");
  expect("\xEF\xBB\xBF", "only blank lines");
  expect(" \n\n", "only blank lines");
  expect("[ ]", "the array is empty");
  expect("hello", "line 1 (byte 0): found 'h', expected '['");
  expect("\n\n\x01", "line 3 (byte 2): found byte 0x01");
  expect("{\n  \"data\": []\n}\n", "line 2 (byte 4): found '\"', expected '{' of the next record");
  expect("{\n}", "line 2 (byte 2)");
  expect("[\n1]", "line 2 (byte 2): found '1', expected '{'");
  expect("[[{}]]", "(byte 1): found '['");
  expect("[", "found the end of the file, expected '{'");
  expect("[{}", "found the end of the file, expected ',' or ']'");
  expect("[{}\n{}]", "line 2 (byte 4): found '{', expected ',' or ']'");
  expect("[{},]", "found ']', expected '{'");
  expect("[{}, x {}]", "(byte 5): found 'x'");
  expect("[{}]\n[", "line 2 (byte 5): found '[', expected nothing");
  expect("[{\"a\": 1},\n{\"a\": [1, 2", "line 2 (byte 11): the file ends inside record 2");
  expect("[{\"a\": \"b\\\"}]", "the file ends inside record 1");
  EXPECT_THROW(RecordFile(folder.path() / "missing.json"), Error);
}

TEST(Dataset, NamesTheListInsideOfAnObject) {
  const Folder folder;
  const std::string expected =
      "a.json: is an object with a list of 1 objects under 'data', expected an array of records";
  for (const char* text :
       {R"({"version": 1, "data": [{"question": "Q"}]})", "{\n \"data\": [\n  {\"question\": \"Q\"}]\n}\n"}) {
    EXPECT_ERROR(RecordFile(folder.write("a.json", text)), expected);
  }
  EXPECT_EQ(RecordFile(folder.write("a.jsonl", record("Q", R"("data": [{"x": 1}],)"))).size(), 1);
  EXPECT_EQ(RecordFile(folder.write("a.jsonl", "{\"data\": [{\"x\": 1}]}\n" + record("Q"))).size(), 2);
}

TEST(Dataset, KeepsABadLineToItself) {
  const Folder folder;
  const auto path = folder.write("a.jsonl", record("one") + "\n" + R"({"id": 3, "conv)" + "\n" + record("b\xFF") +
                                                "\nnot JSON\n" + R"({"id": 1, "id": 2})" + "\n" + record("two"));
  const RecordFile file(path);
  ASSERT_EQ(file.size(), 6);
  EXPECT_NO_THROW(file.read(0));
  for (int bad = 1; bad < 5; ++bad) {
    EXPECT_ERROR(file.read(bad), concat(path.string(), ", record ", bad + 1, " (line ", bad + 1, ")"));
    EXPECT_ERROR(file.json(bad), concat(path.string(), ", record ", bad + 1, " (line ", bad + 1, ")"));
  }
  EXPECT_NO_THROW(file.read(5));
}

TEST(Dataset, ReadsLinesThatAreCutOffFromTheFirstOn) {
  const Folder folder;
  const RecordFile file(folder.write("a.jsonl", "{\"id\": 1,\n" + record("two")));
  ASSERT_EQ(file.size(), 2);
  EXPECT_ERROR(file.read(0), "record 1 (line 1)");
  EXPECT_NO_THROW(file.read(1));
}

TEST(Dataset, NamesTheRecordOfWrongContent) {
  const Folder folder;
  const auto path =
      folder.write("a.json", "[" + record("one") + ",\n" + R"({"conversations": [{"from": "bot", "value": ""}]}])");
  EXPECT_ERROR(RecordFile(path).read(1), path.string() + ", record 2 (line 2), conversations[0].from: role 'bot'");
}

TEST(Dataset, AsksForAnswersUnlessTold) {
  const Folder folder;
  const RecordFile file(folder.write("a.jsonl", R"({"messages": [{"role": "user", "content": "Q"}]})"));
  EXPECT_ERROR(file.read(0), "has no answer");
  EXPECT_EQ(file.read(0, false).turns.size(), 1u);
}

TEST(Dataset, IndexesAMillionRecordsInEightMegabytes) {
  const Folder folder;
  constexpr int kNumRecords = 1'000'000;
  std::string text;
  for (int i = 0; i < kNumRecords; ++i) text += "{\"id\": " + std::to_string(i) + "}\n";
  const auto path = folder.write("a.jsonl", text);
  const auto allocated = [] {
    const auto info = mallinfo2();
    return static_cast<double>(info.uordblks + info.hblkhd);
  };
  const double before = allocated();
  const RecordFile file(path);
  // 8 bytes a record and a fixed rest; an allocator of another kind reports nothing here.
  EXPECT_LT(allocated() - before, 8.0 * kNumRecords + 100'000);
  ASSERT_EQ(file.size(), kNumRecords);
  for (const int record : {0, 1023, 1024, 1025, 777'777, kNumRecords - 1}) {
    EXPECT_EQ(file.json(record)["id"], record);
    EXPECT_EQ(file.place(record), concat(path.string(), ", record ", record + 1, " (line ", record + 1, ")"));
  }
}

TEST(Dataset, FindsLinesInALongArray) {
  const Folder folder;
  std::string text = "[\n";
  for (int i = 0; i < 5000; ++i) text += std::string(i ? ",\n" : "") + "{\n\"id\": " + std::to_string(i) + "}";
  const auto path = folder.write("a.json", text + "]");
  const RecordFile file(path);
  ASSERT_EQ(file.size(), 5000);
  for (const int record : {0, 1, 1023, 1024, 2049, 4999}) {
    EXPECT_EQ(file.json(record)["id"], record);
    EXPECT_EQ(file.place(record), concat(path.string(), ", record ", record + 1, " (line ", 2 * record + 2, ")"));
  }
}

}  // namespace
}  // namespace vlsi
