// Every part of tokenizer.json that the tokenizer cannot honour is an error that names it.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "base/json.h"
#include "tests/support/errors.h"
#include "tests/support/files.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"

namespace vlsi {
namespace {

const Json& toy() {
  static const Json json = read_json(VLSI_TEST_DATA "/tokenizer/toy/tokenizer.json");
  return json;
}

Tokenizer load_text(const std::string& text) {
  const Folder folder({{"tokenizer.json", text}});
  return Tokenizer::load(folder.path());
}

Tokenizer load_changed(const std::function<void(Json&)>& change) {
  Json json = toy();
  change(json);
  return load_text(json.dump());
}

void expect_refused(const std::function<void(Json&)>& change, const std::vector<std::string>& parts) {
  expect_error([&] { load_changed(change); }, parts);
}

Json split(const std::string& pattern) {
  return {{"type", "Sequence"},
          {"pretokenizers",
           {{{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}},
            {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", false}, {"use_regex", false}}}}};
}

TEST(TokenizerFile, RefusesAMissingFile) {
  const Folder folder;
  expect_error([&] { Tokenizer::load(folder.path()); }, {"tokenizer.json"});
}

TEST(TokenizerFile, RefusesWhatIsNoJson) {
  expect_error([] { load_text("{\"model\": "); }, {"tokenizer.json"});
  expect_error([] { load_text("[1, 2]"); }, {"tokenizer.json", "an object"});
}

TEST(TokenizerFile, RefusesUnknownParts) {
  expect_refused([](Json& j) { j["normalizer"] = {{"type", "Lowercase"}}; }, {"normalizer", "Lowercase", "NFC"});
  expect_refused([](Json& j) { j["normalizer"] = "NFC"; }, {"normalizer", "a string"});
  expect_refused([](Json& j) { j["pre_tokenizer"] = {{"type", "Whitespace"}}; }, {"pre_tokenizer", "Whitespace"});
  expect_refused([](Json& j) { j.erase("pre_tokenizer"); }, {"pre_tokenizer"});
  expect_refused([](Json& j) { j["model"]["type"] = "Unigram"; }, {"model", "Unigram", "BPE"});
  expect_refused([](Json& j) { j.erase("model"); }, {"model"});
  expect_refused([](Json& j) { j["decoder"] = {{"type", "Metaspace"}}; }, {"decoder", "Metaspace", "ByteLevel"});
  expect_refused([](Json& j) { j["post_processor"]["type"] = "TemplateProcessing"; }, {"post_processor", "Template"});
  expect_refused([](Json& j) { j["surprise"] = 1; }, {"surprise"});
}

TEST(TokenizerFile, IgnoresHowItWasLastCalled) {
  const std::string text = "a text that is longer than the two tokens it was cut to";
  const auto plain = load_changed([](Json&) {}).encode(text);
  const auto saved = load_changed([](Json& j) {
    j["truncation"] = {{"direction", "Right"}, {"max_length", 2}, {"strategy", "LongestFirst"}, {"stride", 0}};
    j["padding"] = {{"strategy", {{"Fixed", 512}}}, {"direction", "Left"}, {"pad_id", 0}};
  });
  EXPECT_EQ(saved.encode(text), plain);
}

TEST(TokenizerFile, RefusesUnknownSettings) {
  expect_refused([](Json& j) { j["pre_tokenizer"]["add_prefix_space"] = true; }, {"pre_tokenizer", "add_prefix_space"});
  expect_refused([](Json& j) { j["pre_tokenizer"]["use_regex"] = false; }, {"pre_tokenizer", "use_regex"});
  expect_refused([](Json& j) { j["model"]["dropout"] = 0.1; }, {"model", "dropout"});
  expect_refused([](Json& j) { j["model"]["byte_fallback"] = true; }, {"model", "byte_fallback"});
  expect_refused([](Json& j) { j["model"]["end_of_word_suffix"] = "</w>"; }, {"model", "end_of_word_suffix"});
  expect_refused([](Json& j) { j["added_tokens"][0]["lstrip"] = true; }, {"added_tokens[0]", "lstrip"});
  expect_refused([](Json& j) { j["added_tokens"][1]["single_word"] = true; }, {"added_tokens[1]", "single_word"});
  expect_refused(
      [](Json& j) {
        j["pre_tokenizer"] = split("a");
        j["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Removed";
      },
      {"pretokenizers[0]", "Removed", "Isolated"});
  expect_refused(
      [](Json& j) {
        j["pre_tokenizer"] = split("a");
        j["pre_tokenizer"]["pretokenizers"][0]["pattern"] = {{"String", "a"}};
      },
      {"pretokenizers[0]", "pattern", "String"});
}

TEST(TokenizerFile, RefusesContradictoryVocabularies) {
  expect_refused([](Json& j) { j["model"]["vocab"]["the"] = 5; }, {"vocab", "'the'", "both have id 5"});
  expect_refused([](Json& j) { j["model"]["vocab"]["the"] = -1; }, {"vocab", "'the'", "-1"});
  expect_refused([](Json& j) { j["model"]["vocab"]["the"] = 4'000'000'000; }, {"vocab", "'the'", "4000000000"});
  expect_refused([](Json& j) { j["model"]["vocab"]["the"] = 18'446'744'073'709'551'615u; }, {"vocab", "'the'"});
  expect_refused([](Json& j) { j["model"]["vocab"]["the"] = 1.5; }, {"vocab", "'the'"});
  expect_refused([](Json& j) { j["model"]["vocab"]["the"] = "x"; }, {"vocab", "'the'", "a string"});
  expect_refused([](Json& j) { j["model"]["vocab"]["a b"] = 900; }, {"vocab", "'a b'", "alphabet"});
  expect_refused([](Json& j) { j["model"]["vocab"].erase("Ġ"); }, {"vocab", "byte 32"});
  expect_refused([](Json& j) { j["model"]["vocab"] = Json::array(); }, {"vocab", "an array"});
  expect_refused([](Json& j) { j["added_tokens"][0]["id"] = 5; }, {"vocab", "id 5", "<end>"});
  expect_refused([](Json& j) { j["added_tokens"][0]["id"] = -3; }, {"added_tokens[0]", "-3"});
  expect_refused([](Json& j) { j["added_tokens"][0]["content"] = ""; }, {"added_tokens[0]", "empty"});
  expect_refused([](Json& j) { j["added_tokens"][1] = j["added_tokens"][0]; }, {"added_tokens[1]", "before"});
}

TEST(TokenizerFile, RefusesBrokenMerges) {
  expect_refused([](Json& j) { j["model"]["merges"].push_back({"q", "zz"}); }, {"merges[", "'zz'"});
  expect_refused([](Json& j) { j["model"]["merges"].push_back({"q", "q"}); }, {"merges[", "'qq'"});
  expect_refused([](Json& j) { j["model"]["merges"].push_back("abc"); }, {"merges[", "'abc'"});
  expect_refused([](Json& j) { j["model"]["merges"].push_back("a b c"); }, {"merges[", "'a b c'"});
  expect_refused([](Json& j) { j["model"]["merges"].push_back(7); }, {"merges["});
  expect_refused([](Json& j) { j["model"].erase("merges"); }, {"merges"});
}

TEST(TokenizerFile, RefusesBadPatterns) {
  const std::string place = "pretokenizers[0]: pattern";
  expect_refused([](Json& j) { j["pre_tokenizer"] = split("(a"); }, {place, "(a"});
  expect_refused([](Json& j) { j["pre_tokenizer"] = split("a*"); }, {place, "empty"});
  expect_refused([](Json& j) { j["pre_tokenizer"] = split("\\w+"); }, {place, "'\\w'"});
  expect_refused([](Json& j) { j["pre_tokenizer"] = split("\\p{Lu}+"); }, {place, "'\\p{Lu}'"});
  expect_refused([](Json& j) { j["pre_tokenizer"] = split("[a[bc]]"); }, {place, "within a class"});
  expect_refused([](Json& j) { j["pre_tokenizer"] = split("^a"); }, {place, "'^'"});
  expect_refused([](Json& j) { j["pre_tokenizer"] = split("a\\"); }, {place});
}

/// The toy, and a tokenizer_config.json with this added_tokens_decoder.
Tokenizer load_with_config(const Json& decoder) {
  const Folder folder(
      {{"tokenizer.json", toy().dump()}, {"tokenizer_config.json", Json{{"added_tokens_decoder", decoder}}.dump()}});
  return Tokenizer::load(folder.path());
}

TEST(TokenizerFile, HasTheAddedTokensOfTokenizerConfigToo) {
  Json decoder{{"309", {{"content", "<end>"}, {"special", true}}},
               {"312", {{"content", "<loc>"}, {"lstrip", false}, {"normalized", false}, {"special", false}}},
               {"313", {{"content", "<more>"}, {"special", true}, {"something", "else"}}},
               {"314", {{"content", "e\u0301"}}},
               {"5", {{"content", "&"}}}};
  const auto tokenizer = load_with_config(decoder);
  EXPECT_EQ(tokenizer.size(), 315);
  EXPECT_EQ(tokenizer.encode("<loc><more>&e\u0301<end>"), (std::vector<int32_t>{312, 313, 5, 314, 309}));
  const auto plain = tokenizer.encode("<loc><more>", SpecialText::kPlain);
  EXPECT_EQ(plain.front(), 312);
  EXPECT_EQ(std::count(plain.begin(), plain.end(), 313), 0);
  EXPECT_EQ(tokenizer.decode(plain), "<loc><more>");
  EXPECT_TRUE(tokenizer.is_special(313));
  EXPECT_FALSE(tokenizer.is_special(314));
  EXPECT_EQ(tokenizer.added_by_config(), "5 normalized &\n312 <loc>\n313 special <more>\n314 normalized e\u0301\n");
  EXPECT_EQ(load_with_config({{"309", {{"content", "<end>"}}}}).added_by_config(), "");
  EXPECT_EQ(load_with_config(nullptr).size(), 312);
}

TEST(TokenizerFile, RefusesAddedTokensOfTokenizerConfigThatContradictIt) {
  const auto expect_wrong = [](const Json& decoder, const std::vector<std::string>& parts) {
    auto all = parts;
    all.push_back("tokenizer_config.json: added_tokens_decoder: ");
    expect_error([&] { load_with_config(decoder); }, all);
  };
  expect_wrong({{"309", {{"content", "<loc>"}}}}, {": 309: is '<loc>', but '<end>' with id 309 is in the tokenizer"});
  expect_wrong({{"312", {{"content", "<end>"}}}}, {": 312: is '<end>', but '<end>' with id 309 is in the tokenizer"});
  expect_wrong({{"5", {{"content", "<loc>"}}}}, {": 5: is '<loc>', but '&' with id 5 is in the tokenizer"});
  expect_wrong({{"312", {{"content", "&"}}}}, {": 312: is '&', but '&' with id 5 is in the tokenizer"});
  expect_wrong({{"312", {{"content", "<a>"}}}, {"313", {{"content", "<a>"}}}},
               {": 313: is '<a>', but '<a>' with id 312"});
  expect_wrong({{"320", {{"content", "<loc>"}}}},
               {": 320: is '<loc>'", "transformers gives the next id, expected 312"});
  for (const char* key : {"x", "-1", "0312", "312 ", "", "99999999999", "16777216"})
    expect_wrong({{key, {{"content", "<loc>"}}}}, {concat("found key '", key, "', expected an id")});
  expect_wrong({{"312", "<loc>"}}, {": 312: "});
  expect_wrong({{"312", Json::object()}}, {": 312: key 'content' is missing"});
  expect_wrong({{"312", {{"content", ""}}}}, {": 312: the content is empty"});
  expect_wrong({{"312", {{"content", "<loc>"}, {"special", 1}}}}, {": 312: key 'special' is "});
  for (const char* key : {"lstrip", "rstrip", "single_word"})
    expect_wrong({{"312", {{"content", "<loc>"}, {key, true}}}}, {concat(": 312: key '", key, "' is true")});
  expect_wrong(Json::array({1}), {"found an array, expected an object"});
}

TEST(TokenizerFile, KeepsWhatThePatternDoesNotMatch) {
  const Tokenizer tokenizer = load_changed([](Json& j) { j["pre_tokenizer"] = split("[^\\S]|\\p{N}"); });
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("the 12 cats")), "the 12 cats");
}

TEST(TokenizerFile, ReadsMergesAsStringsAndAsPairs) {
  const std::string text = "the dog's théâtre sat";
  const auto strings = load_changed([](Json& j) {
    for (Json& merge : j["model"]["merges"]) {
      if (merge.is_array()) merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
    }
  });
  const auto pairs = load_changed([](Json& j) {
    for (Json& merge : j["model"]["merges"]) {
      if (!merge.is_string()) continue;
      const auto pair = merge.get<std::string>();
      merge = {pair.substr(0, pair.find(' ')), pair.substr(pair.find(' ') + 1)};
    }
  });
  EXPECT_EQ(strings.encode(text), pairs.encode(text));
  EXPECT_LT(strings.encode(text).size(), text.size() / 2);
}

TEST(TokenizerFile, TakesAWholeWordBeforeItsMergesIfToldSo) {
  const auto with_word = [](bool ignore_merges) {
    return load_changed([&](Json& j) {
      j["model"]["vocab"]["zzq"] = 900;
      j["model"]["ignore_merges"] = ignore_merges;
    });
  };
  EXPECT_EQ(with_word(true).encode("zzq"), std::vector<int32_t>{900});
  EXPECT_EQ(with_word(false).encode("zzq").size(), 3);
  EXPECT_EQ(with_word(true).size(), 901);
  EXPECT_EQ(with_word(true).bytes(899), "");  // a gap
}

}  // namespace
}  // namespace vlsi
