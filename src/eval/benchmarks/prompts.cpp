#include "eval/benchmarks/prompts.h"

#include <algorithm>

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

bool options_are_apart(const Item& item) {
  size_t from = 0;
  for (const auto& option : item.options) {
    size_t found = std::string::npos;
    for (const char* after : {". ", ": ", ") "}) {
      found = std::min(found, item.question.find(concat(to_utf8(option.label), after, to_utf8(option.text)), from));
    }
    if (found == std::string::npos) return true;
    from = found + 1;
  }
  return false;
}

std::string own_prompt(const Item& item) { return item.row.at("prompt").get<std::string>(); }

Rules asking_own_prompt(Rules rules, std::string_view prompts_in) {
  rules.prompts_in = prompts_in;
  return rules;
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
