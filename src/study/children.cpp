#include "study/children.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <utility>

#include "base/error.h"

extern char** environ;

namespace vlsi {
namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (auto& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& more) {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const auto equals = std::min(text.find('='), text.size());
    variables[text.substr(0, equals)] = text;
  }
  for (const auto& [name, value] : more) variables[name] = concat(name, '=', value);
  std::vector<std::string> all;
  for (const auto& [name, text] : variables) all.push_back(text);
  return all;
}

/// Between fork and exec, where only calls that are safe in a signal handler may be made.
[[noreturn]] void become(const char* program, char* const* argv, char* const* environment, int log, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(126);
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::signal(SIGINT, SIG_DFL);
  ::signal(SIGTERM, SIG_DFL);
  ::execve(program, argv, environment);
  ::_exit(127);
}

}  // namespace

Child::Child(const ChildCommand& command) : started_(now()) {
  auto arguments = command.arguments;
  arguments.insert(arguments.begin(), command.program.string());
  auto environment = environment_with(command.environment);
  const auto argv = pointers(arguments), variables = pointers(environment);
  const int log = ::open(command.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log < 0) fail("writing ", command.log.string(), ": ", std::strerror(errno));
  const pid_t parent = ::getpid();
  process_ = ::fork();
  if (process_ == 0) become(command.program.c_str(), argv.data(), variables.data(), log, parent);
  const int error = errno;
  ::close(log);
  if (process_ < 0) fail("starting ", command.program.string(), ": ", std::strerror(error));
}

Child::Child(Child&& other) noexcept : process_(std::exchange(other.process_, -1)), started_(other.started_) {}

Child::~Child() {
  if (process_ < 0) return;
  stop();
  ::waitpid(process_, nullptr, 0);
}

std::optional<ChildEnd> Child::poll() {
  int status = 0;
  struct rusage usage {};
  if (process_ < 0 || ::wait4(process_, &status, WNOHANG, &usage) != process_) return std::nullopt;
  process_ = -1;
  return ChildEnd{WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), now() - started_,
                  usage.ru_maxrss * 1024};
}

void Child::stop() {
  if (process_ >= 0) ::kill(process_, SIGINT);
}

std::filesystem::path own_program() { return "/proc/self/exe"; }

}  // namespace vlsi
