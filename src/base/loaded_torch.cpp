#include "base/loaded_torch.h"

#include <fcntl.h>
#include <link.h>
#include <torch/version.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace vlsi {
namespace {

constexpr char kLibrary[] = "/lib/libtorch_cpu.so";
constexpr size_t kPathBytes = 4096, kFileBytes = 4096;

/// Copies the folder whose lib/ holds LibTorch into `folder`, of kPathBytes.
int find_folder(dl_phdr_info* library, size_t, void* folder) {
  const char* const name = library->dlpi_name;
  const size_t length = std::strlen(name), ending = std::strlen(kLibrary);
  if (length < ending || length >= kPathBytes || std::strcmp(name + length - ending, kLibrary) != 0) return 0;
  std::memcpy(folder, name, length - ending);
  return 1;
}

/// The beginning of the file in `text`, of kFileBytes, ended by a zero; empty where it cannot be read.
void read_beginning(const char* folder, const char* name, char* text) {
  char path[kPathBytes];
  text[0] = '\0';
  // By way of lib/, which may be a link to another folder.
  if (std::snprintf(path, sizeof path, "%s/lib/../%s", folder, name) >= static_cast<int>(sizeof path)) return;
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  const auto count = ::read(file, text, kFileBytes - 1);
  text[count > 0 ? count : 0] = '\0';
  ::close(file);
}

bool is_own(const char* version) {
  const size_t length = std::strlen(TORCH_VERSION), own = std::min(length, std::strcspn(TORCH_VERSION, "+"));
  return std::strncmp(version, TORCH_VERSION, own) == 0 && (version[own] == '\0' || version[own] == '+');
}

/// The version that "version.py" or "build-version" in LibTorch's folder names, such as "2.13.0+cpu"; empty where
/// neither does.
void read_torch_version(const char* folder, char* version, size_t size) {
  char text[kFileBytes];
  version[0] = '\0';
  read_beginning(folder, "version.py", text);
  const char* start = std::strstr(text, "__version__ = ");
  if (start != nullptr) start = std::strpbrk(start, "'\"");
  if (start != nullptr) {
    ++start;
  } else {
    read_beginning(folder, "build-version", text);
    start = text;
  }
  const size_t length = std::min(size - 1, std::strcspn(start, "'\" \n"));
  std::memcpy(version, start, length);
  version[length] = '\0';
}

}  // namespace

void require_own_torch() {
  char folder[kPathBytes] = {}, version[64];
  if (::dl_iterate_phdr(&find_folder, folder) == 0) return;
  read_torch_version(folder, version, sizeof version);
  if (version[0] == '\0' || is_own(version)) return;
  const int own = static_cast<int>(std::strcspn(TORCH_VERSION, "+"));
  ::dprintf(STDERR_FILENO,
            "vlsi: starting the program: torch at %s is %s, expected torch %.*s, which it was built against; "
            "pip install torch==%.*s\n",
            folder, version, own, TORCH_VERSION, own, TORCH_VERSION);
  ::_exit(2);
}

}  // namespace vlsi
