// What a run's data are: files, folders, patterns and data sets of the hub's cache.
#pragma once

#include <deque>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/decoded_rows.h"

namespace vlsi {

struct DataSource {
  std::filesystem::path path, images;
  double weight = 1.0;
  std::string keep = {};    // Keep's text
  std::string name = {};    // for people; empty: the path
  int64_t num_records = 0;  // that it is to have, of which vlsi data looks; 0: any
};

/// The files of a path, in the order of their names, byte by byte: a file itself; of a folder, with its subfolders and
/// without what is hidden, those of the first format of data_formats() that it has, and where the names of some begin
/// with "train", these alone; what a pattern with *, ? and [...] matches; and of `org/name`, `org/name@revision` or a
/// path inside of these, which is no path here, the data set in the hub's local cache (base/hub_cache.h). Error for a
/// pattern that matches nothing, a folder without such files, what is not there, and what cannot be looked at.
std::vector<std::filesystem::path> files_of(const std::filesystem::path& path);

/// The files of a source, opened. Errors are those of files_of,
/// Keep and RecordFile, and one where `keep` leaves nothing.
std::deque<RecordFile> open_files(const DataSource& source, const std::shared_ptr<DecodedRowsCache>& cache = nullptr);

}  // namespace vlsi
