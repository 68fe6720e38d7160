// The shape of the source tree: includes go only downward, headers are guarded, files and functions stay short.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <regex>
#include <string>
#include <vector>

namespace vlsi {
namespace {

namespace fs = std::filesystem;

constexpr int kLineLimit = 400, kFunctionLimit = 60;

/// The height of each folder of src/. Folders of one height do not know each other.
const std::map<std::string, int> kHeights = {
    {"base", 0},     {"text", 1},   {"picture", 1},   {"ranks", 1},      {"gguf", 1},    {"data", 2},
    {"model", 3},    {"family", 4}, {"objective", 5}, {"checkpoint", 5}, {"teacher", 6}, {"train", 6},
    {"generate", 6}, {"method", 7}, {"run", 8},       {"eval", 9},       {"lens", 9},    {"plan", 9},
    {"report", 10},  {"study", 11}, {"serve", 11},    {"cli", 12},
};

struct SourceFile {
  fs::path path;       // relative to the folder that was read
  std::string folder;  // empty for the program itself
  std::vector<std::string> lines;
};

std::vector<SourceFile> read_sources(const std::string& folder = "src") {
  const fs::path root = fs::path(VLSI_SOURCE_DIR) / folder;
  std::vector<SourceFile> sources;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const auto extension = entry.path().extension();
    if (extension != ".h" && extension != ".cpp") continue;
    const fs::path path = fs::relative(entry.path(), root);
    SourceFile source{path, path.has_parent_path() ? path.begin()->string() : "", {}};
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) source.lines.push_back(line);
    sources.push_back(std::move(source));
  }
  return sources;
}

