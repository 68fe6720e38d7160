// Samples of a webdataset as records: pictures with JSON of the program's other forms, with a text, or with
// LLaVA-OneVision-1.5's JSON.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/stored_records.h"
#include "data/tar_file.h"

namespace vlsi {

/// The JSON of a sample, whose `images` are its pictures' bytes. What it is made of: the member `json`, an object or a
/// list of messages; else the member `txt`, an answer to the pictures alone. Pictures are the members whose suffixes
/// end as JPEG, PNG, WebP and GIF do, in their order in the tar, or in that of the list `name` where the JSON has one
/// with `media`; they take the place of `image` and `images`. Error naming `place` for a sample without the one or the
/// other, for JSON that is none, and for a name that no member has.
Json json_of_sample(const TarFile::Sample& sample, const std::string& place);

class TarRecords : public StoredRecords {
 public:
  explicit TarRecords(const std::filesystem::path& path) : tar_(path) {}

  const std::shared_ptr<const MappedFile>& file() const override { return tar_.file(); }
  int64_t size() const override { return tar_.size(); }
  std::string place(int64_t record) const override { return tar_.place(record); }
  Json json(int64_t record) const override;
  Conversation read(int64_t record, const std::filesystem::path& images, bool answers_required) const override;
  uint64_t checksum() const override { return tar_.checksum(); }
  std::vector<Stretch> stretches() const override { return tar_.stretches(); }
  void for_each(const std::vector<std::string>& names, const Visit& visit) const override;

 private:
  TarFile tar_;
};

}  // namespace vlsi
