#include "run/data_survey.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "run/steps.h"

namespace vlsi {
namespace {

constexpr int64_t kChunk = 64;  // records that a thread takes at once

/// Records of one file that a thread takes.
struct SurveyChunk {
  int32_t source;
  const RecordFile* file;
  int64_t begin, end;
};

/// What the threads find, added up.
struct SurveyFindings {
  std::vector<int32_t> lengths;
  std::vector<uint64_t> samples, pictures;                               // by their fingerprints
  std::map<std::pair<const RecordFile*, int64_t>, std::string> reasons;  // by file and record, in order within a file
};

int64_t count_distinct(std::vector<uint64_t> values) {
  std::sort(values.begin(), values.end());
  return std::unique(values.begin(), values.end()) - values.begin();
}

class Surveyor {
 public:
  Surveyor(const std::vector<DataSource>& sources, const SampleMaker& maker, const DataConfig& data)
      : maker_(maker), data_(data), surveys_(sources.size()), findings_(sources.size()) {
    const auto cache = std::make_shared<DecodedRowsCache>();
    for (size_t i = 0; i < sources.size(); ++i) open(sources[i], static_cast<int32_t>(i), cache);
  }

  std::vector<SourceSurvey> run() {
    int64_t num_records = 0;
    for (const auto& survey : surveys_) num_records += survey.num_records;
    progress_ = std::make_unique<Progress>("reading the data", "records", num_records);
    std::vector<std::jthread> threads;
    for (int64_t i = 0; i < data_.workers; ++i) threads.emplace_back([this] { work(); });
    threads.clear();  // waits for them
    progress_.reset();
    if (fault_) std::rethrow_exception(fault_);
    finish();
    return std::move(surveys_);
  }

 private:
  void open(const DataSource& source, int32_t index, const std::shared_ptr<DecodedRowsCache>& cache) {
    auto& survey = surveys_[index];
    survey.name = source.name.empty() ? source.path.string() : source.name;
    survey.num_expected = source.num_records;
    try {
      for (auto& file : open_files(source, cache)) {
        survey.num_files += 1;
        survey.num_in_files += file.size_of_file();
        survey.num_records += file.size();
        files_.push_back(std::move(file));
        for (int64_t begin = 0; begin < files_.back().size(); begin += kChunk) {
          chunks_.push_back({index, &files_.back(), begin, std::min(begin + kChunk, files_.back().size())});
        }
      }
    } catch (const Error& error) {
      survey.problem = error.what();
    }
  }

  void work() {
    try {
      while (!interrupted()) {
        const size_t next = next_++;
        if (next >= chunks_.size()) return;
        read(chunks_[next]);
      }
    } catch (...) {
      const std::scoped_lock lock(mutex_);
      if (!fault_) fault_ = std::current_exception();
      next_ = chunks_.size();
    }
  }

  void read(const SurveyChunk& chunk) {
    SourceSurvey found;
    SurveyFindings more;
    for (int64_t record = chunk.begin; record < chunk.end; ++record) {
      try {
        const auto conversation = chunk.file->read(record);
        try {
          add(maker_.encode(conversation, data_.sample_tokens, data_.batch_tokens), found, more);
        } catch (const Error& error) {
          fail(chunk.file->place(record), ": ", error.what());
        }
      } catch (const Error& error) {
        found.num_broken += 1;
        more.reasons[{chunk.file, record}] = error.what();
      }
    }
    const std::scoped_lock lock(mutex_);
    num_done_ += chunk.end - chunk.begin;
    join(found, more, chunk.source);
    progress_->update(num_done_);
  }

