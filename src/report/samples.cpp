#include "report/samples.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/dtype.h"
#include "base/error.h"
#include "base/log.h"
#include "checkpoint/load.h"
#include "data/dataset.h"
#include "data/read_picture.h"
#include "lens/lens.h"
#include "picture/encode.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

/// A model of the run and what reads its layers.
struct Panel {
  std::string role;  // "student-before", "student-after", "teacher"
  fs::path model, verbalizers;
  std::vector<int64_t> layers;
  fs::path head;  // the model that the verbalizers were trained on, where that is another: its head may differ
};

/// The verbalizers that the run trained, or those that it was given; empty without any.
fs::path verbalizers_of(const fs::path& run, const RunConfig& config, StepKind step) {
  for (const auto& path : {run / entry_of(step).verbalizers_folder, settings_of(config, step).verbalizers}) {
    if (!path.empty() && fs::exists(path / "verbalizers.json")) return path;
  }
  return {};
}

std::vector<Panel> panels_of(const fs::path& run, const RunSettings& settings, OrderedJson& notes) {
  const auto& [student, teacher] = std::tie(settings.config.student, settings.config.teacher);
  const auto of_student = verbalizers_of(run, settings.config, StepKind::kVerbalizeStudent);
  const auto of_teacher = verbalizers_of(run, settings.config, StepKind::kVerbalizeTeacher);
  std::vector<Panel> panels;
  for (const auto& panel : {Panel{"student-before", student.model, of_student, student.layers, {}},
                            Panel{"student-after", run / "model", of_student, student.layers, student.model},
                            Panel{"teacher", teacher.model, of_teacher, teacher.layers, {}}}) {
    if (panel.model.empty()) continue;
    if (fs::exists(panel.model / "config.json")) {
      panels.push_back(panel);
    } else if (panel.role != "student-after") {
      notes.push_back(concat("there is no model at ", panel.model.string()));
    } else if (!settings.planned.empty() && !is_verbalization(settings.planned.back().first)) {
      notes.push_back("the run has no result yet: the student after it is not shown");
    }
  }
  return panels;
}

/// A chosen record, ready for every model.
struct Chosen {
  Conversation conversation;
  OrderedJson json;
};

std::vector<int64_t> records_of(const RecordFile& file, const SampleOptions& options) {
  std::vector<int64_t> records;
  if (options.ids.empty()) {
    const int64_t count = std::min(options.count, file.size());
    for (int64_t i = 0; i < count; ++i) records.push_back(i * file.size() / count);
    return records;
  }
  std::map<std::string, int64_t> by_id;
  for (int64_t record = 0; record < file.size(); ++record) by_id.emplace(file.read(record, false).id, record);
  for (const auto& id : options.ids) {
    const auto found = by_id.find(id);
    if (found == by_id.end()) fail("--sample-id: ", file.path().string(), " has no record with the id '", id, "'");
    records.push_back(found->second);
  }
  return records;
}

/// Adds the panel to every readable sample.
void read_panel(const Panel& panel, const SampleOptions& options, at::ScalarType dtype, std::vector<Chosen>& samples) {
  log_info("reading the layers of " + panel.model.string());
  const auto speaker =
      load_speaker({panel.model, {}, panel.verbalizers, panel.layers, panel.head}, dtype, options.device);
  const LensConfig config{options.max_new_tokens};
  for (auto& sample : samples) {
    if (!sample.json["problem"].is_null()) continue;
    const auto prompt = speaker.processor->encode_prompt(sample.conversation);
    const auto reading = read_lens(speaker, config, prompt);
    std::optional<LensReading> blank;
    if (!prompt.images.empty()) blank = read_lens(speaker, config, blank_pictures(prompt));
    OrderedJson json{{"role", panel.role}, {"model", panel.model.string()}};
    json.update(to_json(reading, blank, speaker.processor->tokenizer()));
    sample.json["panels"].push_back(std::move(json));
  }
}

std::optional<DataSource> data_of(const RunSettings& settings) {
  for (const auto* sources : {&settings.data.validation, &settings.data.train}) {
    for (const auto& source : *sources) {
      try {
        files_of(source.path);
        return source;
      } catch (const Error&) {
        continue;  // it is not there any more
      }
    }
  }
  return std::nullopt;
}

}  // namespace

OrderedJson sample_json(const Conversation& conversation) {
  std::string question, expected;
  OrderedJson pictures = OrderedJson::array(), problem = nullptr;
  for (const auto& turn : conversation.turns) {
    if (turn.role == Role::kUser) question = text_of(turn), expected.clear();
    if (turn.role == Role::kAssistant) expected = text_of(turn);
    for (const auto& content : turn.contents) {
      if (content.kind != Content::Kind::kImage) continue;
      try {
        pictures.push_back(content.picture_file.empty() ? picture_uri(content.image)
                                                        : picture_uri(content.picture_file, name_of_picture(content)));
      } catch (const Error& error) {
        problem = error.what();
      }
    }
  }
  return {{"id", conversation.id},         {"category", conversation.category},
          {"question", question},          {"expected", expected},
          {"pictures", pictures},          {"problem", problem},
          {"panels", OrderedJson::array()}};
}

OrderedJson read_samples(const fs::path& run, const RunSettings& settings, const SampleOptions& options) {
  OrderedJson notes = OrderedJson::array(), list = OrderedJson::array();
  std::vector<Chosen> samples;
  const auto panels = options.count > 0 ? panels_of(run, settings, notes) : std::vector<Panel>();
  const auto data = data_of(settings);
  if (options.count == 0) {
    notes.push_back("no samples were asked for");
  } else if (panels.empty()) {
    notes.push_back("none of the run's models is there any more, or its configuration names none");
  } else if (!data) {
    notes.push_back("the run's validation and training data are not there any more, seen from this folder");
  } else {
    const auto files = open_files(*data);
    const auto& file = *std::find_if(files.begin(), files.end(), [](const auto& one) { return one.size() > 0; });
    for (const int64_t record : records_of(file, options)) {
      auto conversation = file.read(record, /*answers_required=*/false);
      auto json = sample_json(conversation);
      samples.push_back({std::move(conversation), std::move(json)});
    }
    const auto dtype =
        parse_or_fail<Dtype>(settings.dtype.empty() ? "float32" : settings.dtype, run.string() + ": key 'dtype'");
    for (const auto& panel : panels) {
      try {
        read_panel(panel, options, dtype, samples);
      } catch (const Error& error) {
        notes.push_back(error.what());
      }
    }
  }
  for (auto& sample : samples) list.push_back(std::move(sample.json));
  return {{"samples", std::move(list)}, {"sample_notes", std::move(notes)}};
}

}  // namespace vlsi
