// What a model's answers depend on, in words and checksums: to tell whether stored ones are those that are wanted.
#pragma once

#include <filesystem>
#include <string>

#include "base/json.h"
#include "data/dataset.h"
#include "generate/decoding.h"

namespace vlsi {

/// 16 hexadecimal digits over what the questions ask: texts, pictures that the records hold, and the paths of others
/// below their folder. Error for a record that is broken, unless `skips` those: then its message is what it is known
/// by.
std::string fingerprint_of_questions(const Records& questions, bool skips);

/// Over the files of a model's or adapter's directory that say what it answers (weights, configuration, tokenizer,
/// template, pre-processing), by name and content. Every byte is read.
std::string fingerprint_of_directory(const std::filesystem::path& directory);

/// A data file by its name, size and checksum; a folder by its name.
OrderedJson data_json(const std::filesystem::path& data);

/// Every setting of a decoding.
OrderedJson decoding_json(const Decoding& decoding);

}  // namespace vlsi
