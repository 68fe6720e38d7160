#include "eval/benchmarks/choice_rows.h"

#include "base/error.h"
#include "eval/judge/judge_rule.h"
#include "eval/scoring/letters.h"
#include "eval/scoring/mmmu_choice.h"
#include "text/python/python_number.h"

namespace vlsi {

std::string id_of(const RowReader& row, RowReader::Keys ids) {
  if (row.find(ids) != nullptr) return row.text(ids);
  return concat(row.rows.file(row.number), ":", row.rows.number(row.number) + 1);
}

Tags usual_tags(const RowReader& row) {
  Tags tags;
  const auto add = [&](const char* name, RowReader::Keys keys) {
    if (row.find(keys) != nullptr) tags.emplace_back(name, row.text(keys));
  };
  add("category", {"category"});
  add("l2-category", {"l2-category", "l2_category", "L2-category"});
  add("split", {"split"});
  return tags;
}

std::vector<Text> gold_letter(const RowReader& row, RowReader::Keys keys) {
  if (row.find(keys) == nullptr) return {};
  const Text text = to_text(row.text(keys));
  TextView answer = strip(strip(text), U"()");
  if (const auto number = parse_int(answer); number && number->size() <= 2) {
    constexpr int kLetters = 26;
    const int place = std::stoi(to_utf8(*number));
    if (place >= 0 && place < kLetters) return {Text(1, option_letter(static_cast<size_t>(place)))};
  }
  return {Text(answer)};
}

std::vector<Text> unopened_golds(const Item& item, RowReader::Keys keys) {
  for (const char* key : keys) {
    const auto raw = item.row.find(key);
    if (raw == item.row.end() || raw->is_null()) continue;
    if (raw->is_string()) return {to_text(raw->get_ref<const std::string&>())};
    break;
  }
  return item.golds;
}

Item read_choice(const RowReader& row, RowReader::Keys ids) {
  Item item;
  item.id = id_of(row, ids);
  item.question = row.text({"question", "Question", "prompt"});
  item.hint = row.text_or({"hint"}, "");
  item.options = row.options({"options", "choices", "candidates"});
  item.golds = gold_letter(row, {"answer"});
  item.gold_is_option = true;
  item.tags = usual_tags(row);
  return item;
}

Mark mark_by_matcher(const Item& item, TextView answer, const Profile& profile) {
  const auto letter = match_option(answer, item.options, profile.matcher);
  return letter ? mark_letter(letter, item) : Mark{"Z", 0, false};
}

Rules vlmevalkit_choice(std::string (*prompt)(const Item& item),
                        std::vector<Figure> (*figures)(const std::vector<Verdict>& verdicts), bool interleaved) {
  return {Community::kVlmEvalKit, prompt, mark_by_matcher, figures, interleaved, &option_judge(),
          /*needs_options=*/true};
}

Mark mark_by_mmmu_lmms(const Item& item, TextView answer, const Profile&) {
  return mark_letter(mmmu_letter(answer, item.options, MmmuRule::kLmms), item);
}

Mark mark_by_choice(const Item& item, TextView answer, const Profile&) {
  const int64_t choice = convert_to_choice(answer, item.options.size());
  return mark_letter(choice < 0 ? std::nullopt : std::optional(Text(1, option_letter(static_cast<size_t>(choice)))),
                     item);
}

std::vector<Content> usual_pictures(const RowReader& row) { return row.pictures({"image", "image_path", "img_path"}); }

}  // namespace vlsi
