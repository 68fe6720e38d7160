// MMMU's rule for the letter in a reply, which its authors and lmms-eval wrote alike but for one step.
#pragma once

#include <optional>

#include "eval/scoring/options.h"

namespace vlsi {

enum class MmmuRule {
  kOfficial,  // a letter between spaces
  kLmms       // a letter before a space, then one before a point
};

/// The label of an option; nothing where the rule guesses at random.
std::optional<Text> mmmu_letter(TextView reply, const Options& options, MmmuRule rule);

/// MMMU-Pro's own: the one letter after the last "Answer:", else as lmms-eval's MMMU.
std::optional<Text> mmmu_pro_letter(TextView reply, const Options& options);

}  // namespace vlsi
