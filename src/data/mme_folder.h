// MME's folder: a folder a task, two questions a picture.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace vlsi {

/// Whether the folder, or the folder MME_Benchmark or MME_Benchmark_release_version in it, holds tasks.
bool is_mme_folder(const std::filesystem::path& folder);

/// The questions, by task and by the name of the text file: {"category", "question_id" (the picture's name), "image"
/// (under `folder`), "question", "answer"} with "task/picture/1" and "/2" as their ids.
///
/// A task has the pictures beside the text files, or in `images` with the texts in `questions_answers_YN`. A text file
/// has two lines: a question, a tab, and Yes or No. Error naming file and line for other lines, a number of them that
/// is not 2, and a text without a picture of its name.
std::vector<std::pair<std::string, Json>> read_mme_folder(const std::filesystem::path& folder);

}  // namespace vlsi
