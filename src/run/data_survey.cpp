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
#include "base/text_table.h"
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
  std::vector<uint64_t> samples, pictures;  // by their fingerprints
};

/// The record's `id` or the like, where there is one that can be read.
std::optional<Json> find_id(const RecordFile& file, int64_t record) {
  try {
    const auto values = file.json(record);
    for (const char* key : {"id", "idx", "index"}) {
      if (!values.is_object() || !values.contains(key)) continue;
      if (values[key].is_string() || values[key].is_number()) return values[key];
    }
  } catch (const Error&) {  // the reason says it
  }
  return std::nullopt;
}

int64_t count_distinct(std::vector<uint64_t> values) {
  std::sort(values.begin(), values.end());
  return std::unique(values.begin(), values.end()) - values.begin();
}

class Surveyor {
 public:
  Surveyor(const std::vector<DataSource>& sources, const SampleMaker& maker, const DataConfig& data,
           const std::function<void(const BrokenRecord&)>& each)
      : maker_(maker), data_(data), each_(each), surveys_(sources.size()), findings_(sources.size()) {
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
        read(next);
      }
    } catch (...) {
      const std::scoped_lock lock(mutex_);
      if (!fault_) fault_ = std::current_exception();
      next_ = chunks_.size();
    }
  }

  void read(size_t number) {
    const auto& chunk = chunks_[number];
    SourceSurvey found;
    SurveyFindings more;
    std::vector<BrokenRecord> broken;
    for (int64_t record = chunk.begin; record < chunk.end; ++record) {
      try {
        const auto conversation = chunk.file->read(record);
        try {
          add(maker_.encode(conversation, data_.sample_tokens, data_.batch_tokens), found, more);
        } catch (const Error& error) {
          fail(chunk.file->place(record), ": ", error.what());
        }
      } catch (const Error& error) {
        broken.push_back({.source = surveys_[chunk.source].name,
                          .file = chunk.file->path(),
                          .number = chunk.file->number(record) + 1,
                          .id = each_ ? find_id(*chunk.file, record) : std::nullopt,
                          .reason = error.what()});
      }
    }
    const std::scoped_lock lock(mutex_);
    num_done_ += chunk.end - chunk.begin;
    join(found, more, chunk.source);
    broken_.emplace(number, std::move(broken));
    pass_broken_on();
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
    for (const auto count : {&SourceSurvey::num_pictures, &SourceSurvey::num_tokens, &SourceSurvey::num_answer_tokens,
                             &SourceSurvey::num_picture_tokens}) {
      survey.*count += found.*count;
    }
    auto& all = findings_[source];
    all.lengths.insert(all.lengths.end(), more.lengths.begin(), more.lengths.end());
    all.samples.insert(all.samples.end(), more.samples.begin(), more.samples.end());
    all.pictures.insert(all.pictures.end(), more.pictures.begin(), more.pictures.end());
  }

  /// Of the chunks that are read, those with none before them that is not.
  void pass_broken_on() {
    for (; !broken_.empty() && broken_.begin()->first == num_passed_on_; ++num_passed_on_) {
      auto& survey = surveys_[chunks_[num_passed_on_].source];
      for (const auto& record : broken_.begin()->second) {
        survey.num_broken += 1;
        if (survey.reasons.size() < SourceSurvey::kMostReasons) survey.reasons.push_back(record.reason);
        if (each_) each_(record);
      }
      broken_.erase(broken_.begin());
    }
  }

  void finish() {
    std::vector<std::pair<uint64_t, int32_t>> samples;
    for (size_t i = 0; i < surveys_.size(); ++i) {
      auto& survey = surveys_[i];
      auto& found = findings_[i];
      for (const uint64_t sample : found.samples) samples.emplace_back(sample, static_cast<int32_t>(i));
      survey.num_distinct_pictures = count_distinct(std::move(found.pictures));
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
  const std::function<void(const BrokenRecord&)>& each_;
  std::deque<RecordFile> files_;
  std::vector<SurveyChunk> chunks_;
  std::atomic<size_t> next_ = 0;
  std::mutex mutex_;  // of all below
  std::vector<SourceSurvey> surveys_;
  std::vector<SurveyFindings> findings_;
  int64_t num_done_ = 0;
  std::map<size_t, std::vector<BrokenRecord>> broken_;  // by chunk, of those behind one that is not read yet
  size_t num_passed_on_ = 0;                            // chunks
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

bool is_same(const DataSource& a, const DataSource& b) {
  const auto key = [](const DataSource& one) { return std::tie(one.path, one.images, one.keep); };
  return key(a) == key(b);
}

bool has_unexpected_number(const SourceSurvey& survey) {
  return survey.problem.empty() && survey.num_expected > 0 && survey.num_expected != survey.num_records;
}

}  // namespace

std::vector<DataSource> surveyed_sources(const RunConfig& config) {
  std::vector<DataSource> sources;
  const auto add = [&](const std::vector<DataSource>& more) {
    for (const auto& source : more) {
      if (std::none_of(sources.begin(), sources.end(), [&](const auto& one) { return is_same(one, source); }))
        sources.push_back(source);
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
                                 const DataConfig& data, const std::function<void(const BrokenRecord&)>& each) {
  return Surveyor(sources, maker, data, each).run();
}

bool ends_at_broken_record(const RunConfig& config, const DataSource& source) {
  return std::any_of(step_table().begin(), step_table().end(), [&](const auto& step) {
    const auto settings = step.settings(config);
    if (settings.iterations == 0 || settings.data.on_error != OnError::kStop) return false;
    const auto is_among = [&](const std::vector<DataSource>& sources) {
      return std::any_of(sources.begin(), sources.end(), [&](const auto& one) { return is_same(one, source); });
    };
    return is_among(settings.data.train) || is_among(settings.data.validation);
  });
}

std::string to_text(const std::vector<SourceSurvey>& surveys) {
  std::vector<std::vector<std::string>> lines{{"source"}};  // a source is a column
  for (const auto& survey : surveys) lines[0].push_back(survey.name);
  lines[0].emplace_back("together");
  for (size_t i = 0; i < std::size(kCounts); ++i) {
    const auto [name, count] = kCounts[i];
    auto& line = lines.emplace_back(1, name);
    int64_t sum = 0;
    const auto text_of = [&](int64_t number) {
      return number == 0 && count == &SourceSurvey::num_expected ? "-" : std::to_string(number);
    };
    for (const auto& survey : surveys) {
      line.push_back(survey.problem.empty() ? text_of(survey.*count) : "-");
      sum += survey.*count;
    }
    // Lengths do not add up, nor do pictures that two sources may share.
    const bool adds_up = i + 4 < std::size(kCounts) && count != &SourceSurvey::num_distinct_pictures;
    line.push_back(adds_up ? text_of(sum) : "");
  }
  std::string text;
  for (const auto& line : aligned_lines(lines)) text += line + '\n';
  for (const auto& survey : surveys) {
    if (!survey.problem.empty()) text += concat(survey.name, ": ", survey.problem, "\n");
    if (has_unexpected_number(survey)) {
      text += concat(survey.name, ": has ", survey.num_records, " records, expected ", survey.num_expected, "\n");
    }
    for (const auto& reason : survey.reasons) text += concat(survey.name, ": broken: ", reason, "\n");
    if (const int64_t more = survey.num_broken - std::ssize(survey.reasons); more > 0)
      text += concat(survey.name, ": broken: and ", more, " more; --broken FILE.jsonl lists all\n");
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
