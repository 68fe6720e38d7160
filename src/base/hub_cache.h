// Models and data sets by the hub's names, in the local cache that its own programs fill.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace vlsi {

enum class HubKind { kModel, kDataset };

/// The cache: HF_HUB_CACHE, else HF_HOME/hub, else huggingface/hub in XDG_CACHE_HOME or ~/.cache.
std::filesystem::path hub_cache();

/// The folder in the cache of `org/name`, `org/name@revision` (a branch, tag or commit; else main), or the file or
/// folder of a path inside of it, `org/name/folder`; none for a text of another form and for what is not cached. Error
/// for a cached repository without that revision, and one whose files are links to blobs that are not there.
std::optional<std::filesystem::path> find_in_hub_cache(const std::filesystem::path& name, HubKind kind);

/// ", nor ..., get it with: hf download ..." for a text that could be a name of the hub; empty for another.
std::string hub_advice(const std::filesystem::path& name, HubKind kind);

/// `path` where it is a folder or no name of the hub, else its folder in the cache. Error with the command that
/// downloads it where it is not there.
std::filesystem::path model_directory(const std::filesystem::path& path);

/// org/name of a folder of the cache; none for another.
std::optional<std::string> hub_name_of(const std::filesystem::path& folder);

/// Error for a link that leads to nothing.
void check_link(const std::filesystem::path& path);

}  // namespace vlsi
