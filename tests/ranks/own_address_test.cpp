// Which of a host's addresses the ranks on others are told.
#include "ranks/own_address.h"

#include <gtest/gtest.h>

#include "tests/support/errors.h"
#include "tests/support/two_hosts.h"

namespace vlsi {
namespace {

std::string own_address_among(const std::vector<std::string>& found, int64_t rank) {
  return own_address(found[rank], std::ssize(found), 29500, [&](int64_t other) { return found[other]; });
}

TEST(OwnAddress, IsTheLoopbackAmongRanksOfOneHost) {
  EXPECT_EQ(address_towards("127.0.0.1", 29500), "127.0.0.1");
  EXPECT_EQ(own_address_among({"127.0.0.1", "127.0.0.1"}, 0), "127.0.0.1");
}

TEST(OwnAddress, IsTheOneThatLeadsToTheOtherHost) {
  const TwoHosts hosts;
  if (hosts.trouble()) GTEST_SKIP() << *hosts.trouble();
  hosts[1].within([] {
    EXPECT_EQ(address_towards("10.77.0.1", 29500), "10.77.0.2");
    EXPECT_EQ(own_address_among({"127.0.1.1", "10.77.0.2"}, 1), "10.77.0.2");
  });
  hosts[0].within([] { EXPECT_EQ(own_address_among({"127.0.1.1", "10.77.0.2"}, 0), "10.77.0.1"); });
}

TEST(OwnAddress, IsAnErrorWhereNoWayLeads) {
  const std::string no_name(64, 'x');
  EXPECT_NE(message_of([&] { address_towards(no_name, 29500); }).find("looking for the way to " + no_name + ": "),
            std::string::npos);
  const Network alone;
  if (alone.descriptor() < 0) GTEST_SKIP() << "no network namespaces may be made here";
  alone.within([] {
    EXPECT_EQ(message_of([] { address_towards("10.77.0.1", 29500); }),
              "looking for the way to 10.77.0.1: no interface of this host leads there");
  });
}

}  // namespace
}  // namespace vlsi
