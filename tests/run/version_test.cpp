// What the program says of itself.
#include "run/version.h"

#include <gtest/gtest.h>

namespace vlsi {
namespace {

TEST(Version, SaysTheSameAsTextAndAsJson) {
  const auto json = version_json();
  const auto text = version_text();
  EXPECT_TRUE(text.starts_with("vlsi " + json["version"].get<std::string>())) << text;
  for (const auto& [key, value] : json.items()) {
    const auto word = value.is_string() ? value.get<std::string>() : value.dump();
    EXPECT_FALSE(word.empty()) << key;
    EXPECT_NE(text.find(word), text.npos) << text << "lacks " << key;
  }
}

}  // namespace
}  // namespace vlsi
