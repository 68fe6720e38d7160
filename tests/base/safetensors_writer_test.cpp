// Weights written a tensor at a time: one file where it fits, else shards and their index.
#include "base/safetensors_writer.h"

#include <ATen/ATen.h>

#include <functional>

#include "base/atomic_file.h"
#include "base/json.h"
#include "tests/support/errors.h"
#include "tests/support/files.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

class WriteCheckpoint : public testing::Test {
 protected:
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

  Folder own_;
  const fs::path folder_ = own_.path();
};

/// Ten float32 numbers of one value.
at::Tensor ten(char value) { return at::full({10}, static_cast<double>(value)); }

std::vector<TensorSource> four_tensors() {
  std::vector<TensorSource> sources;
  for (const char* name : {"d", "c", "b", "a"}) sources.push_back(source_of(name, ten(name[0])));
  return sources;  // 40 bytes each
}

TEST_F(WriteCheckpoint, WritesOneFileWhereItFits) {
  write_checkpoint(folder_, four_tensors(), 160);
  EXPECT_EQ(files(), std::vector<std::string>{"model.safetensors"});
  EXPECT_TRUE(Checkpoint::open(folder_).tensor("b").equal(ten('b')));
}

TEST(StreamSafetensors, MakesTensorsInTheOrderThatSortingGives) {
  std::vector<std::string> made;
  std::vector<TensorSource> sources;
  const std::vector<std::pair<const char*, at::ScalarType>> tensors{
      {"b", at::kBFloat16}, {"c", at::kFloat}, {"a", at::kLong}, {"a2", at::kFloat}, {"a1", at::kBFloat16}};
  for (const auto& [name, dtype] : tensors) {
    sources.push_back({name, dtype, {2}, [&made, name, dtype] {
                         made.push_back(name);
                         return at::zeros({2}, dtype);
                       }});
  }
  const auto path = fs::path(testing::TempDir()) / concat("order.", ::getpid(), ".safetensors");
  stream_safetensors(path, sources);
  fs::remove(path);
  sort_as_written(sources);
  std::vector<std::string> sorted;
  for (const auto& source : sources) sorted.push_back(source.name);
  EXPECT_EQ(made, sorted);
  EXPECT_EQ(sorted, (std::vector<std::string>{"a", "a2", "c", "a1", "b"}));
}

TEST_F(WriteCheckpoint, WritesShardsOfAtMostTheLimitInTheGivenOrder) {
  write_checkpoint(folder_, four_tensors(), 159);
  EXPECT_EQ(files(), (std::vector<std::string>{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                                               "model.safetensors.index.json"}));
  const auto index = read_json(folder_ / "model.safetensors.index.json");
  EXPECT_EQ(index["metadata"]["total_size"], 160);
  EXPECT_EQ(index["weight_map"], (Json{{"d", files()[0]}, {"c", files()[0]}, {"b", files()[0]}, {"a", files()[1]}}));
  const auto checkpoint = Checkpoint::open(folder_);
  for (const char* name : {"a", "b", "c", "d"}) EXPECT_TRUE(checkpoint.tensor(name).equal(ten(name[0])));
}

TEST_F(WriteCheckpoint, GivesATensorAboveTheLimitAShardOfItsOwn) {
  write_checkpoint(folder_, four_tensors(), 1);
  EXPECT_EQ(files().size(), 5U);
  EXPECT_EQ(Checkpoint::open(folder_).names().size(), 4U);
}

TEST_F(WriteCheckpoint, MakesOneTensorAtATime) {
  int alive = 0, most = 0;
  std::vector<TensorSource> sources;
  for (int i = 0; i < 6; ++i) {
    sources.push_back({std::to_string(i), at::kFloat, {100}, [&] {
                         most = std::max(most, ++alive);
                         auto values = std::make_shared<std::vector<float>>(100, 1.F);
                         return at::from_blob(values->data(), {100}, [&alive, values](void*) { --alive; });
                       }});
  }
  write_checkpoint(folder_, sources, 1000);
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(most, 1);
}

TEST_F(WriteCheckpoint, RefusesWhatTheDiskHasNoPlaceForBeforeMakingIt) {
  const std::vector<TensorSource> sources{
      {"a", at::kFloat, {int64_t{1} << 50}, []() -> at::Tensor { throw std::logic_error("made"); }}};
  const auto text = message_of([&] { write_checkpoint(folder_, sources); });
  EXPECT_NE(text.find("the weights take 4503599627370496 bytes, the disk has "), std::string::npos) << text;
  EXPECT_TRUE(files().empty());
}

}  // namespace
}  // namespace vlsi
