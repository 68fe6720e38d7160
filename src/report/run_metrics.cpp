#include "report/run_metrics.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "report/metric_line.h"
#include "run/steps.h"

namespace vlsi {
namespace {

constexpr size_t kMaxSteps = 16, kMaxCurves = 512, kMaxPairs = 400, kMaxNotes = 5;
constexpr size_t kPairBuckets = 120;  // there are many pairs, and each is seen in a part of the iterations
constexpr size_t kReadBytes = size_t{4} << 20;
constexpr size_t kMaxLineBytes = size_t{64} << 20;

struct CurveName {
  std::string key;
  int64_t index = -1;  // in the list of that key; -1 for a number
  bool operator==(const CurveName&) const = default;
};

struct Step {
  std::string name;
  int64_t iteration = 0, num_iterations = 0;
  double seconds = 0, tokens = 0, answer_tokens = 0;
  Measured last_seconds = 0.0;  // of the previous iteration
  OrderedJson validation = nullptr;
  std::vector<std::pair<CurveName, Curve>> curves;
  std::map<MatchHistory::Pair, Curve> pairs;

  size_t expected = 0;  // place of the next curve, if the line has its keys in the order of the line before

  Curve* curve(const CurveName& wanted) {
    if (expected < curves.size() && curves[expected].first == wanted) return &curves[expected++].second;
    const auto found =
        std::find_if(curves.begin(), curves.end(), [&](const auto& item) { return item.first == wanted; });
    if (found != curves.end()) {
      expected = static_cast<size_t>(found - curves.begin()) + 1;
      return &found->second;
    }
    if (curves.size() == kMaxCurves) return nullptr;
    return &curves.emplace_back(wanted, Curve()).second;
  }
  void add(const CurveName& wanted, Measured value) {
    if (auto* found = curve(wanted)) found->add(static_cast<double>(iteration), value);
  }
};

/// An open file, read at any place.
class Descriptor {
 public:
  explicit Descriptor(const std::filesystem::path& path)
      : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (file_ < 0 && errno != ENOENT) refuse();
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (file_ >= 0) ::close(file_);
  }
  bool is_open() const { return file_ >= 0; }
  /// Bytes from `offset` on, at most `size`; fewer only at the end of the file.
  std::string read(int64_t offset, size_t size) const {
    std::string bytes(size, '\0');
    size_t done = 0;
    while (done < size) {
      const ssize_t count = ::pread(file_, bytes.data() + done, size - done, offset + static_cast<int64_t>(done));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) refuse();
      if (count == 0) break;
      done += static_cast<size_t>(count);
    }
    bytes.resize(done);
    return bytes;
  }

 private:
  [[noreturn]] void refuse() const { fail("reading metrics from ", path_.string(), ": ", std::strerror(errno)); }

  const std::filesystem::path& path_;
  int file_;
};

}  // namespace

struct RunMetrics::Content {
  int64_t num_lines = 0, num_left_out = 0;
  std::vector<std::string> problems;
  bool cut_off = false;  // the file ends without a line end
  std::vector<Step> steps;
  MatchHistory matching;

  Step* step(const std::string& name) {
    const auto found = std::find_if(steps.begin(), steps.end(), [&](const Step& step) { return step.name == name; });
    if (found != steps.end()) return &*found;
    if (steps.size() == kMaxSteps) return nullptr;
    steps.emplace_back().name = name;
    return &steps.back();
  }

  void tell(const std::string& problem) {
    ++num_left_out;
    if (problems.size() < kMaxNotes) problems.push_back(concat("line ", num_lines, " ", problem));
  }

  void add_iteration(Step& step, const MetricLine& line) {
    step.iteration = line.iteration;
    step.expected = 0;
    ++step.num_iterations;
    for (const auto& [key, value] : line.numbers) {
      if (key != "seconds" && key != "tokens" && key != "answer_tokens") step.add({key}, value);
    }
    for (const auto& [key, list] : line.lists) {
      if (key == "source_tokens") continue;
      for (size_t i = 0; i < list.size(); ++i) step.add({key, static_cast<int64_t>(i)}, list[i]);
    }
    step.answer_tokens += line.number("answer_tokens").value_or(0);
    const auto tokens = line.number("tokens"), seconds = line.number("seconds");
    step.tokens += tokens.value_or(0);
    if (seconds) {
      // The clock starts anew where a run was continued.
      const double spent =
          step.last_seconds && *seconds >= *step.last_seconds ? *seconds - *step.last_seconds : *seconds;
      step.seconds += spent;
      if (tokens && spent > 0) step.add({"tokens_per_second"}, *tokens / spent);
      step.last_seconds = seconds;
    }
    add_pairs(step, line);
    const auto& entry = line.matching;
    if (!entry.matches.empty() || !entry.weights.empty() || !entry.losses.empty()) matching.add(entry);
  }

  /// The mean over the micro-batches of the iteration that chose the pair.
  static void add_pairs(Step& step, const MetricLine& line) {
    std::map<MatchHistory::Pair, std::pair<Measured, int64_t>> sums;
    for (size_t i = 0; i < line.match_losses.size(); ++i) {
      auto& [sum, count] = sums.try_emplace(line.matching.matches[i], 0.0, 0).first->second;
      ++count;
      sum = sum && line.match_losses[i] ? Measured(*sum + *line.match_losses[i]) : std::nullopt;
    }
    for (const auto& [pair, mean] : sums) {
      if (!step.pairs.contains(pair) && step.pairs.size() == kMaxPairs) continue;
      const auto& [sum, count] = mean;
      auto& curve = step.pairs.try_emplace(pair, kPairBuckets).first->second;
      curve.add(static_cast<double>(line.iteration), sum ? Measured(*sum / static_cast<double>(count)) : std::nullopt);
    }
  }

