// Folders of records: what is kept comes back to the last bit, and damage is told from it.
#include "base/record_shards.h"

#include <ATen/ATen.h>

#include <cstring>
#include <functional>
#include <map>

#include "base/checksum.h"
#include "base/safetensors.h"
#include "tests/support/errors.h"
#include "tests/support/files.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kLarge = 1 << 20;

RecordFormat test_format(std::string origin = "an origin") {
  return {.prefix = "part-",
          .what = "test records",
          .record = "thing",
          .remedy = "remove it",
          .origin = std::move(origin),
          .other_origin = "it is of another origin",
          .values = {{"rows", at::kHalf, {2, 3}}, {"numbers", at::kFloat, {}}}};
}

/// The values of a record of 1 + key % 3 rows.
std::vector<at::Tensor> values_of(uint64_t key) {
  const auto n = static_cast<int64_t>(1 + key % 3), first = static_cast<int64_t>(key % 100);
  return {(at::arange(n * 6) + first).view({n, 2, 3}).to(at::kHalf), (at::arange(n) - first).to(at::kFloat)};
}

void add(RecordShards& records, uint64_t key) {
  const auto values = values_of(key);
  records.make_room(values[0].size(0));
  EXPECT_TRUE(records.add(key, concat("id ", key), values));
}

void expect_values(RecordShards& records, uint64_t key) {
  const auto found = records.find(key);
  ASSERT_TRUE(found) << key;
  const auto expected = values_of(key);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(found->at(i).equal(expected[i])) << key;
}

TEST(RecordShards, FindWhatIsPendingWrittenAndOfAnEarlierTime) {
  const Folder folder;
  const std::vector<uint64_t> keys{0, 1, 2, uint64_t{5} << 60, UINT64_MAX, 1001};
  {
    RecordShards records(folder.path(), test_format(), 5 * test_format().bytes_per_row());
    EXPECT_FALSE(records.find(0));
    for (const auto key : keys) {
      add(records, key);
      for (const auto other : keys) {
        if (records.has(other)) expect_values(records, other);
      }
    }
    EXPECT_FALSE(records.add(1, "again", values_of(1)));
    EXPECT_EQ(records.num_records(), 6);
    EXPECT_GT(records.num_pending(), 0);
    EXPECT_EQ(records.num_shards(), 3) << "of 1 + 2, 3 and 3 + 1 rows: 3 more do not fit";
    records.write_pending();
    EXPECT_EQ(records.num_pending(), 0);
  }
  RecordShards records(folder.path(), test_format());
  EXPECT_EQ(records.num_records(), 6);
  EXPECT_EQ(records.num_shards(), 4);
  for (const auto key : keys) expect_values(records, key);
  EXPECT_TRUE(records.has_id("id 1001"));
  EXPECT_FALSE(records.has_id("id 100"));
  EXPECT_FALSE(records.has(7));
  EXPECT_NO_THROW(records.read_ahead(7));
  EXPECT_NO_THROW(records.read_ahead(2));
}

TEST(RecordShards, HoldWhatRoomWasMadeForInOneFile) {
  const Folder folder;
  RecordShards records(folder.path(), test_format(), 1);
  records.make_room(5);
  records.add(1, "", values_of(1));
  records.add(2, "", values_of(2));
  EXPECT_EQ(records.num_shards(), 0);
  records.make_room(1);
  EXPECT_EQ(records.num_shards(), 1);
  EXPECT_EQ(records.num_rows(), 5);
}

