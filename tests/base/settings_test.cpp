// Settings: structs from YAML and back, and the errors that name the line.
#include "base/settings.h"

#include <gtest/gtest.h>

#include "tests/data/data_files.h"

namespace vlsi {

enum class Colour { kRed, kDeepBlue };

template <>
struct EnumNames<Colour> {
  static constexpr EnumName<Colour> all[]{{"red", Colour::kRed}, {"deep_blue", Colour::kDeepBlue}};
};

struct Lamp {
  std::string name;
  double power = 0.1;
};

template <class Visitor>
void fields(Visitor& v, Lamp& c) {
  v("name", c.name, "what it is called");
  v("power", c.power, "in watts");
}

struct Room {
  bool lit = true;
  int64_t floor = 2;
  uint64_t number = 7;
  std::filesystem::path door;
  Colour colour = Colour::kRed;
  Lamp lamp;
  std::vector<Lamp> lamps;
  std::vector<double> sizes{1.5, 2};
  std::optional<double> height;
};

template <class Visitor>
void fields(Visitor& v, Room& c) {
  v("lit", c.lit, "whether light is on");
  v("floor", c.floor, "storeys above the street");
  v("number", c.number, "on the door");
  v("door", c.door, "where it is");
  v("colour", c.colour, "of the walls");
  v("lamp", c.lamp, "on the ceiling");
  v("lamps", c.lamps, "the others");
  v("sizes", c.sizes, "of the walls");
  v("height", c.height, "if measured");
}

namespace {

Room room(const std::string& text) { return read_settings<Room>(parse_yaml(text, "room.yaml"), "room.yaml"); }

TEST(Settings, OfAnEmptyFileAreTheDefaults) {
  for (const char* text : {"", "{}", "lamp: {}", "lit:\nlamp: ~"}) {
    const auto found = room(text);
    EXPECT_TRUE(found.lit);
    EXPECT_EQ(found.floor, 2);
    EXPECT_EQ(found.colour, Colour::kRed);
    EXPECT_EQ(found.sizes, (std::vector<double>{1.5, 2}));
    EXPECT_FALSE(found.height);
    EXPECT_EQ(write_settings(found), write_settings(Room{}));
  }
}

TEST(Settings, ReadEveryKindOfField) {
  const auto found = room(R"(
lit: false
floor: -3
number: 18446744073709551615
door: a b/c
colour: deep_blue
lamp: {name: "yes", power: 1e-4}
lamps:
  - name: one
  - {power: 5}
sizes: []
height: 2.75
)");
  EXPECT_FALSE(found.lit);
  EXPECT_EQ(found.floor, -3);
  EXPECT_EQ(found.number, UINT64_MAX);
  EXPECT_EQ(found.door, "a b/c");
  EXPECT_EQ(found.colour, Colour::kDeepBlue);
  EXPECT_EQ(found.lamp.name, "yes");
  EXPECT_EQ(found.lamp.power, 1e-4);
  ASSERT_EQ(found.lamps.size(), 2);
  EXPECT_EQ(found.lamps[0].name, "one");
  EXPECT_EQ(found.lamps[0].power, 0.1);
  EXPECT_EQ(found.lamps[1].power, 5);
  EXPECT_TRUE(found.sizes.empty());
  EXPECT_EQ(found.height, 2.75);
}

TEST(Settings, ReadBackWhatTheyWrote) {
  Room written;
  written.lit = false;
  written.floor = INT64_MIN;
  written.number = UINT64_MAX;
  written.door = "path with: colon # and hash";
  written.colour = Colour::kDeepBlue;
  written.lamp = {"true", 1.0 / 3};
  written.lamps = {{"", 1e300}, {"two\nlines \"quoted\"", 5e-324}};
  written.sizes = {0.1, 1e-4};
  written.height = 3;
  for (const bool with_comments : {false, true}) {
    const auto text = write_settings(written, with_comments);
    const auto found = room(text);
    EXPECT_EQ(write_settings(found, with_comments), text);
    EXPECT_EQ(found.lamp.name, "true");
    EXPECT_EQ(found.lamp.power, 1.0 / 3);
    EXPECT_EQ(found.lamps[1].name, written.lamps[1].name);
    EXPECT_EQ(found.lamps[1].power, 5e-324);
    EXPECT_EQ(found.door, written.door);
  }
}

TEST(Settings, ExplainFieldsInComments) {
  const auto text = write_settings(Room{}, /*with_comments=*/true);
  EXPECT_NE(text.find("# storeys above the street"), std::string::npos) << text;
  EXPECT_EQ(write_settings(Room{}).find('#'), std::string::npos);
}

TEST(Settings, NameTheNearestKeyAndTheLineOfAnUnknownOne) {
  EXPECT_ERROR(room("lit: true\nflor: 1"), "room.yaml, line 2: key 'flor' is unknown; did you mean 'floor'?");
  EXPECT_ERROR(room("lamp:\n  name: a\n  powr: 1"),
               "room.yaml, line 3: key 'lamp.powr' is unknown; did you mean 'lamp.power'?");
  EXPECT_ERROR(room("lamps:\n  - nam: a"), "line 2: key 'lamps[0].nam' is unknown; did you mean 'lamps[0].name'?");
}

TEST(Settings, RefuseValuesOfAnotherType) {
  EXPECT_ERROR(room("floor: high"), "room.yaml, line 1: key 'floor' is 'high', expected a whole number");
  EXPECT_ERROR(room("floor: 1.5"), "key 'floor' is '1.5', expected a whole number");
  EXPECT_ERROR(room("floor: 9223372036854775808"), "expected a whole number");
  EXPECT_ERROR(room("number: -1"), "key 'number' is '-1', expected a whole number, 0 or more");
  EXPECT_ERROR(room("lit: yes"), "key 'lit' is 'yes', expected true or false");
  EXPECT_ERROR(room("lamp: {power: .inf}"), "key 'lamp.power' is '.inf', expected a number");
  EXPECT_ERROR(room("lamp: {power: inf}"), "expected a number");
  EXPECT_ERROR(room("lamp: {power: nan}"), "expected a number");
  EXPECT_ERROR(room("lamp: bright"), "key 'lamp' is 'bright', expected keys and values");
  EXPECT_ERROR(room("door: [a]"), "key 'door' is a list, expected text");
  EXPECT_ERROR(room("sizes: 1"), "key 'sizes' is '1', expected a list");
  EXPECT_ERROR(room("sizes: [1, {a: 2}]"), "key 'sizes[1]' is a block of keys, expected a number");
  EXPECT_ERROR(room("colour: blue"), "key 'colour' is 'blue', expected one of red, deep_blue");
  EXPECT_ERROR(room("colour: []"), "key 'colour' is a list, expected text");
}

TEST(Settings, RefuseAKeyThatStandsTwice) {
  EXPECT_ERROR(room("lit: true\nfloor: 1\nlit: false"), "room.yaml: line 3: key 'lit' stands twice");
  EXPECT_ERROR(room("lamps:\n  - {name: a, name: b}"), "line 2: key 'name' stands twice");
}

TEST(Settings, NameTheLineOfBrokenYaml) {
  EXPECT_ERROR(room("lit: true\nlamp: {name: a"), "reading room.yaml: line ");
  EXPECT_ERROR(room("a: b: c"), "reading room.yaml: line 1");
  EXPECT_ERROR(room("[1]: 2"), "line 1: a key is not a word");
}

TEST(Settings, OfAFileTakeOverrides) {
  const Folder folder;
  const auto path = folder.write("room.yaml", "lamp:\n  name: a\n  power: 1\n");
  const auto found = read_settings<Room>(
      load_yaml(path, {"lamp.power=2.5", "colour=deep_blue", "lamps=[{name: x}]", "sizes=[3]", "lit=false"}), path);
  EXPECT_EQ(found.lamp.name, "a");
  EXPECT_EQ(found.lamp.power, 2.5);
  EXPECT_EQ(found.colour, Colour::kDeepBlue);
  EXPECT_EQ(found.lamps.at(0).name, "x");
  EXPECT_EQ(found.sizes, std::vector<double>{3});
  EXPECT_FALSE(found.lit);
}

TEST(Settings, TakeOverridesOverAnEmptyFileAndTheLaterOfTwo) {
  const Folder folder;
  const auto path = folder.write("room.yaml", "");
  const auto found = read_settings<Room>(load_yaml(path, {"lamp.power=2", "lamp.power=3"}), path);
  EXPECT_EQ(found.lamp.power, 3);
}

TEST(Settings, RefuseOverridesThatAreNone) {
  const Folder folder;
  const auto path = folder.write("room.yaml", "floor: 1\n");
  EXPECT_ERROR(load_yaml(path, {"floor"}), "--set 'floor': expected key=value");
  EXPECT_ERROR(load_yaml(path, {"=1"}), "--set '=1': expected key=value");
  EXPECT_ERROR(load_yaml(path, {"floor.a=1"}), "--set 'floor.a=1': 'floor' has no keys inside");
  EXPECT_ERROR(load_yaml(path, {"floor=[1"}), "reading --set floor=[1");
  EXPECT_ERROR(read_settings<Room>(load_yaml(path, {"flor=2"}), path),
               "--set: key 'flor' is unknown; did you mean 'floor'?");
}

TEST(Settings, BlameTheOverrideAndNotALineOfTheFile) {
  const Folder folder;
  const auto path = folder.write("room.yaml", "floor: 1\n");
  EXPECT_ERROR(read_settings<Room>(load_yaml(path, {"lamp.power=bright"}), path),
               "--set: key 'lamp.power' is 'bright', expected a number");
  EXPECT_ERROR(read_settings<Room>(load_yaml(path, {"lamps=[{nme: a}]"}), path),
               "--set: key 'lamps[0].nme' is unknown");
  EXPECT_ERROR(read_settings<Room>(load_yaml(path, {"sizes=[1, x]"}), path), "--set: key 'sizes[1]' is 'x'");
}

TEST(Settings, OfAnOverrideWithoutAValueAreEmptyTextsOrErrors) {
  const Folder folder;
  const auto path =
      folder.write("room.yaml", "lit: false\ndoor: a\nlamp: {name: b, power: 3}\nheight: 2\nsizes: [4]\n");
  const auto read = [&](const std::vector<std::string>& overrides) {
    return read_settings<Room>(load_yaml(path, overrides), path);
  };
  for (const char* nothing : {"", "~", "''"}) {
    const auto found = read({concat("door=", nothing), concat("lamp.name=", nothing)});
    EXPECT_EQ(found.door, "") << nothing;
    EXPECT_EQ(found.lamp.name, "") << nothing;
    EXPECT_EQ(found.lamp.power, 3) << nothing;
  }
  EXPECT_FALSE(read({"height="}).height);
  EXPECT_EQ(read({"lamp="}).lamp.power, 0.1);
  EXPECT_EQ(read({"lamp={}"}).lamp.power, 0.1);
  EXPECT_TRUE(read({"sizes=[]"}).sizes.empty());
  EXPECT_ERROR(read({"lit="}), "--set: key 'lit' is nothing, expected true or false");
  EXPECT_ERROR(read({"floor="}), "--set: key 'floor' is nothing, expected a whole number");
  EXPECT_ERROR(read({"lamp.power="}), "--set: key 'lamp.power' is nothing, expected a number");
  EXPECT_ERROR(read({"lamp.power=~"}), "--set: key 'lamp.power' is nothing, expected a number");
  EXPECT_ERROR(read({"colour="}), "--set: key 'colour' is '', expected one of red, deep_blue");
  EXPECT_ERROR(read({"sizes="}), "--set: key 'sizes' is nothing, expected a list");
  EXPECT_ERROR(read({"flor="}), "--set: key 'flor' is unknown; did you mean 'floor'?");
}

TEST(Settings, NameTheKeyOfABlockInsideThatEndsInAnUnknownOne) {
  EXPECT_ERROR(room("power: 1"), "key 'power' is unknown; did you mean 'lamp.power'?");
  EXPECT_ERROR(room("lamp.power: 1"), "key 'lamp.power' is unknown; did you mean 'lamp");
}

TEST(Settings, GiveAliasesValuesOfTheirOwn) {
  const Folder folder;
  const auto path = folder.write("room.yaml",
                                 "lamp: &l {name: &n a, power: 1}\n"
                                 "lamps: [*l, {name: *n}, *l]\n"
                                 "door: *n\n"
                                 "sizes: &s [&one 1, *one]\n"
                                 "&k floor: *one\n");
  const auto read = [&](const std::vector<std::string>& overrides) {
    return read_settings<Room>(load_yaml(path, overrides), path);
  };
  const auto as_it_is = read({});
  EXPECT_EQ(as_it_is.lamps.at(0).power, 1);
  EXPECT_EQ(as_it_is.lamps.at(1).name, "a");
  EXPECT_EQ(as_it_is.lamps.at(2).name, "a");
  EXPECT_EQ(as_it_is.door, "a");
  EXPECT_EQ(as_it_is.sizes, (std::vector<double>{1, 1}));
  EXPECT_EQ(as_it_is.floor, 1);
  for (const auto& [override, changed] : std::vector<std::pair<std::string, std::string>>{
           {"lamp.name=b", "name: b"}, {"lamp.power=3", "power: 3"}, {"door=b", "door: b"}, {"floor=3", "floor: 3"}}) {
    const auto text = write_settings(read({override}));
    const auto at = text.find(changed);
    ASSERT_NE(at, text.npos) << text;
    EXPECT_EQ(text.find(changed, at + 1), text.npos) << "once: " << text;
  }
}

TEST(Settings, RefuseAliasesThatDoNotEnd) {
  const std::string problem = "an alias stands inside of what it names";
  EXPECT_ERROR(room("lit: true\nlamp: &a\n  name: x\n  more: *a\n"), "room.yaml: line 4: " + problem);
  EXPECT_ERROR(room("lamps: &a [1, *a]"), "room.yaml: line 1: " + problem);
  EXPECT_ERROR(room("&a {lamps: [{b: *a}]}"), problem);
  EXPECT_ERROR(room("lamps: &a [1, &b [*a], *b]"), problem);
  const Folder folder;
  const auto path = folder.write("room.yaml", "floor: 1\n");
  EXPECT_ERROR(load_yaml(path, {"lamp=&a {x: *a}"}), "--set lamp=&a {x: *a}: line 1: " + problem);
  std::string bomb = "a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n";
  for (int i = 1; i < 30; ++i) {
    bomb += concat("a", i, ": &a", i, " [");
    for (int j = 0; j < 10; ++j) bomb += concat(j > 0 ? ", *a" : "*a", i - 1);
    bomb += "]\n";
  }
  EXPECT_ERROR(room(bomb), "there are more than 100000 values");
}

TEST(Settings, RefuseWhatIsNoUtf8AndSeveralDocuments) {
  EXPECT_ERROR(room("lit: true\nlamp: {name: \xFF}"), "reading room.yaml: byte 23 is not UTF-8");
  EXPECT_ERROR(room("lit: true\n---\nlit: false\n"), "reading room.yaml: holds 2 documents, expected one");
}

TEST(Settings, RefuseFilesThatHoldNoKeys) {
  const Folder folder;
  const auto path = folder.write("room.yaml", "- 1\n");
  EXPECT_ERROR(load_yaml(path, {}), "the file is a list, expected keys and values");
  EXPECT_ERROR(load_yaml(folder.path() / "none.yaml", {}), "none.yaml");
}

TEST(Nearest, CountsInsertedRemovedAndReplacedLetters) {
  const std::vector<std::string> known{"learning_rate", "warmup", "betas", "eps"};
  EXPECT_EQ(nearest("lerning_rate", known), "learning_rate");
  EXPECT_EQ(nearest("warm_up", known), "warmup");
  EXPECT_EQ(nearest("beta", known), "betas");
  EXPECT_EQ(nearest("esp", known), "eps");
  EXPECT_EQ(nearest("x", {}), "");
}

}  // namespace
}  // namespace vlsi
