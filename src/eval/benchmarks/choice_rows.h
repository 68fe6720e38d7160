// Multiple-choice questions as the files of several benchmarks have them, and the rules that several share.
#pragma once

#include "eval/item.h"

namespace vlsi {

/// Id (`keys`, else file and number), question, hint, options (of columns A, B, …, else of the lists under `options` or
/// `choices`), the gold as a letter (`answer`: a letter, in brackets or not, or an option's number from 0), and the
/// tags category, l2-category and split.
Item read_choice(const RowReader& row, RowReader::Keys ids);

/// The tags category, l2-category and split, as far as the row has them.
Tags usual_tags(const RowReader& row);

/// The id under one of the keys, else the file and the number in it.
std::string id_of(const RowReader& row, RowReader::Keys ids);

/// A letter, "(A)", or a number from 0, as the letter; other texts, and numbers that no letter has, as they are;
/// nothing for none.
std::vector<Text> gold_letter(const RowReader& row, RowReader::Keys keys);

/// The golds; of a row that has one text under a key that text alone, also where it looks like a list.
std::vector<Text> unopened_golds(const Item& item, RowReader::Keys keys);

/// VLMEvalKit's matcher of the profile.
Mark mark_by_matcher(const Item& item, TextView answer, const Profile& profile);

/// VLMEvalKit's way with multiple choice: its matcher, a judge about what that cannot tell, options of the row's own.
Rules vlmevalkit_choice(std::string (*prompt)(const Item& item),
                        std::vector<Figure> (*figures)(const std::vector<Verdict>& verdicts), bool interleaved = false);

/// MMMU's rule of lmms-eval.
Mark mark_by_mmmu_lmms(const Item& item, TextView answer, const Profile& profile);

/// convert_to_choice of the evaluator of the method's authors.
Mark mark_by_choice(const Item& item, TextView answer, const Profile& profile);

/// The pictures of a table, or under `image`.
std::vector<Content> usual_pictures(const RowReader& row);

}  // namespace vlsi
