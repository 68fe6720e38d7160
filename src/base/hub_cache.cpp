#include "base/hub_cache.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/quoted.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

/// A name's parts: org, name, revision, and what is inside.
struct HubName {
  std::string repository, revision = "main";
  fs::path inside;
};

/// What the hub allows in the two parts of a name.
bool is_part(const std::string& text) {
  const auto is_good = [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.'; };
  return !text.empty() && text.size() <= 96 && std::all_of(text.begin(), text.end(), is_good) && text != "." &&
         text != ".." && !text.starts_with('-') && !text.starts_with('.');
}

std::optional<HubName> parse_name(const fs::path& path) {
  if (path.is_absolute()) return std::nullopt;
  std::vector<std::string> parts;
  for (const auto& part : path) {
    if (!part.empty()) parts.push_back(part.string());
  }
  if (parts.size() < 2) return std::nullopt;
  HubName name;
  if (const size_t at = parts[1].find('@'); at != std::string::npos) {
    name.revision = parts[1].substr(at + 1);
    parts[1].resize(at);
    if (name.revision.empty() || name.revision.find("..") != std::string::npos) return std::nullopt;
  }
  if (!is_part(parts[0]) || !is_part(parts[1])) return std::nullopt;
  name.repository = parts[0] + "/" + parts[1];
  for (size_t i = 2; i < parts.size(); ++i) {
    if (parts[i] == "..") return std::nullopt;
    name.inside /= parts[i];
  }
  return name;
}

std::optional<std::string> setting(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

fs::path home() { return setting("HOME").value_or("."); }

/// As the hub's programs do with ~ in these settings.
fs::path expanded(const std::string& path) {
  if (path == "~" || path.starts_with("~/")) return home() / fs::path(path.substr(std::min<size_t>(path.size(), 2)));
  return path;
}

std::string_view prefix_of(HubKind kind) { return kind == HubKind::kModel ? "models--" : "datasets--"; }

fs::path folder_of(const HubName& name, HubKind kind) {
  auto flat = name.repository;
  flat.replace(flat.find('/'), 1, "--");
  return hub_cache() / concat(prefix_of(kind), flat);
}

std::string download_command(const HubName& name, HubKind kind) {
  return concat("hf download ", name.repository, kind == HubKind::kDataset ? " --repo-type dataset" : "",
                name.revision == "main" ? "" : " --revision " + name.revision);
}

std::optional<fs::path> find_snapshot(const fs::path& folder, const HubName& name) {
  std::error_code ignored;
  std::string commit = name.revision;
  if (std::ifstream file(folder / "refs" / name.revision); file) {
    commit.assign(std::istreambuf_iterator<char>(file), {});
    while (!commit.empty() && std::isspace(static_cast<unsigned char>(commit.back()))) commit.pop_back();
  }
  if (commit.empty() || commit.find('/') != commit.npos) return std::nullopt;
  const auto snapshot = folder / "snapshots" / commit;
  return fs::is_directory(snapshot, ignored) ? std::optional(snapshot) : std::nullopt;
}

}  // namespace

fs::path hub_cache() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const auto cache = setting(name)) return expanded(*cache);
  }
  if (const auto all = setting("HF_HOME")) return expanded(*all) / "hub";
  const auto caches = setting("XDG_CACHE_HOME");
  return (caches ? expanded(*caches) : home() / ".cache") / "huggingface" / "hub";
}

void check_link(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_symlink(path, ignored) || fs::exists(path, ignored)) return;
  fail(path.string(), " is a link to ", fs::read_symlink(path, ignored).string(),
       ", which is not there; where it is of the hub's cache, its download was cut off or its blobs were removed: "
       "download it again");
}

std::optional<fs::path> find_in_hub_cache(const fs::path& path, HubKind kind) {
  const auto name = parse_name(path);
  if (!name) return std::nullopt;
  const auto folder = folder_of(*name, kind);
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return std::nullopt;
  const auto snapshot = find_snapshot(folder, *name);
  if (!snapshot) {
    fail(folder.string(), " has no revision '", printable(name->revision), "' of ", name->repository,
         "; get it with: ", download_command(*name, kind));
  }
  const auto found = name->inside.empty() ? *snapshot : *snapshot / name->inside;
  check_link(found);
  if (!fs::exists(found, ignored)) {
    fail(snapshot->string(), " has no ", name->inside.string(), "; get it with: ", download_command(*name, kind));
  }
  for (const auto& entry : fs::directory_iterator(*snapshot, ignored)) {
    if (!entry.is_symlink(ignored) || entry.exists(ignored)) continue;
    fail(entry.path().string(),
         " is a link to a blob that is not in the cache; get it again with: ", download_command(*name, kind));
  }
  return found;
}

std::string hub_advice(const fs::path& path, HubKind kind) {
  const auto name = parse_name(path);
  if (!name) return {};
  return concat(", and ", hub_cache().string(), " has no ", name->repository, "; a ",
                kind == HubKind::kModel ? "model" : "data set",
                " of the hub is got with: ", download_command(*name, kind));
}

fs::path model_directory(const fs::path& path) {
  std::error_code ignored;
  if (fs::exists(path, ignored) || !parse_name(path)) return path;
  if (const auto found = find_in_hub_cache(path, HubKind::kModel)) return *found;
  fail("there is no model ", path.string(), hub_advice(path, HubKind::kModel));
}

std::optional<std::string> hub_name_of(const fs::path& folder) {
  const auto path = folder.lexically_normal();
  const auto snapshot = path.has_filename() ? path : path.parent_path();
  if (snapshot.parent_path().filename() != "snapshots") return std::nullopt;
  auto flat = snapshot.parent_path().parent_path().filename().string();
  for (const auto kind : {HubKind::kModel, HubKind::kDataset}) {
    if (!flat.starts_with(prefix_of(kind))) continue;
    flat.erase(0, prefix_of(kind).size());
    const size_t between = flat.find("--");
    if (between == flat.npos) return std::nullopt;
    return flat.substr(0, between) + "/" + flat.substr(between + 2);
  }
  return std::nullopt;
}

}  // namespace vlsi