  void add(MetricLineParser& parser, std::string_view text) {
    ++num_lines;
    if (text.find_first_not_of(" \t\r") == text.npos) return;
    std::string problem;
    const auto line = parser.parse(text, problem);
    if (!problem.empty()) tell(problem);
    if (!line) return;
    auto* found = step(line->step);
    if (found == nullptr) return tell("names one step too many");
    if (line->has("validation_loss")) {
      const auto json = [&](const char* key) {
        const auto value = line->number(key);
        return value ? OrderedJson(*value) : OrderedJson(nullptr);
      };
      found->validation = OrderedJson{{"iteration", line->iteration}, {"validation_loss", json("validation_loss")}};
      if (line->has("validation_loss_words"))
        found->validation["validation_loss_words"] = json("validation_loss_words");
      return;
    }
    if (found->num_iterations > 0 && line->iteration <= found->iteration) {
      return tell(concat("goes back to iteration ", line->iteration, " after ", found->iteration));
    }
    add_iteration(*found, *line);
  }
};

RunMetrics::RunMetrics(std::filesystem::path path)
    : path_(std::move(path)), parser_(std::make_unique<MetricLineParser>()), content_(std::make_unique<Content>()) {}
RunMetrics::~RunMetrics() = default;

bool RunMetrics::refresh() {
  const Descriptor file(path_);
  const int64_t lines_before = content_->num_lines;
  const bool cut_off_before = content_->cut_off;
  bool restarted = false;
  if (offset_ > 0) {
    const auto length = static_cast<int64_t>(last_line_.size());
    if (!file.is_open() || file.read(offset_ - length, last_line_.size()) != last_line_) {
      *content_ = {};
      offset_ = 0;
      restarted = true;
    }
  }
  if (!file.is_open()) return restarted;
  std::string rest;  // of a line that the last read did not finish
  for (;;) {
    const auto bytes = file.read(offset_ + static_cast<int64_t>(rest.size()), kReadBytes);
    rest += bytes;
    size_t begin = 0, last_begin = 0;
    for (size_t end; (end = rest.find('\n', begin)) != rest.npos; begin = end + 1) {
      content_->add(*parser_, std::string_view(rest).substr(begin, end - begin));
      last_begin = begin;
    }
    if (begin > 0) last_line_ = rest.substr(last_begin, begin - last_begin);
    offset_ += static_cast<int64_t>(begin);
    rest.erase(0, begin);
    if (bytes.size() < kReadBytes || rest.size() > kMaxLineBytes) break;
  }
  content_->cut_off = !rest.empty();
  return restarted || content_->num_lines != lines_before || content_->cut_off != cut_off_before;
}

int64_t RunMetrics::num_lines() const { return content_->num_lines; }

std::vector<std::string> RunMetrics::notes() const {
  std::vector<std::string> notes;
  const std::string name = path_.filename().string();
  if (content_->cut_off) {
    notes.push_back(concat(name, " ends in the middle of line ", content_->num_lines + 1, ": the ", content_->num_lines,
                           " complete lines before it are shown"));
  }
  for (const auto& problem : content_->problems) notes.push_back(concat(name, ": ", problem));
  if (content_->num_left_out > static_cast<int64_t>(content_->problems.size())) {
    notes.push_back(concat(name, ": ", content_->num_left_out, " lines like these in all"));
  }
  return notes;
}

OrderedJson RunMetrics::steps_json(const TargetLayers& layers) const {
  OrderedJson steps = OrderedJson::array();
  for (const auto& step : content_->steps) {
    const auto* entry = step_table().find(step.name);
    const bool of_teacher = entry != nullptr && entry->kind == StepKind::kVerbalizeTeacher;
    const auto& of_step = of_teacher ? layers.teacher : layers.student;
    OrderedJson curves = OrderedJson::array(), pairs = OrderedJson::array();
    for (const auto& [name, curve] : step.curves) {
      OrderedJson item{{"key", name.key}};
      if (name.index >= 0) {
        const bool is_known = name.index < static_cast<int64_t>(of_step.size());
        item["layer"] = is_known ? OrderedJson(of_step[name.index]) : OrderedJson(nullptr);
        item["place"] = name.index + 1;
      }
      item.update(curve.to_json());
      curves.push_back(std::move(item));
    }
    for (const auto& [pair, curve] : step.pairs) {
      OrderedJson item{{"student", pair.first}, {"teacher", pair.second}};
      item.update(curve.to_json());
      pairs.push_back(std::move(item));
    }
    steps.push_back({{"name", step.name},
                     {"iterations", step.num_iterations},
                     {"last_iteration", step.iteration},
                     {"seconds", shortened(step.seconds)},
                     {"tokens", step.tokens},
                     {"answer_tokens", step.answer_tokens},
                     {"validation", step.validation},
                     {"curves", std::move(curves)},
                     {"pairs", std::move(pairs)}});
  }
  return steps;
}

OrderedJson RunMetrics::matching_json(const TargetLayers& layers) const {
  return content_->matching.empty() ? OrderedJson(nullptr) : content_->matching.to_json(layers.student, layers.teacher);
}

}  // namespace vlsi
