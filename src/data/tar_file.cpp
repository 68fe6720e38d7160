#include "data/tar_file.h"

#include <archive.h>
#include <archive_entry.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <optional>

#include "base/checksum.h"
#include "base/error.h"
#include "base/quoted.h"
#include "data/page_giver.h"

namespace vlsi {
namespace {

constexpr size_t kBlock = 512;            // of a tar
constexpr size_t kEndBytes = 2 * kBlock;  // zeros, at least
constexpr size_t kStretchBytes = size_t{32} << 20;
constexpr size_t kManyBytes = size_t{64} << 10;

/// A member's header, with the place of its content.
struct TarMember {
  std::string name;
  size_t header = 0, begin = 0, num_bytes = 0;
  int64_t time = 0;
  bool is_folder = false;

  size_t end() const { return begin + (num_bytes + kBlock - 1) / kBlock * kBlock; }
};

/// Key and suffix of a member's name.
struct TarName {
  std::string_view key, suffix;
};

/// None for a member that belongs to no sample.
std::optional<TarName> sample_name(std::string_view name) {
  const size_t slash = name.rfind('/');
  const size_t base = slash == name.npos ? 0 : slash + 1, dot = name.find('.', base);
  if (dot == name.npos || dot == base || dot + 1 == name.size()) return std::nullopt;
  const auto own = name.substr(base, dot - base);
  if (own.size() > 4 && own.starts_with("__") && own.ends_with("__")) return std::nullopt;
  return TarName{name.substr(0, dot), name.substr(dot + 1)};
}

/// Goes through the members of a tar from the header at a byte on.
class TarWalk {
 public:
  TarWalk(const MappedFile& file, size_t from) : file_(file), from_(from), archive_(archive_read_new()) {
    TORCH_CHECK(archive_ != nullptr, "no memory for a reader of tars");
    const auto bytes = file.bytes().subspan(from);
    if (archive_read_support_format_tar(archive_.get()) != ARCHIVE_OK ||
        archive_read_open_memory(archive_.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) {
      broken();
    }
  }

  /// The next member, or none at the end of the tar.
  std::optional<TarMember> next() {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(archive_.get(), &entry);
    if (status == ARCHIVE_EOF) return std::nullopt;
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) broken();
    TarMember member;
    const char* name = archive_entry_pathname_utf8(entry);
    if (name == nullptr) name = archive_entry_pathname(entry);
    member.name = name == nullptr ? "" : name;
    member.header = from_ + archive_read_header_position(archive_.get());
    check(member, entry);
    if (member.name.starts_with("./")) member.name.erase(0, 2);
    member.is_folder = archive_entry_filetype(entry) == AE_IFDIR;
    member.begin = from_ + archive_filter_bytes(archive_.get(), 0);
    member.num_bytes = member.is_folder ? 0 : archive_entry_size(entry);
    member.time = archive_entry_mtime(entry);
    const size_t left = file_.bytes().size() - std::min(member.begin, file_.bytes().size());
    if (member.num_bytes > left) {
      fail(place(member), ": has ", member.num_bytes, " bytes, but the file ends after ", left, ": it is cut off");
    }
    last_end_ = member.end();
    return member;
  }

  /// Behind the member that came last.
  size_t end() const { return last_end_; }
  std::string place(const TarMember& member) const {
    return concat(file_.path().string(), ", member '", printable(member.name), "' (byte ", member.header, ")");
  }

 private:
  struct Free {
    void operator()(archive* reader) const { archive_read_free(reader); }
  };

  [[noreturn]] void broken() const {
    const char* why = archive_error_string(archive_.get());
    fail(file_.path().string(), ", behind byte ", last_end_,
         ": cannot be read as a tar: ", why == nullptr ? "unknown cause" : printable(why));
  }

  /// What could stand for another file than the member itself.
  void check(const TarMember& member, archive_entry* entry) const {
    const std::string_view name = member.name;
    if (name.empty()) fail(place(member), ": has no name that can be read");
    if (name.starts_with('/')) fail(place(member), ": has an absolute name, expected one relative to the tar");
    for (size_t begin = 0, end = 0; end < name.size(); begin = end + 1) {
      end = std::min(name.find('/', begin), name.size());
      if (name.substr(begin, end - begin) == "..") fail(place(member), ": has '..' in its name, expected none");
    }
    const auto type = archive_entry_filetype(entry);
    if (archive_entry_hardlink(entry) != nullptr || type == AE_IFLNK) {
      fail(place(member), ": is a link, expected files and folders alone");
    }
    if (type != AE_IFREG && type != AE_IFDIR) fail(place(member), ": is no file, expected files and folders alone");
    if (archive_entry_sparse_count(entry) > 0) fail(place(member), ": is a sparse file, expected one with all bytes");
  }