  static void add(const SamplePair& pair, SourceSurvey& survey, SurveyFindings& findings) {
    const auto& sample = pair.own;
    std::vector<uint64_t> pictures;
    for (const auto& picture : sample.images) pictures.push_back(fingerprint_of(picture));
    survey.num_pictures += std::ssize(pictures);
    survey.num_tokens += std::ssize(sample.tokens);
    survey.num_answer_tokens += std::ssize(sample.answer_positions);
    survey.num_picture_tokens += std::ssize(sample.image_token_positions);
    const size_t teachers = pair.teachers ? pair.teachers->tokens.size() : 0;
    findings.lengths.push_back(static_cast<int32_t>(std::max(sample.tokens.size(), teachers)));
    findings.samples.push_back(fingerprint_of(sample, pictures));
    findings.pictures.insert(findings.pictures.end(), pictures.begin(), pictures.end());
  }

  void join(const SourceSurvey& found, SurveyFindings& more, int32_t source) {
    auto& survey = surveys_[source];
    for (const auto count : {&SourceSurvey::num_broken, &SourceSurvey::num_pictures, &SourceSurvey::num_tokens,
                             &SourceSurvey::num_answer_tokens, &SourceSurvey::num_picture_tokens}) {
      survey.*count += found.*count;
    }
    auto& all = findings_[source];
    all.lengths.insert(all.lengths.end(), more.lengths.begin(), more.lengths.end());
    all.samples.insert(all.samples.end(), more.samples.begin(), more.samples.end());
    all.pictures.insert(all.pictures.end(), more.pictures.begin(), more.pictures.end());
    all.reasons.merge(more.reasons);
    while (all.reasons.size() > SourceSurvey::kMostReasons) all.reasons.erase(std::prev(all.reasons.end()));
  }

  void finish() {
    std::vector<std::pair<uint64_t, int32_t>> samples;
    for (size_t i = 0; i < surveys_.size(); ++i) {
      auto& survey = surveys_[i];
      auto& found = findings_[i];
      for (const uint64_t sample : found.samples) samples.emplace_back(sample, static_cast<int32_t>(i));
      survey.num_distinct_pictures = count_distinct(std::move(found.pictures));
      for (auto& [place, reason] : found.reasons) survey.reasons.push_back(std::move(reason));
      std::sort(found.lengths.begin(), found.lengths.end());
      if (found.lengths.empty()) continue;
      const auto at = [&](double part) {
        return found.lengths[static_cast<size_t>(part * static_cast<double>(found.lengths.size() - 1))];
      };
      survey.shortest = at(0);
      survey.median = at(0.5);
      survey.long_one = at(0.95);
      survey.longest = at(1);
    }
    std::sort(samples.begin(), samples.end());
    for (size_t i = 1; i < samples.size(); ++i) {
      if (samples[i].first == samples[i - 1].first) surveys_[samples[i].second].num_repeated += 1;
    }
  }

