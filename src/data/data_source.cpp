#include "data/data_source.h"

#include <glob.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <future>
#include <iterator>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/hub_cache.h"
#include "base/quoted.h"
#include "base/waiting_threads.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

[[noreturn]] void fail_to_look_at(const fs::path& path, const std::error_code& error) {
  fail("data: look at ", printable(path.string()), ": ", error.message());
}

/// Files below a folder; links count as what they lead to.
void add_files_below(const fs::path& folder, int depth, std::vector<fs::path>& files) {
  constexpr int kDeepest = 32;  // of folders in one another: links may lead in a circle
  if (depth > kDeepest) fail("data: ", folder.string(), ": more than ", kDeepest, " folders in one another");
  std::error_code error, ignored;
  for (auto entry = fs::directory_iterator(folder, error); entry != fs::end(entry); entry.increment(error)) {
    const auto& path = entry->path();
    if (is_hidden(path)) continue;
    if (entry->is_directory(ignored)) {
      add_files_below(path, depth + 1, files);
    } else if (data_formats().find(path.extension().string()) != nullptr) {
      check_link(path);
      files.push_back(path);
    }
  }
  if (error) fail_to_look_at(folder, error);
}

void sort_by_bytes(std::vector<fs::path>& paths) {
  std::sort(paths.begin(), paths.end(), [](const auto& a, const auto& b) { return a.native() < b.native(); });
}

std::vector<fs::path> files_of_folder(const fs::path& folder) {
  std::vector<fs::path> all;
  add_files_below(folder, 0, all);
  for (const auto& format : data_formats()) {
    std::vector<fs::path> files, train;
    for (const auto& path : all) {
      if (path.extension() != format.name) continue;
      files.push_back(path);
      if (path.filename().string().starts_with("train")) train.push_back(path);
    }
    if (files.empty()) continue;
    if (!train.empty()) files = std::move(train);
    sort_by_bytes(files);
    return files;
  }
  fail("data: the folder ", folder.string(), " has no data files, expected one of ", data_formats().names());
}

std::vector<fs::path> matches_of(const std::string& pattern) {
  glob_t found{};
  const int status = ::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found);
  std::vector<fs::path> matches;
  for (size_t i = 0; status == 0 && i < found.gl_pathc; ++i) matches.emplace_back(found.gl_pathv[i]);
  ::globfree(&found);
  if (status != 0 && status != GLOB_NOMATCH) fail("data: the pattern ", pattern, " cannot be read");
  sort_by_bytes(matches);
  return matches;
}

/// Those of a pattern, which may begin with the name of a data set in the hub's cache.
std::vector<fs::path> matches_or_cached(const fs::path& pattern) {
  auto matches = matches_of(pattern.string());
  auto part = pattern.begin();
  if (!matches.empty() || pattern.is_absolute() || std::distance(part, pattern.end()) < 3) return matches;
  const auto repository = *part / *std::next(part);
  const auto cached = find_in_hub_cache(repository, HubKind::kDataset);
  return cached ? matches_of((*cached / pattern.lexically_relative(repository)).string()) : matches;
}

/// The files in their order, opened on threads: of some all records are looked for, and their pages waited for. The
/// first file's error is thrown.
std::deque<RecordFile> open_side_by_side(const std::vector<fs::path>& paths,
                                         const std::function<RecordFile(const fs::path&)>& open) {
  constexpr int64_t kMostThreads = 16;
  std::vector<std::promise<RecordFile>> promises(paths.size());
  const auto num_threads = std::min<int64_t>(std::thread::hardware_concurrency(), kMostThreads);
  for_each_waiting(0, std::ssize(paths), num_threads, [&](int64_t i) {
    try {
      promises[i].set_value(open(paths[i]));
    } catch (...) {
      promises[i].set_exception(std::current_exception());
    }
  });
  std::deque<RecordFile> files;
  for (auto& promise : promises) files.push_back(promise.get_future().get());
  return files;
}

}  // namespace

std::vector<fs::path> files_of(const fs::path& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (fs::is_directory(status)) return files_of_folder(path);
  if (fs::exists(status)) return {path};
  const auto text = path.string();
  if (text.find_first_of("*?[") != text.npos) {
    std::vector<fs::path> files;
    for (const auto& match : matches_or_cached(path)) {
      const auto of_match = files_of(match);
      files.insert(files.end(), of_match.begin(), of_match.end());
    }
    if (files.empty()) fail("data: the pattern ", text, " matches no file", hub_advice(path, HubKind::kDataset));
    return files;
  }
  if (!fs::status_known(status)) fail_to_look_at(path, error);
  check_link(path);
  if (const auto cached = find_in_hub_cache(path, HubKind::kDataset)) return files_of(*cached);
  fail("data: there is no file ", text, hub_advice(path, HubKind::kDataset));
}

std::deque<RecordFile> open_files(const DataSource& source, const std::shared_ptr<DecodedRowsCache>& cache) {
  const auto paths = files_of(source.path);
  const Keep keep(source.keep);
  auto files = open_side_by_side(paths, [&](const auto& path) { return RecordFile(path, source.images, cache, keep); });
  int64_t num_records = 0;
  for (const auto& file : files) num_records += file.size();
  if (num_records == 0) {
    fail("data: keep '", printable(source.keep), "' leaves none of the records of ", source.path.string());
  }
  return files;
}

}  // namespace vlsi
