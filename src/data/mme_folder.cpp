#include "data/mme_folder.h"

#include <algorithm>
#include <optional>

#include "base/mapped_file.h"
#include "base/quoted.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

/// Where a task's texts and pictures are.
struct Task {
  fs::path texts, pictures;
};

std::optional<Task> task_of(const fs::path& folder) {
  if (!fs::is_directory(folder)) return std::nullopt;
  const auto texts = folder / "questions_answers_YN", pictures = folder / "images";
  if (fs::is_directory(texts) && fs::is_directory(pictures)) return Task{texts, pictures};
  for (const auto& path : sorted_entries(folder)) {
    if (path.extension() == ".txt") return Task{folder, folder};
  }
  return std::nullopt;
}

fs::path root_of(const fs::path& folder) {
  for (const char* name : {"MME_Benchmark_release_version", "MME_Benchmark"}) {
    if (fs::is_directory(folder / name)) return root_of(folder / name);
  }
  return folder;
}

fs::path picture_beside(const fs::path& pictures, const fs::path& text) {
  for (const char* ending : {".jpg", ".png", ".jpeg", ".JPG", ".PNG"}) {
    const auto path = pictures / (text.stem().string() + ending);
    if (fs::exists(path)) return path;
  }
  fail(text.string(), ": ", pictures.string(), " has no picture of this name, .jpg or .png");
}

std::vector<std::pair<std::string, std::string>> read_questions(const fs::path& path) {
  std::vector<std::pair<std::string, std::string>> questions;
  const auto file = MappedFile::open(path);
  std::string_view rest = file->text();
  for (int number = 1; !rest.empty(); ++number) {
    auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    while (line.ends_with('\r') || line.ends_with(' ')) line.remove_suffix(1);
    if (line.empty()) continue;
    const size_t tab = line.rfind('\t');
    const auto answer = tab == line.npos ? std::string_view() : line.substr(tab + 1);
    if (answer != "Yes" && answer != "No") {
      fail(path.string(), ", line ", number, ": ends with no tab and Yes or No");
    }
    questions.emplace_back(line.substr(0, tab), answer);
  }
  if (questions.size() != 2) {
    fail(path.string(), ": has ", questions.size(), questions.size() == 1 ? " question" : " questions", ", expected 2");
  }
  return questions;
}

}  // namespace

bool is_mme_folder(const fs::path& folder) {
  const auto root = root_of(folder);
  if (!fs::is_directory(root)) return false;
  const auto entries = sorted_entries(root);
  return std::any_of(entries.begin(), entries.end(), [](const fs::path& path) { return task_of(path).has_value(); });
}

std::vector<std::pair<std::string, Json>> read_mme_folder(const fs::path& folder) {
  std::vector<std::pair<std::string, Json>> rows;
  for (const auto& path : sorted_entries(root_of(folder))) {
    const auto task = task_of(path);
    if (!task) continue;
    const auto name = path.filename().string();
    for (const auto& text : sorted_entries(task->texts)) {
      if (text.extension() != ".txt") continue;
      const auto picture = picture_beside(task->pictures, text);
      int number = 1;
      for (const auto& [question, answer] : read_questions(text)) {
        const auto id = concat(name, "/", text.stem().string(), "/", number++);
        rows.emplace_back(id, Json{{"id", id},
                                   {"category", name},
                                   {"question_id", picture.filename().string()},
                                   {"image", fs::relative(picture, folder).string()},
                                   {"question", question},
                                   {"answer", answer}});
      }
    }
  }
  return rows;
}

}  // namespace vlsi
