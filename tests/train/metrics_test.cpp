// Means over answer positions, and the file they are logged to.
#include "train/metrics.h"

#include <ATen/ATen.h>

#include <cmath>

#include "tests/support/errors.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/files.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

TEST(MetricSums, WeighByPositionsNotByBatches) {
  MetricSums sums;
  sums.add("loss", {at::scalar_tensor(6.0, at::kDouble), 3});
  sums.add("loss", {at::scalar_tensor(10.0, at::kDouble), 1});
  EXPECT_EQ(sums.means(), (OrderedJson{{"loss", 4.0}}));
}

TEST(MetricSums, KeepVectorsAndMatrices) {
  MetricSums sums;
  sums.add("row", {at::tensor({2.0, 4.0}), 2});
  sums.add("square", {at::tensor({1.0, 2.0, 3.0, 4.0}).view({2, 2}), 1});
  EXPECT_EQ(sums.means(), OrderedJson::parse(R"({"row": [1.0, 2.0], "square": [[1.0, 2.0], [3.0, 4.0]]})"));
}

TEST(MetricSums, SayNothingForWhatIsNotFiniteOrWasNotCounted) {
  MetricSums sums;
  sums.add("nothing", {at::scalar_tensor(0.0, at::kDouble), 0});
  sums.add("part", {at::tensor({1.0, std::nan("")}), 1});
  EXPECT_EQ(sums.means(), OrderedJson::parse(R"({"nothing": null, "part": [1.0, null]})"));
}

TEST(MetricSums, AddInDoubleWhateverTheType) {
  MetricSums sums;
  // In float32, 1e8 + 1 is 1e8.
  sums.add("x", {at::scalar_tensor(1e8f, at::kFloat), 1});
  sums.add("x", {at::scalar_tensor(1.0f, at::kFloat), 0});
  sums.add("x", {at::scalar_tensor(-1e8f, at::kFloat), 0});
  EXPECT_EQ(sums.means()["x"], 1.0);
}

TEST(MetricSums, OfSeveralRanksAddUpWithEveryBit) {
  MetricSums first, second, whole;
  for (auto* sums : {&first, &whole}) sums->add("loss", {at::scalar_tensor(0.1, at::kDouble), 3});
  for (auto* sums : {&second, &whole}) {
    sums->add("loss", {at::scalar_tensor(1.0 / 3, at::kDouble), 4});
    sums->add("square", {at::tensor({1.0, std::nan(""), 1e-300, 4.0}, at::kDouble).view({2, 2}), 7});
  }
  MetricSums gathered;
  for (const auto* sums : {&first, &second})
    gathered.add(OrderedJson::from_msgpack(OrderedJson::to_msgpack(sums->packed())));
  EXPECT_EQ(gathered.means(), whole.means());
}

TEST(MetricSums, DoNotHoldTheGraph) {
  const auto w = at::ones({}).requires_grad_();
  MetricSums sums;
  const auto loss = w * 2;
  sums.add("loss", {loss, 1});
  EXPECT_EQ(sums.means()["loss"], 2.0);
}

TEST(MetricsFile, AppendsWholeLines) {
  const Folder folder;
  MetricsFile file(folder / "metrics.jsonl", 0);
  file.append({{"iteration", 1}});
  EXPECT_EQ(content_of(folder / "metrics.jsonl"), "{\"iteration\":1}\n");
  EXPECT_EQ(file.size_bytes(), 16);
  file.append({{"iteration", 2}});
  file.sync();
  EXPECT_EQ(content_of(folder / "metrics.jsonl"), "{\"iteration\":1}\n{\"iteration\":2}\n");
}

TEST(MetricsFile, ContinuesBehindWhatIsKept) {
  const Folder folder;
  write_text(folder / "metrics.jsonl", "{\"a\":1}\n{\"a\":2}\n{\"a\":");
  MetricsFile file(folder / "metrics.jsonl", 8);
  EXPECT_EQ(file.size_bytes(), 8);
  EXPECT_EQ(content_of(folder / "metrics.jsonl"), "{\"a\":1}\n{\"a\":2}\n{\"a\":")
      << "a start that fails must not have harmed them";
  file.append({{"a", 9}});
  EXPECT_EQ(content_of(folder / "metrics.jsonl"), "{\"a\":1}\n{\"a\":9}\n");
}

TEST(MetricsFile, LeavesNoHalfLineOnAFullDisk) {
  const Folder folder;
  MetricsFile file(folder / "metrics.jsonl", 0);
  file.append({{"a", 1}});
  {
    const FileSizeLimit limit(20);
    expect_error(
        [&] {
          file.append({{"a", std::string(20, 'x')}});
        },
        {"writing metrics to " + (folder / "metrics.jsonl").string() + ": File too large"});
  }
  EXPECT_EQ(content_of(folder / "metrics.jsonl"), "{\"a\":1}\n");
  file.append({{"a", 2}});
  EXPECT_EQ(content_of(folder / "metrics.jsonl"), "{\"a\":1}\n{\"a\":2}\n");
}

TEST(MetricsFile, RefusesAFileShorterThanTheCheckpointExpects) {
  const Folder folder;
  write_text(folder / "metrics.jsonl", "{}\n");
  expect_error([&] { MetricsFile(folder / "metrics.jsonl", 100); }, {"metrics.jsonl", "3 bytes", "100"});
  EXPECT_EQ(content_of(folder / "metrics.jsonl"), "{}\n");
}

TEST(MetricsFile, NamesAPlaceThatCannotBeWritten) {
  const Folder folder;
  expect_error([&] { MetricsFile(folder / "none/metrics.jsonl", 0); }, {"none/metrics.jsonl"});
}

}  // namespace
}  // namespace vlsi
