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
  const auto millions = [&](const char* network) {
    return 7 * static_cast<double>(num_parameters({ChosenNetwork(network)}, config)) / 1e6;
  };
  // Each rounded as it is printed there: to a million (539M is 2 · 269.7 cut off), or to a tenth of a billion.
  EXPECT_NEAR(millions("verb_ffn"), 269, 1);
  EXPECT_NEAR(millions("verb_ffn_x2"), 539, 1);
  EXPECT_NEAR(millions("ffn"), 1400, 50);
  EXPECT_NEAR(millions("ffn_x2"), 2900, 50);
  EXPECT_NEAR(millions("decoder"), 1600, 50);
  EXPECT_NEAR(millions("decoder_x2"), 3300, 50);
  EXPECT_NEAR(millions("mlp"), 90, 0.5);
  EXPECT_NEAR(millions("mlp_x2"), 180, 0.5);
}

/// Decoder layers have biases on q, k and v, which the documented counts leave to "and biases".
TEST(VerbalizerNetwork, HasTheDocumentedNumberOfParameters) {
  const int64_t d = 16, f = 40, k = 8;
  const auto config = sizes(d, f, 4, 2);
  const std::map<std::string, int64_t> one{{"verb_ffn", 3 * d * d},
                                           {"ffn", 3 * d * f},
                                           {"mlp", d * d},
                                           {"decoder", 2 * d * d + 2 * d * k + 3 * d * f + d + 2 * k + 2 * d}};
  for (const auto& [name, count] : one) {
    EXPECT_EQ(num_parameters({ChosenNetwork(name)}, config), count) << name;
    EXPECT_EQ(num_parameters({ChosenNetwork(name + "_x2")}, config), 2 * count) << name;
  }
  VerbalizerConfig wider;
  wider.output_width = 24;
  EXPECT_EQ(num_parameters(wider, config), 2 * d * 24 + 24 * 24);
}

TEST(VerbalizerNetwork, ReadsAllTokensOnlyWhereItAttends) {
  for (const auto& network : verbalizer_networks()) {
    EXPECT_EQ(network.reads_all_tokens, network.name.starts_with("decoder")) << network.name;
    EXPECT_EQ(network.has_residuals_inside, network.name.starts_with("decoder")) << network.name;
    EXPECT_EQ(network.takes_output_width, network.name == "verb_ffn") << network.name;
  }
}

}  // namespace
}  // namespace vlsi
