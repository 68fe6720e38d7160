// Whose turn it is.
#include "serve/fair_queue.h"

#include <gtest/gtest.h>

namespace vlsi {
namespace {

std::string order_of(FairQueue<char>& queue) {
  std::string order;
  while (const auto item = queue.pop()) order += *item;
  return order;
}

TEST(FairQueue, LetsClientsTakeTurnsAndKeepsEachOnesOrder) {
  FairQueue<char> queue(20);
  for (const char item : std::string("abcd")) queue.push("many", item);
  queue.push("one", 'x');
  for (const char item : std::string("12")) queue.push("two", item);
  EXPECT_EQ(order_of(queue), "ax1b2cd");
  EXPECT_EQ(queue.size(), 0U);
}

TEST(FairQueue, ServesAClientThatComesLaterBeforeTheRestOfAnOlderOnes) {
  FairQueue<char> queue(20);
  for (const char item : std::string("abcd")) queue.push("many", item);
  EXPECT_EQ(queue.pop(), 'a');
  queue.push("late", 'x');
  EXPECT_EQ(order_of(queue), "bxcd");
}

TEST(FairQueue, TakesNoMoreThanItsCapacityHoweverManyClientsThereAre) {
  FairQueue<char> queue(2);
  EXPECT_TRUE(queue.push("a", '1'));
  EXPECT_TRUE(queue.push("b", '2'));
  EXPECT_FALSE(queue.push("c", '3'));
  EXPECT_EQ(queue.num_free(), 0U);
  EXPECT_EQ(order_of(queue), "12");
  EXPECT_TRUE(queue.push("c", '3'));
}

TEST(FairQueue, ForgetsWhatIsUnwanted) {
  FairQueue<char> queue(5);
  for (const char item : std::string("axx")) queue.push("a", item);
  for (const char item : std::string("xx")) queue.push("b", item);
  queue.erase_if([](char item) { return item == 'x'; });
  EXPECT_EQ(queue.size(), 1U);
  EXPECT_EQ(order_of(queue), "a");
}

}  // namespace
}  // namespace vlsi
