// Who gets an answer.
#include "serve/access.h"

#include <gtest/gtest.h>

namespace vlsi {
namespace {

HttpRequest from(const std::string& host, const std::string& token = "") {
  HttpRequest request;
  request.headers["host"] = host;
  if (!token.empty()) request.query["token"] = token;
  return request;
}

TEST(Access, OnLoopbackIsForThisMachinesNamesOnly) {
  for (const std::string bound : {"127.0.0.1", "localhost", "::1", "127.0.0.2"}) {
    const Access access(bound);
    EXPECT_EQ(access.token(), "");
    for (const auto* host : {"127.0.0.1:8080", "localhost", "localhost:1", "[::1]:8080", "[::1]"})
      EXPECT_EQ(access.refusal(from(host)), 0) << host;
    for (const auto* host : {"evil.example", "evil.example:8080", "localhost.evil.example", "", "10.0.0.1",
                             "127.0.0.1.evil.example", "127.0.0.1.evil.example:8080", "127.evil.example", "127."}) {
      EXPECT_EQ(access.refusal(from(host)), 403) << host;
    }
    EXPECT_EQ(access.refusal({}), 403);
  }
}

TEST(Access, ElsewhereNeedsTheToken) {
  EXPECT_EQ(Access("127.0.0.1.evil.example").token().size(), 32U);
  const Access access("0.0.0.0"), other("0.0.0.0");
  EXPECT_EQ(access.token().size(), 32U);
  EXPECT_NE(access.token(), other.token());
  EXPECT_EQ(access.refusal(from("example.org", access.token())), 0);
  EXPECT_EQ(access.refusal(from("example.org", other.token())), 401);
  EXPECT_EQ(access.refusal(from("example.org", access.token().substr(1))), 401);
  EXPECT_EQ(access.refusal(from("localhost")), 401);
}

TEST(Access, OnLoopbackIsNotForPagesOfOtherSites) {
  const Access access("127.0.0.1");
  auto request = from("localhost:8000");
  for (const auto* origin :
       {"http://evil.example", "https://localhost.evil.example", "http://127.0.0.1.evil.example", "null", ""}) {
    request.headers["origin"] = origin;
    EXPECT_EQ(access.refusal(request), 403) << origin;
  }
  for (const auto* origin : {"http://localhost:8000", "http://127.0.0.1", "http://[::1]:80"}) {
    request.headers["origin"] = origin;
    EXPECT_EQ(access.refusal(request), 0) << origin;
  }
  request.headers["authorization"] = "Bearer whatever";
  EXPECT_EQ(access.refusal(request), 0);
}

TEST(Access, WithKeysNeedsOneOfThemWhereverItIsBound) {
  for (const auto* host : {"0.0.0.0", "127.0.0.1"}) {
    const Access access(host, {"first", "second"});
    EXPECT_EQ(access.token(), "");
    auto request = from("localhost");
    EXPECT_EQ(access.refusal(request), 401);
    EXPECT_EQ(access.refusal(request, /*is_open_page=*/true), 0);
    for (const auto* wrong : {"Bearer third", "Bearer ", "Bearer firs", "bearer first", "Basic first", "first"}) {
      request.headers["authorization"] = wrong;
      EXPECT_EQ(access.refusal(request), 401) << wrong;
    }
    for (const auto* key : {"Bearer first", "Bearer second"}) {
      request.headers["authorization"] = key;
      EXPECT_EQ(access.refusal(request), 0) << key;
    }
  }
  EXPECT_EQ(Access("127.0.0.1", {"key"}).refusal(from("evil.example"), /*is_open_page=*/true), 403);
}

}  // namespace
}  // namespace vlsi
