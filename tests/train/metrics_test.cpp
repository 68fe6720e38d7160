// Means over answer positions, and the file they are logged to.
#include "train/metrics.h"

#include <ATen/ATen.h>
#include <signal.h>
#include <sys/resource.h>

#include <cmath>

#include "tests/train/run_folder.h"

namespace vlsi {
namespace {

using namespace train_test;

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
  EXPECT_EQ(content_of(folder / "metrics.jsonl"), "{\"a\":1}\n{\"a\":2}\n{\"a\":") << "a start that fails must not have harmed them";
  file.append({{"a", 9}});
  EXPECT_EQ(content_of(folder / "metrics.jsonl"), "{\"a\":1}\n{\"a\":9}\n");
}

/// Appends a line, and one that a file of 20 bytes has no room for; ends the process with 0 where that is an Error.
[[noreturn]] void append_to_a_full_disk(const fs::path& path) {
  MetricsFile file(path, 0);
  file.append({{"a", 1}});
  const rlimit limit{20, 20};
  ::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &limit);
  try {
    file.append({{"a", std::string(20, 'x')}});
  } catch (const Error& error) {
    ::_exit(error.what() == "writing metrics to " + path.string() + ": File too large" ? 0 : 1);
  }
  ::_exit(2);
}

TEST(MetricsFile, LeavesNoHalfLineOnAFullDisk) {
  const Folder folder;
  EXPECT_EXIT(append_to_a_full_disk(folder / "metrics.jsonl"), testing::ExitedWithCode(0), "");
  EXPECT_EQ(content_of(folder / "metrics.jsonl"), "{\"a\":1}\n");
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
