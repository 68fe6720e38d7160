#include "eval/benchmarks/prompts.h"

#include "base/error.h"

namespace vlsi {

std::string listed_options(const Item& item, std::string_view before, std::string_view after,
                           std::string_view between) {
  std::string list;
  for (const auto& option : item.options) {
    list += concat(list.empty() ? "" : between, before, to_utf8(option.label), after, to_utf8(option.text));
  }
  return list;
}

std::string vlmevalkit_choice_prompt(const Item& item) {
  std::string prompt = item.hint.empty() ? "" : concat("Hint: ", item.hint, "\n");
  prompt += concat("Question: ", item.question, "\n");
  if (item.options.empty()) return prompt;
  return prompt +
         concat("Options:\n", listed_options(item), "\nPlease select the correct answer from the options above. \n");
}

std::string lmms_choice_prompt(const Item& item) {
  return concat(item.question, "\n", listed_options(item), "\n", kAnswerWithLetter);
}

std::string vlsi_choice_prompt(const Item& item) {
  return (item.hint.empty() ? "" : item.hint + "\n") + lmms_choice_prompt(item);
}

std::string bare_question(const Item& item) { return item.question; }

std::string word_prompt(const Item& item) { return concat(item.question, "\n", kAnswerWithWord); }

std::string own_prompt(const Item& item) {
  const auto prompt = item.row.find("prompt");
  return prompt != item.row.end() && prompt->is_string() ? prompt->get<std::string>() : item.question;
}

std::string letters_note(const Item& item) {
  std::string letters;
  for (const auto& option : item.options) letters += (letters.empty() ? "" : ", ") + to_utf8(option.label);
  return concat("Note: You only need to respond with ", letters, " without providing any additional information.");
}

std::string capitalized(const std::string& text) {
  const Text all = to_text(text);
  if (all.empty()) return text;
  return to_utf8(Text(1, upper_letter(all[0])) + lower(TextView(all).substr(1)));
}

}  // namespace vlsi