TEST(RecordShards, TakeRoomForWhatIsThereAndNotForAWholeShard) {
  const Folder folder;
  constexpr int64_t kManyRows = 100'000;  // more than the first room has
  const std::vector<at::Tensor> many{at::ones({kManyRows, 2, 3}, at::kHalf), at::arange(kManyRows).to(at::kFloat)};
  {
    RecordShards records(folder.path(), test_format(), int64_t{1} << 60);
    for (const uint64_t key : {0, 1, 2}) add(records, key);
    records.make_room(kManyRows);
    records.add(7, "many", many);
    add(records, 5);
    EXPECT_EQ(records.num_shards(), 0);
    for (const uint64_t key : {0, 1, 2, 5}) expect_values(records, key);
    records.write_pending();
  }
  RecordShards records(folder.path(), test_format());
  EXPECT_EQ(records.num_shards(), 1);
  for (const uint64_t key : {0, 1, 2, 5}) expect_values(records, key);
  EXPECT_TRUE(records.find(7)->at(1).equal(many[1]));
}

TEST(RecordShards, TakeTheFirstFreeNumber) {
  const Folder folder;
  EXPECT_EQ(shard_path("c", "part-", 7), fs::path("c/part-00007.safetensors"));
  const auto write = [&](uint64_t key) {
    RecordShards records(folder.path(), test_format(), kLarge);
    add(records, key);
    records.write_pending();
  };
  for (const uint64_t key : {0, 1, 2}) write(key);
  const auto path = shard_path(folder.path(), "part-", 1);
  const auto before = content_of(path);
  fs::remove(path);
  EXPECT_EQ(RecordShards(folder.path(), test_format()).next_path(), path);
  write(1);
  EXPECT_TRUE(content_of(path) == before);
  for (const char* other :
       {"part-.safetensors", "part-7.safetensors.tmp-1-1", "part-x.safetensors", "part--7.safetensors",
        "part-99999999999999999999.safetensors", "shard-00001.safetensors"}) {
    write_text(folder / other, "no shard");
  }
  write_text(folder / "part-1234567.safetensors", "one");
  const auto found = find_shards(folder.path(), "part-");
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found.back(), folder / "part-1234567.safetensors");
}

/// A shard of five records, to be written with something changed.
class DamagedShard : public testing::Test {
 protected:
  DamagedShard() {
    RecordShards records(folder_.path(), test_format(), kLarge);
    for (uint64_t key = 0; key < 5; ++key) add(records, key);
    records.write_pending();
    whole_ = content_of(path_);
    const auto file = SafetensorsFile::open(path_);
    metadata_ = file->metadata();
    for (const auto& [name, info] : file->tensors()) {
      tensors_[name] = file->tensor(name).clone();
      begins_[name] = info.begin;
    }
  }

  using Tensors = std::map<std::string, at::Tensor>;

  void expect_refusal(const std::function<void(Tensors&)>& change, const std::string& problem) {
    auto changed = tensors_;
    change(changed);
    write_safetensors(path_, {changed.begin(), changed.end()}, metadata_);
    expect_error([&] { RecordShards(folder_.path(), test_format()); },
                 {"reading test records " + path_.string() + ": " + problem, "; remove it"});
  }

  /// Writes the shard with the checksum that belongs to the changed index.
  void write_with(const std::function<void(Tensors&)>& change) {
    Tensors changed;
    for (const auto& [name, tensor] : tensors_) changed[name] = tensor.clone();
    change(changed);
    Checksum checksum;
    for (const char* name : {"keys", "checksums", "starts", "id_starts", "ids"}) {
      const auto& tensor = changed.at(name);
      checksum.update({static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()});
    }
    auto metadata = metadata_;
    metadata["index"] = hexadecimal(checksum.value());
    write_safetensors(path_, {changed.begin(), changed.end()}, metadata);
  }

  void expect_refusal_of_index(const std::function<void(Tensors&)>& change, const std::string& problem) {
    write_with(change);
    expect_error([&] { RecordShards(folder_.path(), test_format()); }, {path_.string() + ": " + problem});
  }

  Folder folder_;
  fs::path path_ = shard_path(folder_.path(), "part-", 0);
  std::map<std::string, at::Tensor> tensors_;
  std::map<std::string, uint64_t> begins_;
  std::map<std::string, std::string> metadata_;
  std::string whole_;
};

