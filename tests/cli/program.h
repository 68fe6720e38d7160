// Runs the built program as a user would: arguments in; exit status, stdout and stderr out.
#pragma once

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/atomic_file.h"
#include "base/json.h"
#include "cli/run_program.h"
#include "tests/support/files.h"

namespace vlsi::cli_test {

namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

inline void replace(std::string& text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  ASSERT_NE(at, std::string::npos) << "no " << from << " in " << text;
  text.replace(at, from.size(), to);
}

inline fs::path tiny(const std::string& name) { return fs::path(VLSI_TEST_DATA) / "tiny" / name; }

struct Result {
  int status = -1;  // the exit status, or 128 + the signal
  std::string out, err;
};

struct Surroundings {
  int64_t file_size_limit = -1;                         // bytes; as a full disk
  std::string out_file = {};                            // where stdout goes instead
  bool obeys_permissions = false;                       // also when the tests run as root
  int network = -1;                                     // the descriptor of a network namespace
  std::map<std::string, std::string> environment = {};  // more variables
  std::string program = {};                             // another than the one that was built
  bool executed = false;                                // loaded anew, also where a fork does
};

/// A started program. Where the tests themselves do nothing with LibTorch (VLSI_TESTS_FORK), it is forked from them,
/// who have it loaded already: that takes a quarter of a second, a thousand times. A study is executed, for it starts
/// its own executable.
class Program {
 public:
  explicit Program(const Arguments& arguments, const Surroundings& surroundings = {}) {
    const auto program = surroundings.program.empty() ? std::string(VLSI_BUILD_DIR) + "/vlsi" : surroundings.program;
#ifdef VLSI_TESTS_FORK
    const bool executed = surroundings.executed || surroundings.obeys_permissions || !surroundings.program.empty() ||
                          (!arguments.empty() && arguments[0] == "study");
#else
    constexpr bool executed = true;
#endif
    std::vector<char*> argv{const_cast<char*>(program.c_str())};
    for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    const std::string out = surroundings.out_file.empty() ? (logs_ / "out").string() : surroundings.out_file;
    const std::string err = (logs_ / "err").string();
    std::cout.flush();
    std::fflush(nullptr);
    process_ = ::fork();
    if (process_ != 0) return;
    redirect(out, STDOUT_FILENO);
    redirect(err, STDERR_FILENO);
    if (surroundings.file_size_limit >= 0) {
      const auto bytes = static_cast<rlim_t>(surroundings.file_size_limit);
      const rlimit limit{bytes, bytes};
      ::signal(SIGXFSZ, SIG_IGN);
      ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    if (surroundings.network >= 0 && ::setns(surroundings.network, CLONE_NEWNET) != 0) ::_exit(126);
    for (const auto& [name, value] : surroundings.environment) ::setenv(name.c_str(), value.c_str(), 1);
    // Fails where the process has no such right to lose.
    if (surroundings.obeys_permissions) ::prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE);
    if (executed) {
      ::execv(program.c_str(), argv.data());
      ::_exit(127);
    }
    const int status = run_program(static_cast<int>(arguments.size()) + 1, argv.data());
    std::fflush(nullptr);
    ::_exit(status);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    if (is_running()) signal(SIGKILL), wait();
  }

  pid_t number() const { return process_; }
  void signal(int number) const { ::kill(process_, number); }

  bool is_running() {
    if (ended_) return false;
    ended_ = ::waitpid(process_, &raw_status_, WNOHANG) == process_;
    return !ended_;
  }

  /// Looks every millisecond until `condition` holds or the program ended.
  void wait_until(const std::function<bool()>& condition) {
    while (!condition() && is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  Result wait() {
    if (!ended_) ::waitpid(process_, &raw_status_, 0);
    ended_ = true;
    const int status = WIFEXITED(raw_status_) ? WEXITSTATUS(raw_status_) : 128 + WTERMSIG(raw_status_);
    return {status, content_of(logs_ / "out"), content_of(logs_ / "err")};
  }

 private:
  static void redirect(const std::string& path, int descriptor) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0 || ::dup2(file, descriptor) < 0) ::_exit(126);
  }

