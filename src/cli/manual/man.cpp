// vlsi man: the manual page, in the macros of groff's man(7).
#include <iostream>
#include <set>
#include <sstream>

#include "cli/commands.h"
#include "cli/manual/described.h"
#include "run/version.h"

namespace vlsi {
namespace {

/// Text as it stands in a page: a line that begins with a point or an apostrophe would be a request.
std::string page_text(const std::string& text) {
  std::string page;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    line = with_all(with_all(line, "\\", "\\e"), "-", "\\-");
    page += (line.starts_with(".") || line.starts_with("'") ? "\\&" : "") + line + "\n";
  }
  return page;
}

std::string bold(const std::string& text) { return "\\fB" + with_all(text, "-", "\\-") + "\\fR"; }

void print_options(const std::vector<DescribedOption>& options) {
  for (const auto& option : options) {
    std::cout << ".TP\n";
    for (const auto& name : option.names) std::cout << (&name == &option.names.front() ? "" : ", ") << bold(name);
    if (!option.value.empty()) std::cout << " \\fI" << with_all(option.value, "-", "\\-") << "\\fR";
    std::cout << (option.is_repeated ? " ...\n" : "\n") << page_text(option.meaning);
  }
}

/// Lines as they are.
void print_verbatim(const std::string& text) { std::cout << ".PP\n.nf\n" << page_text(text) << ".fi\n"; }

void print_command(const DescribedCommand& command, std::set<std::string>& printed) {
  std::cout << ".SS vlsi " << command.name << "\n" << page_text(command.meaning + ".");
  print_options(command.arguments);
  print_options(command.options);
  // Several commands read the same file.
  if (!command.more.empty() && printed.insert(command.more).second) print_verbatim(command.more);
  std::cout << ".PP\nExamples:\n";
  print_verbatim(command.examples);
}

int print_page() {
  const auto program = describe_program();
  std::cout << ".TH VLSI 1 \"\" \"vlsi " << version_json()["version"].get<std::string>() << "\" \"User Commands\"\n"
            << ".SH NAME\nvlsi \\- makes a large vision\\-language model small\n"
            << ".SH SYNOPSIS\n.B vlsi\n\\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n"
            << ".SH DESCRIPTION\n"
            << page_text(program.meaning) << ".SH OPTIONS\n";
  print_options(program.options);
  std::cout << ".SH COMMANDS\n";
  std::set<std::string> printed;
  for (const auto& command : program.commands) print_command(command, printed);
  std::cout << ".SH EXIT STATUS\n.TP\n.B 0\ndone\n.TP\n.B 1\nthe run failed, or was stopped\n"
            << ".TP\n.B 2\nthe input is wrong; one line on standard error says where and what was expected\n";
  return 0;
}

}  // namespace

Action add_man(CLI::App&) { return print_page; }

}  // namespace vlsi
