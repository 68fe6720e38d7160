#include "report/samples.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "base/dtype.h"
#include "base/error.h"
#include "base/log.h"
#include "base/problems.h"
#include "checkpoint/load.h"
#include "data/data_source.h"
#include "data/read_picture.h"
#include "lens/lens.h"
#include "picture/encode.h"
#include "teacher/verbalizers.h"

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
    if (!path.empty() && has_verbalizers(path)) return path;
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

/// One record of the run's data.
struct Place {
  const RecordFile* file;
  int64_t record;
};

/// `count` of the records of all files, evenly spread.
std::vector<Place> spread_records(const std::deque<RecordFile>& files, int64_t count) {
  int64_t num_records = 0;
  for (const auto& file : files) num_records += file.size();
  count = std::min(count, num_records);
  std::vector<Place> places;
  auto file = files.begin();
  int64_t first = 0;  // record of `file`
  for (int64_t i = 0; i < count; ++i) {
    const int64_t record = i * num_records / count;
    while (record - first >= file->size()) first += (file++)->size();
    places.push_back({&*file, record - first});
  }
  return places;
}

/// The first records of these ids; one that cannot be read has none. Error for an id that no other has.
std::vector<Place> find_records(const std::deque<RecordFile>& files, const std::vector<std::string>& ids) {
  std::map<std::string, Place> found;
  const std::set<std::string> wanted(ids.begin(), ids.end());
  int64_t num_unreadable = 0;
  for (const auto& file : files) {
    for (int64_t record = 0; record < file.size() && found.size() < wanted.size(); ++record) {
      try {
        const auto id = file.read(record, /*answers_required=*/false).id;
        if (wanted.contains(id)) found.try_emplace(id, Place{&file, record});
      } catch (const Error&) {
        ++num_unreadable;
      }
    }
  }
  std::vector<Place> places;
  for (const auto& id : ids) {
    const auto place = found.find(id);
    if (place == found.end()) {
      fail("--sample-id: no record of ", files[0].path().string(),
           files.size() > 1 ? concat(" and ", files.size() - 1, " more") : "", " has the id '", id, "'",
           num_unreadable > 0 ? concat("; ", num_unreadable, " cannot be read") : "");
    }
    places.push_back(place->second);
  }
  return places;
}

/// Adds the panel to every readable sample; one that the model cannot be shown is noted.
void read_panel(const Panel& panel, const SampleOptions& options, at::ScalarType dtype, std::vector<Chosen>& samples,
                OrderedJson& notes) {
  log_info("reading the layers of " + panel.model.string());
  const auto speaker =
      load_speaker({panel.model, {}, panel.verbalizers, panel.layers, panel.head}, dtype, options.device);
  const LensConfig config{options.max_new_tokens};
  for (auto& sample : samples) {
    if (!sample.json["problem"].is_null()) continue;
    try {
      const auto prompt = speaker.processor->encode_prompt(sample.conversation);
      const auto reading = read_lens(speaker, config, prompt);
      std::optional<LensReading> blank;
      if (!prompt.images.empty()) blank = read_lens(speaker, config, blank_pictures(prompt));
      OrderedJson json{{"role", panel.role}, {"model", panel.model.string()}};
      json.update(to_json(reading, blank, speaker.processor->tokenizer()));
      sample.json["panels"].push_back(std::move(json));
    } catch (const Error& error) {
      notes.push_back(concat(panel.role, ", sample '", sample.conversation.id, "': ", error.what()));
    }
  }
}

/// The files of the run's validation data, or else of its training data, that have records. What cannot be opened is
/// noted.
std::deque<RecordFile> open_data(const RunSettings& settings, OrderedJson& notes) {
  const auto cache = std::make_shared<DecodedRowsCache>();
  std::deque<RecordFile> files;
  Problems problems;
  for (const auto* sources : {&settings.data.validation, &settings.data.train}) {
    for (const auto& source : *sources) {
      try {
        for (auto& file : open_files(source, cache)) {
          if (file.size() > 0) files.push_back(std::move(file));
        }
      } catch (const Error& error) {
        problems.add(error.what());
      }
    }
    if (!files.empty()) break;
  }
  if (files.empty()) {
    notes.push_back("none of the run's validation and training data can be opened, seen from this folder" +
                    (problems.count() > 0 ? ": " + problems.text() : ""));
  } else if (problems.count() > 0) {
    notes.push_back("not all of the run's data can be opened: " + problems.text());
  }
  return files;
}

/// The records that can be read; others are noted.
std::vector<Chosen> read_records(const std::vector<Place>& places, OrderedJson& notes) {
  std::vector<Chosen> samples;
  for (const auto& [file, record] : places) {
    try {
      auto conversation = file->read(record, /*answers_required=*/false);
      auto json = sample_json(conversation);
      samples.push_back({std::move(conversation), std::move(json)});
    } catch (const Error& error) {
      notes.push_back(error.what());
    }
  }
  return samples;
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
  if (options.count == 0) {
    notes.push_back("no samples were asked for");
  } else if (panels.empty()) {
    notes.push_back("none of the run's models is there any more, or its configuration names none");
  } else if (const auto files = open_data(settings, notes); !files.empty()) {
    samples = read_records(
        options.ids.empty() ? spread_records(files, options.count) : find_records(files, options.ids), notes);
    const auto dtype =
        parse_or_fail<Dtype>(settings.dtype.empty() ? "float32" : settings.dtype, run.string() + ": key 'dtype'");
    for (const auto& panel : panels) {
      try {
        read_panel(panel, options, dtype, samples, notes);
      } catch (const Error& error) {
        notes.push_back(error.what());
      }
    }
  }
  for (auto& sample : samples) list.push_back(std::move(sample.json));
  return {{"samples", std::move(list)}, {"sample_notes", std::move(notes)}};
}

}  // namespace vlsi
