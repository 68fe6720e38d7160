// The tokenizer against the `tokenizers` library's ids and texts (tests/oracle/make_tokenizer_fixture.py).
#include "text/tokenizer.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.h"
#include "base/utf8.h"
#include "tests/support/rapidcheck_seed.h"
#include "text/byte_level.h"

namespace vlsi {
namespace {

const std::filesystem::path kQwen2 = VLSI_SOURCE_DIR "/build/test-data/qwen2";
const std::filesystem::path kFixtures = VLSI_TEST_DATA "/tokenizer";

const Tokenizer& qwen2() {
  static const Tokenizer tokenizer = [] {
    if (!exists(kQwen2 / "tokenizer.json")) {
      throw std::runtime_error("no " + kQwen2.string() + "/tokenizer.json: run tests/data/qwen2/make_tokenizer.py " +
                               kQwen2.string() + " (tests/run.sh does)");
    }
    return Tokenizer::load(kQwen2);
  }();
  return tokenizer;
}

std::vector<nlohmann::json> read_lines(const std::string& name) {
  std::ifstream file(kFixtures / name);
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
  EXPECT_FALSE(lines.empty()) << name;
  return lines;
}

void expect_ids_of_fixture(const Tokenizer& tokenizer, const std::string& name) {
  for (const auto& line : read_lines(name)) {
    const auto text = line["text"].get<std::string>();
    const auto ids = line["ids"].get<std::vector<int32_t>>();
    ASSERT_EQ(tokenizer.encode(text), ids) << text;
    const auto plain = line.contains("plain") ? line["plain"].get<std::vector<int32_t>>() : ids;
    ASSERT_EQ(tokenizer.encode(text, SpecialText::kPlain), plain) << text;
  }
}

std::string stream(const Tokenizer& tokenizer, std::span<const int32_t> ids) {
  TextStream stream(tokenizer);
  std::string text;
  for (const int32_t id : ids) {
    const std::string piece = stream.push(id);
    EXPECT_EQ(find_invalid_utf8(piece), std::string::npos);
    text += piece;
  }
  return text + stream.finish();
}

/// Valid UTF-8 with code points of every length.
rc::Gen<std::string> any_text() {
  const auto code_point = rc::gen::weightedOneOf<char32_t>({
      {5, rc::gen::inRange<char32_t>(0x20, 0x7F)},
      {2, rc::gen::inRange<char32_t>(0, 0x530)},
      {2, rc::gen::inRange<char32_t>(0x2000, 0xD800)},
      {1, rc::gen::inRange<char32_t>(0xE000, 0x110000)},
  });
  return rc::gen::map(rc::gen::container<std::vector<char32_t>>(code_point), [](const std::vector<char32_t>& points) {
    std::string text;
    for (const char32_t point : points) append_code_point(point, text);
    return text;
  });
}

TEST(Tokenizer, GivesTheLibrarysIdsWithTheVocabularyOfQwen2) { expect_ids_of_fixture(qwen2(), "qwen2.jsonl"); }

TEST(Tokenizer, GivesTheLibrarysIdsWithGpt2sPatternAndNormalizedAddedTokens) {
  expect_ids_of_fixture(Tokenizer::load(kFixtures / "toy"), "toy.jsonl");
}

TEST(Tokenizer, SplitsAtSpecialTokensOfControlBytesAndAtAllOthers) {
  // "<end>" is special, "thé" is not; "<endless>", of the normal form, is made special.
  const Tokenizer tokenizer = Tokenizer::load(kFixtures / "toy", std::nullopt, {"<endless>"});
  const std::string text = "thé<end><endless>thé<end><endless>";
  const size_t middle = text.size() / 2;
  const auto ids_of = [&](const std::function<bool(size_t)>& is_control) {
    std::vector<int32_t> ids;
    size_t end = 0;
    for (const auto& piece : tokenizer.split_at_added(text, is_control)) {
      EXPECT_EQ(piece.begin, end);
      end = piece.end;
      ids.push_back(piece.added.value_or(-1));
    }
    EXPECT_EQ(end, text.size());
    return ids;
  };
  EXPECT_EQ(ids_of([&](size_t byte) { return byte >= middle; }), (std::vector<int32_t>{311, -1, 311, 309, 310}));
  EXPECT_EQ(ids_of([](size_t) { return false; }), (std::vector<int32_t>{311, -1, 311, -1}));
  EXPECT_EQ(ids_of({}), (std::vector<int32_t>{311, 309, -1, 311, 309, -1}));
}

TEST(Tokenizer, GivesTheLibrarysTextsOfAnyIds) {
  for (const auto& line : read_lines("qwen2_decode.jsonl")) {
    const auto ids = line["ids"].get<std::vector<int32_t>>();
    ASSERT_EQ(qwen2().decode(ids), line["skip"].get<std::string>()) << line;
    ASSERT_EQ(qwen2().decode(ids, /*skip_special=*/false), line["keep"].get<std::string>()) << line;
    ASSERT_EQ(stream(qwen2(), ids), line["skip"].get<std::string>()) << line;
  }
}

TEST(Tokenizer, DecodesWhatItEncodedIfTheTextIsNormal) {
  const Tokenizer toy = Tokenizer::load(kFixtures / "toy");  // no normaliser: every text is normal
  EXPECT_TRUE(rc::check("toy", [&] {
    const auto text = *any_text();
    RC_ASSERT(toy.decode(toy.encode(text, SpecialText::kPlain)) == text);
  }));
  EXPECT_TRUE(rc::check("qwen2", [&] {
    const auto text = qwen2().decode(qwen2().encode(*any_text()), /*skip_special=*/false);
    RC_ASSERT(qwen2().decode(qwen2().encode(text), /*skip_special=*/false) == text);
  }));
}

TEST(Tokenizer, StreamsWholeCodePointsThatTogetherAreTheDecodedText) {
  EXPECT_TRUE(rc::check([&] {
    const auto ids = *rc::gen::container<std::vector<int32_t>>(
        rc::gen::oneOf(rc::gen::inRange<int32_t>(0, 256), rc::gen::inRange<int32_t>(-1, 151'700)));
    RC_ASSERT(stream(qwen2(), ids) == qwen2().decode(ids));
  }));
}

TEST(Tokenizer, StreamsAnEmojiWhenItsLastByteHasCome) {
  const auto ids = qwen2().encode("🫨");
  ASSERT_GT(ids.size(), 1);
  TextStream stream(qwen2());
  for (size_t i = 0; i + 1 < ids.size(); ++i) EXPECT_EQ(stream.push(ids[i]), "");
  EXPECT_EQ(stream.push(ids.back()), "🫨");
  EXPECT_EQ(stream.push(qwen2().require("<|im_end|>")), "");
  EXPECT_EQ(stream.push(ids[0]), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
  EXPECT_EQ(stream.finish(), "");
}

TEST(Tokenizer, KnowsTheAnchorsOfQwen2) {
  EXPECT_EQ(qwen2().size(), 151'657);
  EXPECT_EQ(qwen2().encode("\n"), std::vector<int32_t>{198});
  EXPECT_EQ(qwen2().require("assistant"), 77'091);
  EXPECT_EQ(qwen2().require("<|image_pad|>"), 151'655);
  EXPECT_EQ(qwen2().find("Ġthe"), qwen2().encode(" the").at(0));
  EXPECT_EQ(qwen2().find("no such token"), std::nullopt);
  EXPECT_EQ(qwen2().bytes(198), "\n");
  EXPECT_EQ(qwen2().bytes(151'645), "<|im_end|>");
  EXPECT_EQ(qwen2().bytes(151'657), "");
  EXPECT_EQ(qwen2().bytes(-1), "");
  EXPECT_TRUE(qwen2().is_special(151'643));
  EXPECT_FALSE(qwen2().is_special(151'642));
}

TEST(Tokenizer, NamesTheTokenThatItRequiresInVain) {
  try {
    qwen2().require("<nothing>");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("<nothing>"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find(kQwen2.string()), std::string::npos);
  }
}

TEST(Tokenizer, RefusesTextThatIsNotUtf8) {
  for (const char* text : {"a\xFF", "\xC3", "\xED\xA0\x80", "\xC0\x80", "ok \xF4\x90\x80\x80"}) {
    EXPECT_THROW(qwen2().encode(text), Error);
  }
}

// A quadratic method would take hours on these.
TEST(Tokenizer, EncodesAWordOfAMillionBytes) {
  const Tokenizer toy = Tokenizer::load(kFixtures / "toy");
  std::string letters;
  for (int i = 0; letters.size() < 1'000'000; i = (i * 31 + 7) & 0xFFFF) letters.push_back("abcdehnost"[i % 10]);
  EXPECT_EQ(toy.decode(toy.encode(letters)), letters);
  EXPECT_EQ(qwen2().decode(qwen2().encode(letters)), letters);
  const std::string spaces(1'000'000, ' ');
  EXPECT_EQ(qwen2().decode(qwen2().encode(spaces + "x")), spaces + "x");
  // Marks of two classes in turn, which the normal form sorts.
  std::string marks, sorted;
  for (int i = 0; i < 250'000; ++i) marks += "\u0301\u0316";
  for (const char* mark : {"\u0316", "\u0301"}) {
    for (int i = 0; i < 250'000; ++i) sorted += mark;
  }
  EXPECT_EQ(qwen2().decode(qwen2().encode(marks)), sorted);
}

TEST(Tokenizer, MergesLongAndShortWordsAlike) {
  // 64 and 65 bytes lie on the two sides of the border between the two methods.
  const Tokenizer toy = Tokenizer::load(kFixtures / "toy");
  EXPECT_TRUE(rc::check([&] {
    const auto word = *rc::gen::container<std::string>(60, rc::gen::element('a', 'b', 't', 'h', 'e'));
    // "Q" is in no merge, so the words are cut into the same tokens whatever stands behind it.
    const auto shorter = toy.encode(word + "QQQQ", SpecialText::kPlain);
    auto longer = toy.encode(word + "QQQQQ", SpecialText::kPlain);
    longer.pop_back();
    RC_ASSERT(longer == shorter);
  }));
}

TEST(Tokenizer, GivesEqualIdsInSeveralThreads) {
  const Tokenizer tokenizer = Tokenizer::load(kQwen2);  // with an empty cache
  const auto lines = read_lines("qwen2.jsonl");
  std::vector<int> num_wrong(4);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (size_t i = 0; i < lines.size(); ++i) {
        const auto& line = lines[(i * (2 * thread + 1)) % lines.size()];
        const auto ids = tokenizer.encode(line["text"].get_ref<const std::string&>());
        num_wrong[thread] += ids != line["ids"].get<std::vector<int32_t>>();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(num_wrong, std::vector<int>(4));
}

TEST(ByteLevel, SpellsEveryByteAndBack) {
  EXPECT_EQ(byte_level_encode(" the\n"), "ĠtheĊ");
  EXPECT_EQ(byte_level_decode("Ġ the"), std::nullopt);
  EXPECT_EQ(byte_level_decode("世"), std::nullopt);
  for (int byte = 0; byte < 256; ++byte) {
    const std::string bytes(1, static_cast<char>(byte));
    EXPECT_EQ(byte_level_decode(byte_level_encode(bytes)), bytes);
  }
}

}  // namespace
}  // namespace vlsi
