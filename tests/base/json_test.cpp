// Strict parsing, and accessors that say where and what is wrong.
#include "base/json.h"

#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "tests/support/errors.h"
#include "tests/support/files.h"

namespace vlsi {
namespace {

std::string parse_message(std::string_view text) {
  return message_of([&] { parse_json(text, "f"); });
}

TEST(Json, ParsesEveryKindOfValue) {
  const Json value =
      parse_json(R"( {"a": [1, -2, 18446744073709551615, 1.5, true, false, null, "é\n\u00e9"], "b": {}} )", "f");
  EXPECT_EQ(value["a"][0], 1);
  EXPECT_EQ(value["a"][1], -2);
  EXPECT_EQ(value["a"][2].get<uint64_t>(), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(value["a"][3], 1.5);
  EXPECT_EQ(value["a"][4], true);
  EXPECT_EQ(value["a"][5], false);
  EXPECT_TRUE(value["a"][6].is_null());
  EXPECT_EQ(value["a"][7], "é\né");
  EXPECT_EQ(value["b"], Json::object());
  EXPECT_EQ(parse_json("3", "f"), 3);
}

/// A random value, of at most `depth` levels; the same for the same state of `random`.
Json random_value(std::mt19937& random, int depth) {
  const auto below = [&](uint32_t limit) { return random() % limit; };
  const auto text = [&] {
    std::string result;
    for (uint32_t length = below(6); length > 0; --length) result += static_cast<char>(below(128));
    return below(3) == 0 ? result + "é€😀" : result;
  };
  Json value;
  switch (below(depth > 0 ? 7 : 5)) {
    case 0: return nullptr;
    case 1: return below(2) == 1;
    case 2: return static_cast<int64_t>(uint64_t{random()} << 32 | random());
    case 3: return std::ldexp(static_cast<double>(random()), static_cast<int>(below(200)) - 100);
    case 4: return text();
    case 5:
      value = Json::array();
      for (uint32_t size = below(5); size > 0; --size) value.push_back(random_value(random, depth - 1));
      return value;
    default:
      value = Json::object();
      for (uint32_t size = below(5); size > 0; --size) value[text()] = random_value(random, depth - 1);
      return value;
  }
}

TEST(Json, ParsesWhatTheWriterWrites) {
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    const Json value = random_value(random, 5);
    EXPECT_EQ(parse_json(value.dump(), "f"), value);
    EXPECT_EQ(parse_json(value.dump(3), "f"), value);
  }
}

TEST(Json, PassesOverAByteOrderMark) {
  EXPECT_EQ(parse_json("\xEF\xBB\xBF[1]", "f"), Json::array({1}));
  EXPECT_EQ(parse_message("\xEF\xBB\xBF[1 2]").substr(0, 6), "f:1:4:");
  EXPECT_EQ(parse_message("\xEF\xBB\xBF\xEF\xBB\xBF[1]").substr(0, 6), "f:1:1:");
}

TEST(Json, NamesLineAndColumnOfAnError) {
  EXPECT_EQ(parse_message("{\n  \"a\": 1,\n  \"b\": x\n}"),
            "f:3:8: syntax error while parsing value - invalid literal");
  EXPECT_EQ(parse_message("[1, 2").substr(0, 6), "f:1:6:");
  EXPECT_EQ(parse_message("").substr(0, 6), "f:1:1:");
}

TEST(Json, RefusesDuplicateKeys) {
  EXPECT_EQ(parse_message("{\"a\": 1,\n \"b\": {\"c\": 1, \"c\": 2}}"), "f:2:18: key \"c\" stands twice");
  EXPECT_EQ(parse_message("{\"\\u0061\": 1, \"a\": 2}"), "f:1:17: key \"a\" stands twice");
  EXPECT_EQ(parse_message("{\"line\\nend\": 1, \"line\\nend\": 2}"), "f:1:28: key \"line\\nend\" stands twice");
  EXPECT_EQ(parse_json(R"([{"a": 1}, {"a": 2}, {"b": {"b": 3}}])", "f").size(), 3u);
}

TEST(Json, RefusesInvalidUtf8) {
  EXPECT_EQ(parse_message("[\"a\xFF\"]"),
            "f:1:4: syntax error while parsing value - invalid string: ill-formed UTF-8 byte");
  EXPECT_NE(parse_message("[\"\xC0\x80\"]"), "no error");      // overlong
  EXPECT_NE(parse_message("[\"\xED\xA0\x80\"]"), "no error");  // a surrogate
  EXPECT_NE(parse_message("{\"a\": 1}\xFF"), "no error");      // outside a string
  EXPECT_NE(parse_message("[\"\\ud800\"]"), "no error");       // half a pair
}

TEST(Json, RefusesTextAfterTheValue) {
  EXPECT_EQ(parse_message("{} {}").substr(0, 6), "f:1:4:");
  EXPECT_EQ(parse_message(std::string_view("{}\0{}", 5)), "f:1:3: zero byte");
}

TEST(Json, RefusesWhatOtherParsersLetPass) {
  for (const char* text :
       {"[1,]", "{\"a\":1,}", "NaN", "[Infinity]", "'a'", "[01]", "[1.]", "// c\n1", "[\"\t\"]", "+1"}) {
    EXPECT_NE(parse_message(text), "no error") << text;
  }
}

TEST(Json, RefusesNumbersBeyondDoubles) {
  EXPECT_EQ(parse_message("[1e999]"), "f:1:6: number overflow parsing '1e999'");
}

TEST(Json, CountsNesting) {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(parse_message(nested(512)), "no error");
  EXPECT_EQ(parse_message(nested(513)), "f:1:513: nesting deeper than 512");
  EXPECT_EQ(parse_message(std::string(1'000'000, '[')), "f:1:513: nesting deeper than 512");
  std::string objects;
  for (int i = 0; i < 513; ++i) objects += "{\"a\":";
  EXPECT_EQ(parse_message(objects), "f:1:2561: nesting deeper than 512");
}

TEST(Json, KeepsErrorMessagesShortAndOnOneLine) {
  const std::string message = parse_message("[\"" + std::string(100'000, 'x') + "\n\"]");
  EXPECT_LT(message.size(), 300u);
  EXPECT_EQ(message.find('\n'), message.npos);
}

TEST(Json, FindsValuesOfTheirType) {
  const Json object = parse_json(
      R"({"b": true, "i": -7, "d": 0.5, "s": "t", "o": {"x": 1}, "n": null, "is": [1, 2], "ds": [1, 0.5], "ss": ["a"],
          "os": [1, null, "x"], "none": []})",
      "f");
  EXPECT_EQ(find<bool>(object, "b", "f"), true);
  EXPECT_EQ(find<int64_t>(object, "i", "f"), -7);
  EXPECT_EQ(find<double>(object, "d", "f"), 0.5);
  EXPECT_EQ(find<double>(object, "i", "f"), -7.0);
  EXPECT_EQ(find<std::string>(object, "s", "f"), "t");
  EXPECT_EQ(*find<Json>(object, "o", "f"), (Json{{"x", 1}}));
  EXPECT_EQ(find<std::vector<int64_t>>(object, "is", "f"), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(find<std::vector<double>>(object, "ds", "f"), (std::vector<double>{1, 0.5}));
  EXPECT_EQ(find<std::vector<std::string>>(object, "ss", "f"), (std::vector<std::string>{"a"}));
  EXPECT_EQ(find<std::vector<Json>>(object, "os", "f"), (std::vector<Json>{1, nullptr, "x"}));
  EXPECT_EQ(find<std::vector<int64_t>>(object, "none", "f"), std::vector<int64_t>{});
  EXPECT_EQ(find<int64_t>(object, "absent", "f"), std::nullopt);
  EXPECT_EQ(find<int64_t>(object, "n", "f"), std::nullopt);
}

TEST(Json, SaysWhichKeyIsOfWhichWrongType) {
  const Json object = parse_json(
      R"({"s": "t", "d": 1.5, "big": 9223372036854775808, "b": true, "is": [1, "x"], "ns": [null], "o": {}, "i": 1})",
      "f");
  const auto message = [&](auto type, const char* key) {
    return message_of([&] { find<decltype(type)>(object, key, "f"); });
  };
  EXPECT_EQ(message(int64_t{}, "s"), "f: key 's' is a string, expected an integer");
  EXPECT_EQ(message(int64_t{}, "d"), "f: key 'd' is 1.5, expected an integer");
  EXPECT_EQ(message(int64_t{}, "b"), "f: key 'b' is a boolean, expected an integer");
  EXPECT_EQ(message(int64_t{}, "big"),
            "f: key 'big' is 9223372036854775808, expected an integer of at most 9223372036854775807");
  EXPECT_EQ(message(bool{}, "i"), "f: key 'i' is 1, expected true or false");
  EXPECT_EQ(message(double{}, "b"), "f: key 'b' is a boolean, expected a number");
  EXPECT_EQ(message(std::string{}, "o"), "f: key 'o' is an object, expected a string");
  EXPECT_EQ(message(std::vector<int64_t>{}, "is"), "f: key 'is[1]' is a string, expected an integer");
  EXPECT_EQ(message(std::vector<double>{}, "ns"), "f: key 'ns[0]' is nothing, expected a number");
  EXPECT_EQ(message(std::vector<Json>{}, "s"), "f: key 's' is a string, expected an array");
  EXPECT_EQ(message_of([] { find<bool>(Json::array(), "a", "f"); }), "f: is an array, expected an object with key 'a'");
}

TEST(Json, RequiresKeys) {
  const Json object = {{"a", 1}, {"n", nullptr}};
  EXPECT_EQ(require<int64_t>(object, "a", "f"), 1);
  EXPECT_EQ(message_of([&] { require<int64_t>(object, "b", "f"); }), "f: key 'b' is missing");
  EXPECT_EQ(message_of([&] { require<int64_t>(object, "n", "f"); }), "f: key 'n' is missing");
}

TEST(Json, DescribesValuesInWords) {
  EXPECT_EQ(describe(nullptr), "nothing");
  EXPECT_EQ(describe(true), "a boolean");
  EXPECT_EQ(describe(1), "an integer");
  EXPECT_EQ(describe(1.5), "a number");
  EXPECT_EQ(describe("x"), "a string");
  EXPECT_EQ(describe(Json::array()), "an array");
  EXPECT_EQ(describe(Json::object()), "an object");
}

class JsonFileTest : public testing::Test {
 protected:
  Folder folder_;
  const std::filesystem::path path_ = folder_ / "a.json";
};

TEST_F(JsonFileTest, WritesKeysInTheirOrderAndReadsThemBack) {
  write_json(path_, {{"z", 1}, {"a", OrderedJson::array({"é"})}});
  EXPECT_EQ(MappedFile::open(path_)->text(), "{\n  \"z\": 1,\n  \"a\": [\n    \"é\"\n  ]\n}\n");
  EXPECT_EQ(read_json(path_), (Json{{"z", 1}, {"a", {"é"}}}));
}

TEST_F(JsonFileTest, NamesTheFileInErrors) {
  write_file(path_, "{\"a\": }");
  EXPECT_EQ(message_of([&] { read_json(path_); }).substr(0, path_.string().size() + 5), path_.string() + ":1:7:");
}

TEST_F(JsonFileTest, RefusesToWriteWhatIsNotUtf8) {
  EXPECT_EQ(message_of([&] {
              write_json(path_, {{"a", "\xFF"}});
            }),
            "write " + path_.string() + ": a string in it is not UTF-8");
  EXPECT_FALSE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace vlsi
