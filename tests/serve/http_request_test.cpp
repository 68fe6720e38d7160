// Heads of requests, well formed and not.
#include "serve/http_request.h"

#include <gtest/gtest.h>

namespace vlsi {
namespace {

TEST(HttpRequest, IsTakenApart) {
  HttpRequest request;
  ASSERT_EQ(parse_http_request(
                "GET /a%20b/c?token=x%2By&flag&empty= HTTP/1.1\r\nHost: localhost:80\r\nX-Name:  value \r\n", request),
            0);
  EXPECT_EQ(request.path, "/a b/c");
  EXPECT_EQ(request.query, (std::map<std::string, std::string>{{"token", "x+y"}, {"flag", ""}, {"empty", ""}}));
  EXPECT_EQ(request.headers, (std::map<std::string, std::string>{{"host", "localhost:80"}, {"x-name", "value"}}));
}

TEST(HttpRequest, IsRefusedWhenMalformed) {
  for (const char* head :
       {"", "GET", "GET /\r\n", "GET / HTTP/2\r\n", "GET  / HTTP/1.1\r\n", "GET x HTTP/1.1\r\n",
        "GET /%zz HTTP/1.1\r\n", "GET /%2 HTTP/1.1\r\n", "GET /?a=%1 HTTP/1.1\r\n", "GET / HTTP/1.1\r\nno colon\r\n",
        "GET / HTTP/1.1\r\n: x\r\n", "GET / HTTP/1.1\nHost: x\n", "GET / HTTP/1.1\r\nHost: x", "\x16\x03\x01\r\n"}) {
    HttpRequest request;
    EXPECT_EQ(parse_http_request(head, request), 400) << head;
  }
}

TEST(HttpRequest, IsRefusedForOtherMethods) {
  for (const char* method : {"POST", "PUT", "HEAD", "OPTIONS", "get"}) {
    HttpRequest request;
    EXPECT_EQ(parse_http_request(std::string(method) + " / HTTP/1.1\r\n", request), 405);
  }
}

}  // namespace
}  // namespace vlsi
