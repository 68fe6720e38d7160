// Model directories made of the fixtures' tensors.
#pragma once

#include "base/safetensors_writer.h"
#include "tests/model/fixtures.h"

namespace vlsi::fixtures {

/// The tensors of a fixture's file.
inline NamedTensors stored_tensors(const std::string& variant) {
  const auto checkpoint = Checkpoint::open(fixtures::directory(variant));
  NamedTensors tensors;
  for (const auto& name : checkpoint.names()) tensors.emplace_back(name, checkpoint.tensor(name));
  return tensors;
}

/// A directory with a fixture's config.json and these tensors.
inline void write_directory(const std::filesystem::path& directory, const NamedTensors& tensors,
                            const std::string& variant = "tied") {
  std::filesystem::create_directories(directory);
  std::filesystem::copy_file(fixtures::directory(variant) / "config.json", directory / "config.json",
                             std::filesystem::copy_options::overwrite_existing);
  write_safetensors(directory / "model.safetensors", tensors);
}

inline void expect_same_parameters(const Vlm& model, const Vlm& expected) {
  const auto found = by_name(model.named_parameters()), wanted = by_name(expected.named_parameters());
  ASSERT_EQ(found.size(), wanted.size());
  for (const auto& [name, value] : wanted) {
    ASSERT_TRUE(found.contains(name)) << name;
    EXPECT_TRUE(at::equal(found.at(name), value)) << name;
  }
}

}  // namespace vlsi::fixtures
