// A study's files, made by hand: a run's file, data that are there, and the study.
#pragma once

#include <string>

#include "study/stages.h"
#include "tests/support/files.h"

namespace vlsi::study_test {

namespace fs = std::filesystem;

inline const char* const kRun =
    "teacher: {model: $teacher/model, layers: [1, 2], verbalizers: $words/teacher-verbalizers}\n"
    "student: {model: DIR/small, layers: [1], verbalizers: $words/student-verbalizers}\n"
    "data: {train: [{path: DIR/data.json}]}\n"
    "interact: {iterations: 5, train: [decoder]}\n"
    "finetune: {iterations: 4}\n";
inline const char* const kWords =
    "teacher: {model: $teacher/model, layers: [1, 2]}\n"
    "student: {model: DIR/small, layers: [1]}\n"
    "data: {train: [{path: DIR/data.json}]}\n"
    "verbalize: {iterations: 3}\n"
    "interact: {iterations: 0}\n"
    "finetune: {iterations: 0}\n";
inline const char* const kTeacher =
    "student: {model: $large/model}\n"
    "data: {train: [{path: DIR/data.json}]}\n"
    "finetune: {iterations: 7}\n";
inline const char* const kStudy =
    "out: DIR/out\n"
    "seeds: [1, 2]\n"
    "base: distilled\n"
    "baseline: last\n"
    "threads: 1\n"
    "cores: 2\n"
    "stages:\n"
    "  - {name: large, command: init, options: [config=DIR/large.json, tokenizer=DIR/small], seeds: [1]}\n"
    "  - {name: teacher, command: finetune, run: DIR/teacher.yaml, threads: 2, seeds: [1]}\n"
    "  - {name: words, command: distill, run: DIR/words.yaml}\n"
    "  - {name: distilled, command: distill, run: DIR/run.yaml}\n"
    "variants:\n"
    "  - {name: teacher, stage: teacher}\n"
    "  - {name: vlsi, title: VLsI}\n"
    "  - {name: last, set: [interact.intermediate_loss=none]}\n"
    "evaluate:\n"
    "  - {name: questions, options: [benchmark=easy-vqa, data=DIR/data.json]}\n";

/// Files of a study in a folder, DIR in them.
class StudyFolder {
 public:
  StudyFolder() {
    for (const auto& [name, text] : std::map<std::string, std::string>{{"run.yaml", kRun},
                                                                       {"words.yaml", kWords},
                                                                       {"teacher.yaml", kTeacher},
                                                                       {"study.yaml", kStudy},
                                                                       {"data.json", "[]"},
                                                                       {"large.json", "{}"},
                                                                       {"small/config.json", "{}"}}) {
      write(name, text);
    }
  }

  fs::path operator/(const std::string& name) const { return folder_ / name; }
  std::string study() const { return (folder_ / "study.yaml").string(); }

  void write(const std::string& name, const std::string& text) const { folder_.write(name, in_place(text)); }
  /// The file with `from` in the place of `to`.
  void change(const std::string& name, const std::string& from, const std::string& to) const {
    auto text = content_of(folder_ / name);
    const auto here = in_place(from);
    const auto at = text.find(here);
    ASSERT_NE(at, text.npos) << from;
    write(name, text.replace(at, here.size(), to));
  }

  StudyConfig load(const std::vector<std::string>& overrides = {}) const { return load_study(study(), overrides); }
  StudyStages expand(const std::vector<std::string>& overrides = {}) const {
    return vlsi::expand(load(overrides), study());
  }

 private:
  std::string in_place(std::string text) const {
    for (size_t at; (at = text.find("DIR")) != text.npos;) text.replace(at, 3, folder_.path().string());
    return text;
  }

  Folder folder_;
};

/// The stage of that name and seed; there is one.
inline const Stage& find_stage(const StudyStages& all, const std::string& name, uint64_t seed = 1) {
  const Stage* found = nullptr;
  for (const auto& stage : all.stages) {
    if (stage.name != name || stage.seed != seed) continue;
    EXPECT_EQ(found, nullptr) << name << " is there twice";
    found = &stage;
  }
  if (found == nullptr) throw std::runtime_error("no stage " + name);
  return *found;
}

}  // namespace vlsi::study_test
