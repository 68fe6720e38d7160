// The types of GGUF's tensors: byte for byte what llama.cpp's own package makes of the same numbers.
#include "gguf/tensor_type.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "base/json.h"

namespace vlsi {
namespace {

std::string bytes_of(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

class TensorTypes : public testing::TestWithParam<const char*> {};

TEST_P(TensorTypes, EncodeAsLlamaCppDoes) {
  const auto fixture = read_json(std::filesystem::path(VLSI_TEST_DATA) / "gguf/encoded.json");
  const auto stored = bytes_of(fixture.at("values"));
  std::vector<float> values(stored.size() / sizeof(float));
  std::memcpy(values.data(), stored.data(), stored.size());
  const auto& type = tensor_type(GetParam());
  const auto expected = bytes_of(fixture.at(GetParam()));
  const auto num_blocks = static_cast<int64_t>(values.size()) / type.block_values;
  ASSERT_EQ(static_cast<int64_t>(expected.size()), num_blocks * type.block_bytes);
  std::string block(static_cast<size_t>(type.block_bytes), '\0');
  for (int64_t i = 0; i < num_blocks; ++i) {
    type.encode(values.data() + i * type.block_values, reinterpret_cast<std::byte*>(block.data()));
    EXPECT_EQ(block, expected.substr(static_cast<size_t>(i) * block.size(), block.size())) << "block " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(All, TensorTypes, testing::Values("f16", "bf16", "q8_0", "q4_0", "f32"),
                         [](const auto& name) { return std::string(name.param); });

TEST(TensorTypeTable, BeginsWithWhatIsWrittenUnlessToldOtherwise) {
  EXPECT_EQ(tensor_types().names(), "f16, bf16, q8_0, q4_0, f32");
}

}  // namespace
}  // namespace vlsi