  const SampleMaker maker_;
  const DataConfig& data_;
  std::deque<RecordFile> files_;
  std::vector<SurveyChunk> chunks_;
  std::atomic<size_t> next_ = 0;
  std::mutex mutex_;  // of all below
  std::vector<SourceSurvey> surveys_;
  std::vector<SurveyFindings> findings_;
  int64_t num_done_ = 0;
  std::exception_ptr fault_;
  std::unique_ptr<Progress> progress_;
};

using SurveyCount = int64_t SourceSurvey::*;

/// The numbers of a source, in the order of the table.
constexpr std::pair<const char*, SurveyCount> kCounts[] = {{"expected", &SourceSurvey::num_expected},
                                                           {"files", &SourceSurvey::num_files},
                                                           {"in_files", &SourceSurvey::num_in_files},
                                                           {"records", &SourceSurvey::num_records},
                                                           {"broken", &SourceSurvey::num_broken},
                                                           {"repeated", &SourceSurvey::num_repeated},
                                                           {"pictures", &SourceSurvey::num_pictures},
                                                           {"distinct_pictures", &SourceSurvey::num_distinct_pictures},
                                                           {"tokens", &SourceSurvey::num_tokens},
                                                           {"answer_tokens", &SourceSurvey::num_answer_tokens},
                                                           {"picture_tokens", &SourceSurvey::num_picture_tokens},
                                                           {"shortest", &SourceSurvey::shortest},
                                                           {"median", &SourceSurvey::median},
                                                           {"95_percent", &SourceSurvey::long_one},
                                                           {"longest", &SourceSurvey::longest}};

bool has_unexpected_number(const SourceSurvey& survey) {
  return survey.problem.empty() && survey.num_expected > 0 && survey.num_expected != survey.num_records;
}

}  // namespace

std::vector<DataSource> surveyed_sources(const RunConfig& config) {
  std::vector<DataSource> sources;
  const auto add = [&](const std::vector<DataSource>& more) {
    for (const auto& source : more) {
      const auto key = [](const DataSource& one) { return std::tie(one.path, one.images, one.keep); };
      if (std::none_of(sources.begin(), sources.end(), [&](const auto& one) { return key(one) == key(source); })) {
        sources.push_back(source);
      }
    }
  };
  for (const auto part : {&DataConfig::train, &DataConfig::validation}) {
    for (const auto& step : step_table()) {
      const auto settings = step.settings(config);
      if (settings.iterations > 0) add(settings.data.*part);
    }
  }
  return sources;
}

std::vector<SourceSurvey> survey(const std::vector<DataSource>& sources, const SampleMaker& maker,
                                 const DataConfig& data) {
  return Surveyor(sources, maker, data).run();
}

std::string to_text(const std::vector<SourceSurvey>& surveys) {
  std::vector<std::vector<std::string>> rows{{"source"}};
  for (const auto& [name, count] : kCounts) rows[0].emplace_back(name);
  SourceSurvey all;
  all.name = "together";
  for (const auto& survey : surveys) {
    auto& row = rows.emplace_back();
    row.push_back(survey.name);
    for (const auto& [name, count] : kCounts) {
      row.push_back(survey.problem.empty() ? std::to_string(survey.*count) : "-");
      all.*count += survey.*count;
    }
  }
  auto& row = rows.emplace_back();
  row.push_back(all.name);
  for (size_t i = 0; i < std::size(kCounts); ++i) {
    // Lengths do not add up, nor do pictures that two sources may share.
    const bool adds_up = i + 4 < std::size(kCounts) && kCounts[i].second != &SourceSurvey::num_distinct_pictures;
    row.push_back(adds_up ? std::to_string(all.*kCounts[i].second) : "");
  }
  std::string text;  // a source is a column

  for (size_t line = 0; line < rows[0].size(); ++line) {
    for (size_t column = 0; column < rows.size(); ++column) {
      size_t width = 0;
      for (const auto& cell : rows[column]) width = std::max(width, cell.size());
      const auto& cell = rows[column][line];
      const std::string blank(width - cell.size(), ' ');
      text += column == 0 ? cell + blank : "  " + blank + cell;
    }
    text += "\n";
  }
  for (const auto& survey : surveys) {
    if (!survey.problem.empty()) text += concat(survey.name, ": ", survey.problem, "\n");
    if (has_unexpected_number(survey)) {
      text += concat(survey.name, ": has ", survey.num_records, " records, expected ", survey.num_expected, "\n");
    }
    for (const auto& reason : survey.reasons) text += concat(survey.name, ": broken: ", reason, "\n");
  }
  return text;
}

OrderedJson to_json(const std::vector<SourceSurvey>& surveys) {
  OrderedJson sources = OrderedJson::array();
  for (const auto& survey : surveys) {
    OrderedJson source{{"name", survey.name}, {"problem", nullptr}};
    if (!survey.problem.empty()) source["problem"] = survey.problem;
    for (const auto& [name, count] : kCounts) source[name] = survey.*count;
    source["reasons"] = survey.reasons;
    sources.push_back(std::move(source));
  }
  return {{"sources", std::move(sources)}};
}

}  // namespace vlsi
