#include "data/tar_file.h"

#include <gtest/gtest.h>

#include "tests/data/data_files.h"
#include "tests/data/tar_writer.h"

namespace vlsi {
namespace tar_file_test {
namespace {

std::vector<std::string> suffixes_of(const TarFile::Sample& sample) {
  std::vector<std::string> suffixes;
  for (const auto& member : sample.members) suffixes.push_back(member.suffix);
  return suffixes;
}

TEST(TarFile, GroupsMembersByTheirKeys) {
  const Folder folder;
  const std::string large(70'000, 'x');
  const TarFile tar(folder.write("a.tar", tar_member("./", "", '5') + tar_member("./__meta__.json", "{}") +
                                              tar_member("./0.jpg", large) + tar_member("./0.json", "{}") +
                                              tar_member("b.c/1.seg.png", "p") + tar_member("b.c/1.json", "") +
                                              tar_member("README", "no sample") + tar_member("b.c/.hidden", "h") +
                                              tar_member("2.txt", "last") + kTarEnd + kTarEnd));
  ASSERT_EQ(tar.size(), 3);
  EXPECT_EQ(tar.sample(0).key, "0");
  EXPECT_EQ(suffixes_of(tar.sample(0)), (std::vector<std::string>{"jpg", "json"}));
  EXPECT_EQ(tar.sample(0).members[0].bytes, large);
  EXPECT_EQ(tar.sample(1).key, "b.c/1");
  EXPECT_EQ(suffixes_of(tar.sample(1)), (std::vector<std::string>{"seg.png", "json"}));
  EXPECT_EQ(tar.sample(1).members[0].bytes, "p");
  EXPECT_EQ(tar.sample(1).find("json")->bytes, "");
  EXPECT_EQ(tar.sample(2).find("txt")->bytes, "last");
  EXPECT_EQ(tar.sample(2).find("jpg"), nullptr);
  EXPECT_EQ(tar.place(1), (folder / "a.tar").string() + ", sample 2 (b.c/1)");
  tar.give_back(0);
  EXPECT_EQ(tar.sample(0).members[0].bytes, large);
}

TEST(TarFile, ReadsLongNamesOfPosixAndGnu) {
  for (const char* form : {"ustar", "pax", "gnu"}) {
    SCOPED_TRACE(form);
    const TarFile tar(std::string(VLSI_TEST_DATA) + "/tar/" + form + ".tar");
    ASSERT_EQ(tar.size(), 3);
    EXPECT_EQ(tar.sample(0).key, "folder/" + std::string(60, 'a') + "/" + std::string(80, 'b'));
    EXPECT_EQ(tar.sample(0).find("json")->bytes, "{\"n\": 0}");
    EXPECT_EQ(tar.sample(1).find("txt")->bytes, "one");
    EXPECT_EQ(tar.sample(2).key, "größe");
    EXPECT_EQ(tar.sample(2).find("txt")->bytes, std::string(1000, 'z'));
  }
}

TEST(TarFile, HasStretchesOfMembersThatAreReadTogether) {
  const Folder folder;
  const TarFile tar(folder.write("a.tar", tar_of({{"0.txt", "a"}, {"1.txt", "b"}})));
  const auto stretches = tar.stretches();
  ASSERT_EQ(stretches.size(), 1u);
  EXPECT_EQ(stretches[0].end, 2);
  EXPECT_EQ(stretches[0].num_bytes, 4 * 512);
}

TEST(TarFile, IsKnownByItsMembers) {
  const Folder folder;
  const auto sum = [&](const std::string& name, const std::string& text) {
    return TarFile(folder.write("a.tar", tar_of({{name, text}}))).checksum();
  };
  EXPECT_EQ(sum("0.txt", "one"), sum("0.txt", "one"));
  EXPECT_NE(sum("0.txt", "one"), sum("1.txt", "one"));
  EXPECT_NE(sum("0.txt", "one"), sum("0.txt", "three"));
}

void expect_refused(const std::string& bytes, const std::string& part) {
  const Folder folder;
  const auto path = folder.write("bad.tar", bytes);
  EXPECT_ERROR(TarFile{path}, part);
  EXPECT_ERROR(TarFile{path}, path.string());
}

TEST(TarFile, RefusesOneThatIsCutOff) {
  const std::string first = tar_member("0.jpg", std::string(700, 'x')), second = tar_member("0.json", "{}");
  for (const size_t size : {first.size() + 100, first.size() + 513, size_t{600}, size_t{1200}, size_t{300}}) {
    SCOPED_TRACE(size);
    const Folder folder;
    EXPECT_ERROR(TarFile(folder.write("bad.tar", (first + second).substr(0, size))), (folder / "bad.tar").string());
  }
  expect_refused(first + second, "it is cut off");
  expect_refused(first, "it is cut off");
  expect_refused(first + second + std::string(512, '\0'), "it is cut off");
  expect_refused("", "the file is empty");
}

TEST(TarFile, RefusesWhatIsNoTarOrSeveral) {
  expect_refused(std::string(2000, 'x'), "cannot be read as a tar");
  expect_refused(tar_of({{"0.txt", "a"}}) + tar_of({{"1.txt", "b"}}), "something stands behind its end, at byte 2048");
  expect_refused(kTarEnd, "holds no samples");
  expect_refused(tar_of({{"README", "a"}}), "holds no samples");
}

TEST(TarFile, RefusesNamesThatLeadOutside) {
  expect_refused(tar_of({{"/etc/0.txt", "a"}}), "member '/etc/0.txt' (byte 0): has an absolute name");
  expect_refused(tar_of({{"0.txt", "a"}, {"../1.txt", "a"}}), "member '../1.txt' (byte 1024): has '..' in its name");
  expect_refused(tar_of({{"a/../1.txt", "a"}}), "has '..' in its name");
}

TEST(TarFile, RefusesLinksAndDevices) {
  expect_refused(tar_member("0.jpg", "", '2', "/etc/passwd") + kTarEnd, "member '0.jpg' (byte 0): is a link");
  expect_refused(tar_member("0.txt", "a") + tar_member("1.txt", "", '1', "0.txt") + kTarEnd, "is a link");
  expect_refused(tar_member("0.txt", "", '6') + kTarEnd, "is no file");
}

TEST(TarFile, RefusesTwoMembersOfAName) {
  expect_refused(tar_of({{"0.txt", "a"}, {"0.json", "{}"}, {"0.txt", "b"}}),
                 "member '0.txt' (byte 2048): is there twice");
  expect_refused(tar_of({{"0.txt", "a"}, {"1.txt", "b"}, {"0.json", "b"}}), "sample 3 (0): sample 1 has this key, too");
}

}  // namespace
}  // namespace tar_file_test
}  // namespace vlsi
