// Models from Hugging Face directories.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/problems.h"
#include "base/safetensors.h"
#include "base/words.h"
#include "family/family.h"
#include "model/vlm.h"
#include "ranks/ranks.h"

namespace vlsi {

/// Where a frozen model's weights are while it works.
enum class Residency {
  kResident,  // in memory, once touched
  kStreamed,  // in their files; vision tower and decoder layers are in memory one by one (weight_stream.h)
  kSharded,   // of vision tower and decoder layers: in the memory of several ranks, a share in each
              // (sharded_weights.h)
};

/// What `residency` comes to on `num_ranks` ranks: one alone holds all of a sharded model.
inline Residency residency_among(int64_t num_ranks, Residency residency) {
  return residency == Residency::kSharded && num_ranks == 1 ? Residency::kResident : residency;
}

template <>
struct EnumNames<Residency> {
  static constexpr EnumName<Residency> all[]{
      {"resident", Residency::kResident, "weights stay in memory"},
      {"streamed", Residency::kStreamed, "layer by layer from the files, each once an iteration"},
      {"sharded", Residency::kSharded, "a share of each layer in every rank"}};
};

/// The model in `directory`, frozen. A weight that is stored in `dtype` is a read-only view of the mapped file; another
/// dtype is converted. Every naming of its family is read; missing, unexpected, repeated and misshapen tensors are one
/// Error that lists them all. `ranks` hold a sharded model together and outlive it; with a single one, it is resident.
std::shared_ptr<Vlm> load_vlm(const std::filesystem::path& directory, at::ScalarType dtype,
                              at::Device device = at::kCPU, Residency residency = Residency::kResident,
                              const Ranks& ranks = one_rank());

/// The tensors of a checkpoint by their names here, without those that are not needed and those that no naming of the
/// family has. Two of one name are a problem.
using StoredNames = std::map<std::string, std::string>;
StoredNames stored_names(const Checkpoint& checkpoint, const Family& family, Problems& problems);

}  // namespace vlsi
