#include "eval/scoring/options.h"

namespace vlsi {

Options make_options(const std::vector<Text>& texts) {
  Options options;
  for (size_t i = 0; i < texts.size(); ++i) options.push_back({Text(1, option_letter(i)), texts[i]});
  return options;
}

const Option* find_option(const Options& options, TextView label) {
  for (const auto& option : options) {
    if (option.label == label) return &option;
  }
  return nullptr;
}

}  // namespace vlsi
