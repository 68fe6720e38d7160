// A run and its teacher cache: whether they fit, and opening it in the place of the teacher.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "model/vlm.h"
#include "run/config.h"
#include "run/pair_processors.h"
#include "teacher/teacher.h"
#include "teacher/teacher_cache.h"

namespace vlsi {

/// Whether the run's configuration names a cache, and one is there.
bool has_cache(const RunConfig& config);

/// The teacher's target layers that step 2's losses read: none where it takes no KL at target layers.
std::vector<int64_t> cached_layers(const RunConfig& config);

/// CacheOrigin's `blank` of this run.
std::string blank_of(const RunConfig& config);

/// What a cache of this run depends on, as far as it is known without the teacher's weights. Its processor is known
/// where its directory is there, its verbalizers where they are: step 1's in config.out, else the given ones.
CacheOrigin known_origin(const RunConfig& config, const PairProcessors& processors, const Vlm& student);

/// A teacher that is read from a cache, at its target layers `layers`.
Teacher cached_teacher(std::shared_ptr<TeacherCache> cache, const std::vector<int64_t>& layers);

/// The cache of the run as its teacher. Error where TeacherCache has one.
Teacher open_cached_teacher(const RunConfig& config, const PairProcessors& processors, const Vlm& student);

}  // namespace vlsi
