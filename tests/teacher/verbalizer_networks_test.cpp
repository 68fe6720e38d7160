// The architectures of a verbalizer: names and sizes.
#include "teacher/verbalizer_networks.h"

#include <gtest/gtest.h>

#include <map>

namespace vlsi {
namespace {

TextConfig sizes(int64_t width, int64_t ffn_width, int64_t heads, int64_t key_heads) {
  TextConfig config;
  config.hidden_size = width;
  config.intermediate_size = ffn_width;
  config.num_attention_heads = heads;
  config.num_key_value_heads = key_heads;
  return config;
}

/// The paper's Table 4 (f) counts the verbalizers of the 7B model's seven target layers.
TEST(VerbalizerNetwork, HasThePapersNumberOfParametersFor7B) {
  const auto config = sizes(3584, 18944, 28, 4);
  const auto millions = [&](VerbalizerArchitecture architecture) {
    return 7 * static_cast<double>(num_parameters(architecture, config)) / 1e6;
  };
  // Each rounded as it is printed there: to a million (539M is 2 · 269.7 cut off), or to a tenth of a billion.
  EXPECT_NEAR(millions(VerbalizerArchitecture::kVerbFfn), 269, 1);
  EXPECT_NEAR(millions(VerbalizerArchitecture::kVerbFfnX2), 539, 1);
  EXPECT_NEAR(millions(VerbalizerArchitecture::kFfn), 1400, 50);
  EXPECT_NEAR(millions(VerbalizerArchitecture::kFfnX2), 2900, 50);
  EXPECT_NEAR(millions(VerbalizerArchitecture::kDecoder), 1600, 50);
  EXPECT_NEAR(millions(VerbalizerArchitecture::kDecoderX2), 3300, 50);
  EXPECT_NEAR(millions(VerbalizerArchitecture::kMlp), 90, 0.5);
  EXPECT_NEAR(millions(VerbalizerArchitecture::kMlpX2), 180, 0.5);
}

TEST(VerbalizerNetwork, HasAsManyParametersAsItSays) {
  const auto config = sizes(16, 40, 4, 2);
  ASSERT_EQ(verbalizer_architectures().size(), 8U);
  for (const auto& [name, architecture] : verbalizer_architectures()) {
    EXPECT_EQ(name_of(architecture), name);
    int64_t found = 0;
    for (const auto& block : make_blocks({architecture, false, false}, config)) {
      for (const auto& [parameter, value] : block->named_parameters()) found += value.numel();
    }
    EXPECT_EQ(found, num_parameters(architecture, config)) << name;
  }
}

TEST(VerbalizerNetwork, ReadsAllTokensOnlyWhereItAttends) {
  for (const auto& [name, architecture] : verbalizer_architectures()) {
    EXPECT_EQ(reads_all_tokens(architecture), name.starts_with("decoder")) << name;
  }
}

}  // namespace
}  // namespace vlsi
