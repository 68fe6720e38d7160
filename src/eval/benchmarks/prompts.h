// The texts around questions that several benchmarks share.
#pragma once

#include <string>

#include "eval/item.h"

namespace vlsi {

inline constexpr std::string_view kAnswerWithLetter =
    "Answer with the option's letter from the given choices directly.";
inline constexpr std::string_view kAnswerWithWord = "Answer the question using a single word or phrase.";

/// "A. cat\nB. dog", or with other texts around the letter and between the options.
std::string listed_options(const Item& item, std::string_view before = "", std::string_view after = ". ",
                           std::string_view between = "\n");

/// VLMEvalKit's question with options: "Hint: …\nQuestion: …\nOptions:\nA. …\n" and the request to select.
std::string vlmevalkit_choice_prompt(const Item& item);

/// Question, options and the request for a letter, a line each: lmms-eval's usual form.
std::string lmms_choice_prompt(const Item& item);

/// The same with the hint, if any, in front: the form of the evaluator of the method's authors.
std::string vlsi_choice_prompt(const Item& item);

/// The question alone; with the request for a word or phrase on the next line.
std::string bare_question(const Item& item);
std::string word_prompt(const Item& item);

/// Whether the item has options that its question does not list: each text behind its letter, in their order.
bool options_are_apart(const Item& item);

/// The row's own prompt, in rows of a benchmark with these rules.
std::string own_prompt(const Item& item);

/// The rules for rows that have a prompt of their own, as those do that `prompts_in` names.
Rules asking_own_prompt(Rules rules, std::string_view prompts_in);

/// lmms-eval's note that the answer is one of the options' letters.
std::string letters_note(const Item& item);

/// Python's str.capitalize.
std::string capitalized(const std::string& text);

}  // namespace vlsi
