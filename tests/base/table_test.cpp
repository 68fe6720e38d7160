#include "base/table.h"

#include <gtest/gtest.h>

#include "base/settings.h"
#include "tests/support/errors.h"

namespace vlsi {
namespace {

struct Fruit {
  std::string_view name, meaning;
  int weight;
};

Table<Fruit>& fruits() {
  static Table<Fruit> table{{"apple", "round", 150}, {"plum", "blue", 40}};
  return table;
}

struct Basket {
  Choice<Fruit, fruits> fruit;
};

template <class Visitor>
void fields(Visitor& v, Basket& c) {
  v("fruit", c.fruit, "what is in it");
}

TEST(Table, FindsEntriesByName) {
  EXPECT_EQ(fruits().find("plum")->weight, 40);
  EXPECT_EQ(fruits().find("pea"), nullptr);
}

TEST(Table, KeepsEntriesInPlaceWhenItGrows) {
  Table<Fruit> table{{"apple", "", 150}};
  const Fruit* apple = table.find("apple");
  for (const char* name : {"b", "c", "d", "e", "f", "g", "h"}) table.add({name, "", 1});
  EXPECT_EQ(table.find("apple"), apple);
  EXPECT_EQ(table.names("|"), "apple|b|c|d|e|f|g|h");
  EXPECT_THROW(table.add({"b", "", 2}), c10::Error);
}

TEST(Table, GivesAConfigurationItsWords) {
  EXPECT_EQ(read_settings<Basket>(YAML::Load("{}"), "a.yaml").fruit->weight, 150);
  const auto basket = read_settings<Basket>(YAML::Load("fruit: plum"), "a.yaml");
  EXPECT_EQ(basket.fruit->weight, 40);
  EXPECT_EQ(write_settings(basket), "fruit: plum");
  const std::string indent(13, ' ');
  EXPECT_EQ(write_settings(basket, /*with_comments=*/true),
            "fruit: plum  # what is in it\n" + indent + "# apple: round\n" + indent + "# plum: blue");
  expect_error([] { read_settings<Basket>(YAML::Load("fruit: pea"), "a.yaml"); },
               {"key 'fruit' is 'pea', expected one of apple, plum"});
}

}  // namespace
}  // namespace vlsi
