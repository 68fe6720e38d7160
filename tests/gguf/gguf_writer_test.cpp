// GGUF files: byte for byte those of llama.cpp's own writer, whole or not there, and never with numbers that are none.
#include "gguf/gguf_writer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/atomic_file.h"
#include "tests/support/errors.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/files.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

GgufTensor tensor_of(const std::string& name, const std::string& type, const at::Tensor& values) {
  return {name, values.sizes().vec(), &tensor_type(type), [values] { return values; }};
}

class GgufFiles : public testing::Test {
 protected:
  fs::path path() const { return folder_ / "file.gguf"; }
  void expect_refusal(const GgufTensor& tensor, const std::vector<std::string>& parts) const {
    expect_error([&] { write_gguf(path(), {}, {tensor_of("fine", "f32", at::ones({2})), tensor}); }, parts);
    EXPECT_TRUE(fs::is_empty(folder_.path()));
  }
  Folder folder_;
};

TEST_F(GgufFiles, AreThoseOfLlamaCppsWriter) {
  const std::vector<GgufEntry> entries{{"general.architecture", std::string("qwen2vl")},
                                       {"a.flag", true},
                                       {"a.negative", int32_t{-3}},
                                       {"a.count", uint32_t{7}},
                                       {"a.number", 0.5F},
                                       {"a.text", std::string("größer")},
                                       {"a.flags", std::vector<bool>{true, false, true}},
                                       {"a.integers", std::vector<int32_t>{2, 1, 1, 0}},
                                       {"a.numbers", std::vector<float>{0.25F, -1.5F}},
                                       {"a.texts", std::vector<std::string>{"Ġthe", "", "x"}}};
  const auto values = at::arange(96, at::kFloat).view({3, 32}) / 8 - 5;
  write_gguf(path(), entries,
             {tensor_of("one", "f32", values[0].narrow(0, 0, 5)), tensor_of("two", "f16", values),
              tensor_of("of.Q8_0", "q8_0", values), tensor_of("of.Q4_0", "q4_0", values),
              tensor_of("of.BF16", "bf16", values.to(at::kDouble)),
              tensor_of("four", "f32", at::arange(24, at::kFloat).view({2, 3, 2, 2}))});
  EXPECT_TRUE(content_of(path()) == content_of(fs::path(VLSI_TEST_DATA) / "gguf/small.gguf"));
}

TEST_F(GgufFiles, RefuseWhatTheTypeCannotHold) {
  expect_refusal(tensor_of("blk.0.attn_q.weight", "q8_0", at::full({2, 32}, std::nan(""))),
                 {path().string(), "blk.0.attn_q.weight", "nan", "q8_0"});
  expect_refusal(tensor_of("output.weight", "f16", at::full({2, 2}, 7e4)), {"output.weight", "70000", "65504", "f16"});
  expect_refusal(tensor_of("output.weight", "q4_0", at::full({1, 32}, -6e5)), {"output.weight", "600000", "q4_0"});
  expect_refusal(tensor_of("output.weight", "bf16", at::full({2, 2}, INFINITY)), {"output.weight", "inf", "bf16"});
}

TEST_F(GgufFiles, AppearWholeOrNotAtAll) {
  write_text(path(), "earlier");
  const FileSizeLimit limit(2000);
  expect_error([&] { write_gguf(path(), {}, {tensor_of("a", "f32", at::ones({1000}))}); },
               {path().string(), "File too large"});
  EXPECT_EQ(content_of(path()), "earlier");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 1);
}

TEST_F(GgufFiles, AreWrittenATensorAtATime) {
  int alive = 0, most = 0;
  const auto make = [&] {
    most = std::max(most, ++alive);
    return at::from_blob(new float[64]{}, {2, 32}, [&](void* data) {
      delete[] static_cast<float*>(data);
      --alive;
    });
  };
  std::vector<GgufTensor> tensors;
  for (const char* name : {"a", "b", "c"}) tensors.push_back({name, {2, 32}, &tensor_type("q4_0"), make});
  write_gguf(path(), {}, tensors);
  EXPECT_EQ(most, 1);
}

}  // namespace
}  // namespace vlsi