TEST_F(DamagedShard, IsRefusedWithTensorsOfOtherNamesAndShapes) {
  expect_refusal([](auto& t) { t.erase("numbers"); }, "missing tensor numbers");
  expect_refusal([](auto& t) { t["rows"] = t["rows"].to(at::kBFloat16); },
                 "tensor rows is BFloat16 [9, 2, 3], expected Half [-1, 2, 3] (-1: any)");
  expect_refusal([](auto& t) { t["rows"] = t["rows"].narrow(2, 0, 2); }, "tensor rows is Half [9, 2, 2], expected");
  expect_refusal([](auto& t) { t["numbers"] = t["numbers"].narrow(0, 1, 2); }, "tensor numbers is Float [2]");
  expect_refusal([](auto& t) { t["starts"] = t["starts"].narrow(0, 0, 3); }, "tensor starts is Long [3]");
}

TEST_F(DamagedShard, IsRefusedWithADamagedIndex) {
  const std::string problem = "the checksum of its index is wrong: the shard is damaged";
  expect_refusal([](auto& t) { t["starts"] = t["starts"] + 1; }, problem);
  expect_refusal([](auto& t) { t["ids"] = t["ids"] + 1; }, problem);
  expect_refusal_of_index([](auto& t) { t["starts"][1] = 0; }, "starts does not rise from 0 to 9");
  expect_refusal_of_index([](auto& t) { t["starts"][0] = 1; }, "starts does not rise");
  expect_refusal_of_index([](auto& t) { t["starts"][5] += 1; }, "starts does not rise");
  expect_refusal_of_index([](auto& t) { t["id_starts"][2] = 100; }, "id_starts does not rise from 0 to 20");
}

TEST_F(DamagedShard, IsRefusedWhereItIsOfAnotherOrigin) {
  expect_error([&] { RecordShards(folder_.path(), test_format("another")); },
               {path_.string(), "it is of another origin; remove it"});
}

TEST_F(DamagedShard, IsRefusedWhereItWouldHaveToBeCopied) {
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, whole_.data(), sizeof(header_bytes));
  whole_.insert(8 + header_bytes, " ");
  ++header_bytes;
  std::memcpy(whole_.data(), &header_bytes, sizeof(header_bytes));
  write_text(path_, whole_);
  expect_error([&] { RecordShards(folder_.path(), test_format()); }, {path_.string(), "not aligned"});
}

TEST_F(DamagedShard, IsRefusedWhereItIsCutOff) {
  for (const size_t size : {size_t{0}, size_t{4}, whole_.size() / 2, whole_.size() - 1}) {
    write_text(path_, whole_.substr(0, size));
    expect_error([&] { RecordShards(folder_.path(), test_format()); }, {path_.string()});
  }
}

TEST_F(DamagedShard, IsRefusedWhenADamagedRecordIsRead) {
  for (const char* name : {"rows", "numbers"}) {
    auto damaged = whole_;
    damaged[begins_.at(name) + 1] ^= 1;  // of the first record
    write_text(path_, damaged);
    RecordShards records(folder_.path(), test_format());
    expect_values(records, 1);
    expect_error([&] { records.find(0); }, {path_.string(), "the record of thing 'id 0' is damaged; remove it"});
  }
}

TEST_F(DamagedShard, IsRefusedWhereRecordsChangedPlaces) {
  // Records 0 and 3 have one row each.
  write_with([](auto& t) {
    for (const char* name : {"rows", "numbers"}) {
      const auto first = t[name][0].clone();
      t[name][0].copy_(t[name][6]);
      t[name][6].copy_(first);
    }
    auto* checksums = t["checksums"].template mutable_data_ptr<uint64_t>();
    std::swap(checksums[0], checksums[3]);
  });
  RecordShards records(folder_.path(), test_format());
  expect_values(records, 1);
  expect_error([&] { records.find(3); }, {path_.string(), "thing 'id 3' is damaged"});
}

}  // namespace
}  // namespace vlsi
