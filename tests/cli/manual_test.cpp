// The manual page and the shells' completions: what is in them, and that their readers take them.
#include "cli/commands.h"
#include "tests/cli/program.h"

namespace vlsi::cli_test {
namespace {

std::string printed(const Arguments& arguments) {
  const auto result = vlsi_program(arguments);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  return result.out;
}

bool is_installed(const std::string& program) {
  return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0;
}

/// Everything that `line` prints in `folder`; its status must be 0.
std::string said_by(const Folder& folder, const std::string& line) {
  const auto start = concat("cd '", folder.path().string(), "' && { ", line, "; } > said 2>&1 < /dev/null");
  EXPECT_EQ(std::system(start.c_str()), 0) << content_of(folder / "said");
  return content_of(folder / "said");
}

/// What bash offers for the last of `words`.
std::string completed(const Folder& folder, const std::string& words) {
  folder.write("complete.sh", ". ./vlsi.bash\nCOMP_WORDS=(" + words +
                                  ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_vlsi\necho \"${COMPREPLY[*]}\"\n");
  return said_by(folder, "bash complete.sh");
}

TEST(Completion, OfBashKnowsCommandsAndTheirOptions) {
  const Folder folder;
  folder.write("vlsi.bash", printed({"completion", "bash"}));
  said_by(folder, "bash -n vlsi.bash");
  EXPECT_EQ(completed(folder, "vlsi gen"), "generate\n");
  EXPECT_EQ(completed(folder, "vlsi fine"), "finetune\n");
  EXPECT_EQ(completed(folder, "vlsi --vers"), "--version\n");
  EXPECT_EQ(completed(folder, "vlsi generate --image picture.png --mo"), "--model\n");
  EXPECT_EQ(completed(folder, "vlsi score --max-new"), "\n") << "an option of other commands";
  EXPECT_EQ(completed(folder, "vlsi inspect gen"), "\n") << "left to the completion of files";
  EXPECT_EQ(completed(folder, "vlsi nonsense --mo"), "\n");
}

TEST(Completion, OfEveryShellNamesEveryCommand) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    SCOPED_TRACE(shell);
    const auto text = printed({"completion", shell});
    for (const auto& command : commands()) EXPECT_NE(text.find(command.name), std::string::npos) << command.name;
    const Folder folder;
    folder.write("completion", text);
    if (is_installed(shell)) {
      EXPECT_EQ(said_by(folder, concat(shell, " -n completion")), "");
    }
  }
  expect_refusal(vlsi_program({"completion", "csh"}), {"completion is for 'csh', expected one of bash, zsh, fish"});
}

TEST(Completion, HidesWhatShellsWouldReadAsTheirOwn) {
  // "the decoder's weights in memory: none: ..."
  EXPECT_NE(printed({"completion", "zsh"}).find("'--quantize[the decoder'\\''s weights in memory\\: none"),
            std::string::npos);
  EXPECT_NE(printed({"completion", "zsh"}).find("'*--image[a picture; may be given several times]:TEXT:_files'"),
            std::string::npos);
  EXPECT_NE(printed({"completion", "fish"}).find("-l quantize -r -d 'the decoder'\\''s weights in memory: none"),
            std::string::npos);
}

TEST(ManualPage, HasEveryCommandWithItsOptionsAndExamples) {
  const auto page = printed({"man"});
  EXPECT_TRUE(page.starts_with(".TH VLSI 1 "));
  for (const auto& command : commands()) {
    const auto begin = page.find(".SS vlsi " + command.name + "\n");
    ASSERT_NE(begin, std::string::npos) << command.name;
    EXPECT_NE(page.find("vlsi " + command.name + " ", begin + 10), std::string::npos) << "no example";
  }
  EXPECT_NE(page.find(".TP\n\\fB\\-\\-image\\fR \\fITEXT\\fR ...\na picture"), std::string::npos);
  EXPECT_NE(page.find("kl_matrix_every"), std::string::npos);
  EXPECT_EQ(page.find("kl_matrix_every"), page.rfind("kl_matrix_every")) << "the run's file stands there once";
}

TEST(ManualPage, HasOnlyRequestsThatAreMeant) {
  std::istringstream lines(printed({"man"}));
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || (line[0] != '.' && line[0] != '\'')) continue;
    const auto request = line.substr(0, line.find(' '));
    const std::vector<std::string> meant{".TH", ".SH", ".SS", ".TP", ".PP", ".B", ".nf", ".fi"};
    EXPECT_NE(std::find(meant.begin(), meant.end(), request), meant.end()) << line;
  }
}

TEST(ManualPage, IsReadByMan) {
  const Folder folder;
  folder.write("vlsi.1", printed({"man"}));
  if (!is_installed("man") || !is_installed("groff")) GTEST_SKIP() << "man or groff is not installed";
  const auto shown = said_by(folder, "MANWIDTH=100 LC_ALL=C.UTF-8 man --warnings=w -P cat -l vlsi.1");
  EXPECT_EQ(shown.find("warning"), std::string::npos) << shown;
  EXPECT_NE(shown.find("vlsi generate --model model --image picture.png --prompt \"What is this?\""),
            std::string::npos);
}

}  // namespace
}  // namespace vlsi::cli_test
