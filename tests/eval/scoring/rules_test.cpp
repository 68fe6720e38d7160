// The scoring rules that have no program to be compared with here, by what the authors' scripts say.
#include <gtest/gtest.h>

#include "eval/scoring/judge_reply.h"
#include "eval/scoring/letters.h"
#include "eval/scoring/mmmu_open.h"
#include "eval/scoring/yes_no.h"
#include "text/python/python_number.h"

namespace vlsi {
namespace {

TEST(PopeRule, LooksForANegationInTheFirstSentence) {
  const auto said = [](TextView reply) { return yes_no_of_pope(reply) == YesNo::kYes ? "yes" : "no"; };
  EXPECT_STREQ(said(U"Yes, no doubt"), "no");
  EXPECT_STREQ(said(U"NO"), "yes");
  EXPECT_STREQ(said(U"no\n"), "yes");
  EXPECT_STREQ(said(U"A cat. There is no dog"), "yes");
  EXPECT_STREQ(said(U"It is not, there"), "no");
}

TEST(MmeRule, LooksAtFourCharacters) {
  EXPECT_EQ(yes_no_of_mme(U"Know"), YesNo::kNo);
  EXPECT_EQ(yes_no_of_mme(U"  yes"), YesNo::kNeither);
  EXPECT_EQ(yes_no_of_mme_lmms(U"  yes"), YesNo::kYes);
  EXPECT_EQ(yes_no_of_mme(U"y"), YesNo::kNeither);
  EXPECT_EQ(yes_no_of_mme_lmms(U"N."), YesNo::kNo);
}

TEST(MmstarRule, TakesALetterInFourPlaces) {
  for (const TextView reply : {TextView(U"a"), TextView(U"(A"), TextView(U"Option A"), TextView(U"\nAn apple"),
                               TextView(U"The answer is A")}) {
    EXPECT_TRUE(mmstar_right(reply, U"A")) << to_utf8(reply);
  }
  for (const TextView reply :
       {TextView(U""), TextView(U"("), TextView(U"**A**"), TextView(U"The answer is (A)"), TextView(U"option")}) {
    EXPECT_FALSE(mmstar_right(reply, U"A")) << to_utf8(reply);
  }
}

TEST(BlinkRule, OfTheAuthorsTakesAnOptionOrAsksAJudge) {
  EXPECT_EQ(blink_option(U"B", 2), U"(B)");
  EXPECT_EQ(blink_option(U"(A) and then (B)\n\nso (B)", 2), U"(B)");
  EXPECT_EQ(blink_option(U"it is (A) here", 2), U"(A)");
  EXPECT_EQ(blink_option(U"(A) or (B)", 2), std::nullopt);
  EXPECT_EQ(blink_option(U"it is (C)", 2), std::nullopt);
  EXPECT_EQ(bracketed_or_whole(U"it is (b), not (A)"), U"b");
  EXPECT_EQ(bracketed_or_whole(U"A"), U"A");
}

TEST(JudgeReplies, AreReadAsNumbers) {
  EXPECT_EQ(mmvet_score({U"1.0 (right)", U"nan", U" 0.4\n"}), 0.4);
  EXPECT_EQ(mmvet_score({U"a", U"b", U"c", U"d", U"e", U"1"}), 0);
  EXPECT_EQ(mmvet_first_word(U"0.5 since"), 0.5);
  EXPECT_EQ(mmvet_first_word(U"1.5"), std::nullopt);
  EXPECT_EQ(wilder_scores(U"10,8\nbecause"), std::pair(10.0, 8.0));
  EXPECT_EQ(wilder_scores(U"10, 8"), std::pair(-1.0, -1.0));
}

TEST(PythonNumbers, AreReadRoundedAndWritten) {
  EXPECT_EQ(parse_float(U" 1_000.5\n"), 1000.5);
  EXPECT_EQ(parse_float(U"１２"), 12);
  EXPECT_EQ(parse_float(U"1e999"), INFINITY);
  for (const TextView bad : {TextView(U""), TextView(U"1__0"), TextView(U"_1"), TextView(U"0x5"), TextView(U"1e"),
                             TextView(U"."), TextView(U"1,000"), TextView(U"5\x1C")}) {
    EXPECT_EQ(parse_float(bad), std::nullopt) << to_utf8(bad);
  }
  EXPECT_EQ(parse_int(U" -007 "), U"-7");
  EXPECT_EQ(parse_int(U"-0"), U"0");
  EXPECT_EQ(parse_int(U"7.0"), std::nullopt);
  EXPECT_EQ(parse_int(Text(4301, U'1')), std::nullopt);
  EXPECT_EQ(float_text(round_to(2.675, 2)), U"2.67");
  EXPECT_EQ(float_text(round_to(0.125, 2)), U"0.12");
  EXPECT_EQ(float_text(round_to(-0.5, 0)), U"-0.0");
  EXPECT_EQ(float_text(round_to(25, -1)), U"20.0");
  EXPECT_EQ(float_text(round_to(35.5, -1)), U"40.0");
  EXPECT_EQ(float_text(round_to(99, -2)), U"100.0");
  EXPECT_EQ(float_text(1e16), U"1e+16");
  EXPECT_EQ(float_text(1e-5), U"1e-05");
  EXPECT_EQ(float_text(123456789012345680), U"1.2345678901234568e+17");
  EXPECT_EQ(whole_text(-3.9), U"-3");
  EXPECT_EQ(whole_text(1e22), U"10000000000000000000000");
}

TEST(MmmuOpenRule, ReadsRepliesOfAnyLength) {
  Text reply = U"1";
  for (int i = 0; i < 20'000; ++i) reply += U",000";
  EXPECT_FALSE(mmmu_open_right(reply, {U"2"}));
}

}  // namespace
}  // namespace vlsi