  const MappedFile& file_;
  const size_t from_;
  std::unique_ptr<archive, Free> archive_;
  size_t last_end_ = 0;
};

/// The end of a tar is two blocks of zeros, and more of them up to the end of the file.
void check_end(const MappedFile& file, size_t end) {
  const auto text = file.text();
  if (text.size() < end + kEndBytes) {
    fail(file.path().string(), ": ends behind its last member (byte ", end,
         "), expected two blocks of zeros: it is cut off");
  }
  const size_t other = text.find_first_not_of('\0', end);
  if (other != text.npos) {
    fail(file.path().string(), ": something stands behind its end, at byte ", other,
         ", expected zeros; of several tars one after the other, give each as a file");
  }
}

}  // namespace

const TarFile::Member* TarFile::Sample::find(std::string_view suffix) const {
  const auto found =
      std::find_if(members.begin(), members.end(), [&](const auto& one) { return one.suffix == suffix; });
  return found == members.end() ? nullptr : &*found;
}

TarFile::TarFile(const std::filesystem::path& path) : file_(MappedFile::open(path)) {
  if (file_->bytes().empty()) fail(path.string(), ": the file is empty, expected a tar");
  Checksum checksum;
  TarWalk walk(*file_, 0);
  PageGiver pages(*file_);
  std::vector<uint64_t> keys, names;  // XXH3 of each sample's key, and of the suffixes of the present one
  std::string key;
  while (const auto member = walk.next()) {
    checksum.update(concat(member->name, '\0', member->begin, ' ', member->num_bytes, ' ', member->time, '\n'));
    pages.give(member->header);
    const auto name = member->is_folder ? std::nullopt : sample_name(member->name);
    if (!name) continue;
    const auto hash = [](std::string_view text) {
      Checksum sum;
      sum.update(text);
      return sum.value();
    };
    if (offsets_.empty() || name->key != key) {
      key = name->key;
      offsets_.push_back(member->header);
      keys.push_back(hash(key));
      names.clear();
    }
    if (std::find(names.begin(), names.end(), hash(name->suffix)) != names.end()) {
      fail(walk.place(*member), ": is there twice, expected one member of a name");
    }
    names.push_back(hash(name->suffix));
    end_ = member->end();
  }
  check_end(*file_, walk.end());
  if (offsets_.empty()) fail(path.string(), ": holds no samples, expected members such as 'key.jpg' and 'key.json'");
  offsets_.shrink_to_fit();
  checksum_ = checksum.value();
  auto sorted = keys;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice == sorted.end()) return;
  const auto first = std::find(keys.begin(), keys.end(), *twice);
  const auto second = std::find(first + 1, keys.end(), *twice);
  fail(place(second - keys.begin()), ": sample ", first - keys.begin() + 1,
       " has this key, too, expected all members of a key side by side, and one of a name");
}

size_t TarFile::end_of(int64_t index) const { return index + 1 < size() ? offsets_[index + 1] : end_; }

TarFile::Sample TarFile::sample(int64_t index) const {
  TORCH_CHECK(index >= 0 && index < size(), "sample ", index, " of ", size());
  Sample sample;
  const size_t end = end_of(index);
  TarWalk walk(*file_, offsets_[index]);
  while (walk.end() < end) {
    const auto member = walk.next();
    if (!member) break;
    const auto name = member->is_folder ? std::nullopt : sample_name(member->name);
    if (!name || member->header >= end) continue;
    sample.key = name->key;
    sample.members.push_back({std::string(name->suffix), file_->text().substr(member->begin, member->num_bytes)});
  }
  return sample;
}

std::string TarFile::place(int64_t index) const {
  return concat(path().string(), ", sample ", index + 1, " (", printable(sample(index).key), ")");
}

std::vector<Stretch> TarFile::stretches() const {
  std::vector<Stretch> stretches;
  size_t begin = offsets_[0];
  for (int64_t i = 0; i < size(); ++i) {
    const size_t num_bytes = end_of(i) - begin;
    if (num_bytes < kStretchBytes && i + 1 < size()) continue;
    stretches.push_back({i + 1, static_cast<int64_t>(num_bytes)});
    begin = end_of(i);
  }
  return stretches;
}

void TarFile::give_back(int64_t index) const {
  const size_t begin = offsets_[index], end = end_of(index);
  if (end - begin >= kManyBytes) release(file_->bytes().subspan(begin, end - begin));
}

}  // namespace vlsi
