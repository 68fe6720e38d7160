// The memory of this machine and of this process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace vlsi {

/// Bytes that this process may still take: the kernel's MemAvailable, or what the limits of its control groups (of
/// either version) leave where that is less; pages of files that can be given up count as free. `root` holds proc/ and
/// sys/. Nothing on a system that does not say.
std::optional<int64_t> available_memory(const std::filesystem::path& root = "/");

/// Bytes of this process that are in memory now, file pages included; 0 on a system that does not say.
int64_t resident_memory();

/// Gives memory that was freed and kept for the next tensors back to the system.
void release_freed_memory();

}  // namespace vlsi
