// The page and the data in it.
#include "report/page.h"

#include <gtest/gtest.h>

namespace vlsi {
namespace {

const std::string kStart = R"(<script type="application/json" id="data">)";

TEST(Page, HoldsItsDataOnceAndNoAddressToLoadFrom) {
  const auto page = page_html({{"format", 1}});
  EXPECT_NE(page.find(kStart + R"({"format":1}</script>)"), std::string::npos);
  EXPECT_EQ(page.find("__VLSI_PAGE_DATA__"), std::string::npos);
  EXPECT_EQ(page.find("src=\"/"), std::string::npos);
  EXPECT_EQ(page.find("<link rel=\"stylesheet\" href"), std::string::npos);
  EXPECT_LT(page.size(), 300'000U) << "the page without data";
}

TEST(Page, KeepsMarkupFromDataInsideItsElement) {
  const OrderedJson data{{"text", "</script><script>alert(1)</script><!--"}};
  const auto text = page_json(data);
  EXPECT_EQ(text.find('<'), std::string::npos);
  EXPECT_EQ(OrderedJson::parse(text), data) << "it is the same data";
  const auto page = page_html(data);
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
}

TEST(Page, ReplacesBytesThatAreNoText) { EXPECT_EQ(page_json({{"path", "a\xff"}}), "{\"path\":\"a\xef\xbf\xbd\"}"); }

}  // namespace
}  // namespace vlsi