/// The folder that the line includes from, if it includes a file of the project.
std::optional<std::string> included_folder(const std::string& line) {
  static const std::regex include(R"re(^\s*#\s*include\s*"([^"]*)")re");
  std::smatch match;
  if (line.find("include") == line.npos || !std::regex_search(line, match, include)) return std::nullopt;
  const std::string path = match[1];
  const auto slash = path.find('/');
  return slash == path.npos ? "" : path.substr(0, slash);
}

bool may_include(const std::string& from, const std::string& to) {
  if (!kHeights.contains(to)) return false;
  return from.empty() || from == to || kHeights.at(to) < kHeights.at(from);
}

TEST(Layers, FindsTheSources) { EXPECT_FALSE(read_sources().empty()); }

TEST(Layers, KnowsEveryFolder) {
  for (const auto& source : read_sources()) {
    EXPECT_TRUE(source.folder.empty() || kHeights.contains(source.folder)) << source.path;
  }
}

TEST(Layers, TellsDownwardIncludesFromOthers) {
  EXPECT_EQ(included_folder("#include \"base/json.h\""), "base");
  EXPECT_EQ(included_folder("#include <torch/torch.h>"), std::nullopt);
  EXPECT_EQ(included_folder("// see \"base/json.h\""), std::nullopt);
  EXPECT_TRUE(may_include("train", "base"));
  EXPECT_TRUE(may_include("train", "train"));
  EXPECT_TRUE(may_include("", "cli"));
  EXPECT_FALSE(may_include("base", "train"));
  EXPECT_FALSE(may_include("train", "generate"));
  EXPECT_FALSE(may_include("eval", "serve"));
}

TEST(Layers, IncludeOnlyDownward) {
  for (const auto& source : read_sources()) {
    if (!source.folder.empty() && !kHeights.contains(source.folder)) continue;
    for (size_t i = 0; i < source.lines.size(); ++i) {
      const auto folder = included_folder(source.lines[i]);
      if (!folder) continue;
      EXPECT_TRUE(may_include(source.folder, *folder)) << source.path << ":" << i + 1 << ": " << source.lines[i];
    }
  }
}

constexpr const char* kStepWords[] = {"\"verbalize", "\"interact", "\"finetune"};

/// Whether the line compares something with a step's name: which step is one of StepKind's.
bool compares_step_name(const std::string& line) {
  const std::string name = R"re("(verbalize|interact|finetune)")re",
                    call = "(starts_with|ends_with|find|contains|compare)";
  static const std::regex comparison(R"re("verbalize-(student|teacher)")re"
                                     "|([=!]= *|" +
                                     call + "\\()" + name + "|" + name + " *[=!]=");
  // Few lines have such a word; the expression is slow.
  const bool may = std::any_of(std::begin(kStepWords), std::end(kStepWords),
                               [&](const char* word) { return line.find(word) != line.npos; });
  return may && std::regex_search(line, comparison);
}

TEST(Layers, TellComparisonsWithStepNamesFromOtherLines) {
  EXPECT_TRUE(compares_step_name(R"(if (step == "interact") return;)"));
  EXPECT_TRUE(compares_step_name(R"(if ("finetune" != step.name) return;)"));
  EXPECT_TRUE(compares_step_name(R"(return name.starts_with("verbalize");)"));
  EXPECT_TRUE(compares_step_name(R"(steps.push_back("verbalize-student");)"));
  EXPECT_FALSE(compares_step_name(R"(v("interact", c.interact, "step 2");)"));
}

TEST(Layers, NameStepsInTheirTableAlone) {
  for (const auto& source : read_sources()) {
    if (source.path == "run/steps.cpp") continue;
    for (size_t i = 0; i < source.lines.size(); ++i) {
      EXPECT_FALSE(compares_step_name(source.lines[i])) << source.path << ":" << i + 1 << ": " << source.lines[i];
    }
  }
}

TEST(Layers, RunLoopsOnThreadsByTheirOwnFunction) {
  for (const auto& source : read_sources()) {
    for (size_t i = 0; i < source.lines.size(); ++i) {
      const auto& line = source.lines[i];
      const bool calls = line.find("at::parallel_for(") != line.npos && line.find("//") == line.npos;
      EXPECT_FALSE(calls) << source.path << ":" << i + 1 << " runs on one thread: base/parallel.h has the loop to call";
    }
  }
}

TEST(Layers, GuardEveryHeader) {
  for (const auto& source : read_sources()) {
    if (source.path.extension() != ".h") continue;
    const auto count = std::count(source.lines.begin(), source.lines.end(), "#pragma once");
    EXPECT_EQ(count, 1) << source.path;
  }
}

TEST(Layers, KeepEveryFileShort) {
  for (const char* folder : {"src", "tests", "bench"}) {
    for (const auto& source : read_sources(folder)) {
      EXPECT_LE(source.lines.size(), kLineLimit) << folder << "/" << source.path.string();
    }
  }
}

/// How far a line is in; one without a place of its own is inside everything.
size_t indentation(const std::string& line) {
  return line.empty() || line.starts_with('#') ? std::string::npos : line.find_first_not_of(' ');
}

/// The most lines between braces that stand at the indentations of functions: of namespaces, classes and classes in
/// those. A block ends with the first "}" as far in as the line that it begins with, as clang-format writes it.
size_t longest_block(const std::vector<std::string>& lines) {
  size_t longest = 0;
  for (size_t end = 1; end < lines.size(); ++end) {
    const size_t place = indentation(lines[end]);
    if (place > 4 || lines[end].substr(place) != "}") continue;
    size_t begin = end - 1;
    while (begin > 0 && indentation(lines[begin]) > place) --begin;
    while (begin < end && !lines[begin].ends_with('{')) ++begin;
    if (begin < end) longest = std::max(longest, end - begin - 1);
  }
  return longest;
}

TEST(Layers, CountLinesBetweenAFunctionsBraces) {
  EXPECT_EQ(longest_block({"int f(int a,", "      int b) {", "  if (a) {", "    g();", "  }", "  return b;", "}"}), 4);
  EXPECT_EQ(
      longest_block({"class A {", " public:", "  A()", "      : a_(1) {", "    f();", "", "    g();", "  }", "};"}), 3);
}

TEST(Layers, KeepEveryFunctionShort) {
  for (const auto& source : read_sources()) EXPECT_LE(longest_block(source.lines), kFunctionLimit) << source.path;
}

}  // namespace
}  // namespace vlsi