  Folder logs_;
  pid_t process_ = -1;
  int raw_status_ = 0;
  bool ended_ = false;
};

inline Result vlsi_program(const Arguments& arguments, const Surroundings& surroundings = {}) {
  return Program(arguments, surroundings).wait();
}

/// Refused as wrong input: status 2 and, behind the log, one line on stderr that holds every one of `parts`.
inline void expect_refusal(const Result& result, const std::vector<std::string>& parts) {
  EXPECT_EQ(result.status, 2) << result.err;
  std::istringstream lines(result.err);
  std::string last;
  for (std::string line; std::getline(lines, line); last = line) {
    EXPECT_TRUE(last.empty() || last.find(" info ") == 8) << "more than one line of error: " << result.err;
  }
  EXPECT_EQ(last.substr(0, 6), "vlsi: ") << result.err;
  for (const auto& part : parts)
    EXPECT_NE(last.find(part), std::string::npos) << "no '" << part << "' in: " << result.err;
}

/// A student and a teacher with random weights, made once for all tests of the program.
inline const fs::path& model(const std::string& name) {
  static const Folder folder;
  static const auto made = [] {
    std::map<std::string, fs::path> paths;
    for (const std::string which : {"student", "teacher"}) {
      const auto result = vlsi_program({"init", "--config", tiny(which + ".json"), "--tokenizer", tiny("tokenizer"),
                                        "--out", folder / which, "--seed", which == "student" ? "1" : "2"});
      EXPECT_EQ(result.status, 0) << result.err;
      paths[which] = folder / which;
    }
    return paths;
  }();
  return made.at(name);
}

/// The student, which never chooses the end of its turn: its answers fill its context.
inline const fs::path& endless_model() {
  static const Folder folder;
  static const fs::path made = [] {
    const fs::path directory = folder / "model";
    fs::copy(model("student"), directory, fs::copy_options::recursive);
    const auto end = read_json(directory / "config.json").at("eos_token_id").get<int64_t>();
    write_file(directory / "generation_config.json", Json{{"suppress_tokens", {end}}}.dump());
    return directory;
  }();
  return made;
}

/// The run's file in `folder`: all three steps, a few iterations each, into `folder`/run.
inline std::string write_run(const Folder& folder) {
  const auto path = folder / "run.yaml";
  write_text(path, "out: " + (folder / "run").string() + "\nseed: 3\ndtype: float32\nthreads: 1\n" +
                       "teacher: {model: " + model("teacher").string() + ", layers: [1, 2]}\n" +
                       "student: {model: " + model("student").string() + ", layers: [1]}\n" +
                       "data: {train: [{path: " + tiny("train.json").string() + "}], batch_tokens: 300}\n" +
                       "optimizer: {learning_rate: 1.0e-3, accumulate: 2}\n"
                       "verbalize: {iterations: 4}\n"
                       "interact: {iterations: 5, train: [decoder], kl_matrix_every: 2}\n"
                       "finetune: {iterations: 4}\n"
                       "checkpoint: {every: 2, keep: 2}\n");
  return path;
}

inline Arguments with(Arguments arguments, const Arguments& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

/// `vlsi distill` of the run in `folder` with more arguments.
inline Result distill(const Folder& folder, const Arguments& more = {}) {
  return vlsi_program(with({"distill", write_run(folder)}, more));
}

/// The lines of metrics.jsonl without the time, which is no function of the configuration.
inline std::vector<OrderedJson> metrics_of(const fs::path& run) {
  std::vector<OrderedJson> lines;
  std::ifstream file(run / "metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    lines.push_back(OrderedJson::parse(line));
    for (const char* time : {"seconds", "generation_seconds"}) lines.back().erase(time);
  }
  return lines;
}

/// Every file below `folder` with its content, by its path from there.
inline std::map<std::string, std::string> files_in(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files[fs::relative(entry.path(), folder)] = content_of(entry.path());
  }
  return files;
}

/// The names of what is half-written below `folder`.
inline std::vector<std::string> leftovers_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (is_temporary(entry.path())) names.push_back(entry.path());
  }
  return names;
}

inline int64_t num_lines(const fs::path& path) {
  const auto text = content_of(path);
  return std::count(text.begin(), text.end(), '\n');
}

/// The same metrics, verbalizers and model, bit for bit.
inline void expect_same_run(const fs::path& a, const fs::path& b) {
  EXPECT_EQ(metrics_of(a), metrics_of(b));
  for (const char* file : {"student-verbalizers/verbalizers.safetensors", "teacher-verbalizers/verbalizers.safetensors",
                           "model/model.safetensors", "model/config.json"}) {
    ASSERT_TRUE(fs::exists(a / file)) << a / file;
    EXPECT_TRUE(content_of(a / file) == content_of(b / file)) << file << " differs";
  }
}

/// One run of the three steps that several tests look at.
inline const Folder& finished_run() {
  static const Folder folder;
  static const bool done = [] {
    const auto result = distill(folder, {"--set", "data.validation=[{path: " + tiny("train.json").string() + "}]"});
    EXPECT_EQ(result.status, 0) << result.err;
    return true;
  }();
  static_cast<void>(done);
  return folder;
}

}  // namespace vlsi::cli_test
