#include "run/config.h"

#include <tuple>

#include "base/error.h"

namespace vlsi {

namespace {

/// Gives `child` every key of `parent` that it does not name itself.
void inherit(YAML::Node parent, YAML::Node owner, const std::string& key) {
  if (!parent || !parent.IsMap()) return;
  YAML::Node child = owner[key];
  if (!child || child.IsNull()) {
    owner[key] = YAML::Clone(parent);
    return;
  }
  if (!child.IsMap()) return;  // reported when it is read
  for (const auto& item : parent) {
    if (!child[item.first.Scalar()]) child[item.first.Scalar()] = YAML::Clone(item.second);
  }
}

void inherit_general_settings(YAML::Node root) {
  for (const char* step : {"verbalize", "interact", "finetune"}) {
    YAML::Node node = root[step];
    if (!node || node.IsNull()) root[step] = node = YAML::Node(YAML::NodeType::Map);
    if (!node.IsMap()) continue;
    inherit(root["optimizer"], node, "optimizer");
    inherit(root["data"], node, "data");
  }
  if (root["verbalize"].IsMap()) inherit(root["verbalize"]["data"], root["verbalize"], "student_data");
}

void check_layers(const std::vector<int64_t>& layers, const char* whose, const std::string& place) {
  if (layers.empty()) fail(place, ": key '", whose, ".layers' is missing");
  for (size_t i = 0; i < layers.size(); ++i) {
    if (layers[i] < 1 || (i > 0 && layers[i] <= layers[i - 1])) {
      fail(place, ": key '", whose, ".layers' must be 1-based and ascending, found ", layers[i], " at place ", i + 1);
    }
  }
}

void check_data(const DataConfig& data, const char* key, const std::string& place) {
  if (data.train.empty()) fail(place, ": key '", key, ".train' is missing: name the data to train on");
  for (const auto& source : data.train) {
    if (source.path.empty()) fail(place, ": key '", key, ".train' has an entry without a path");
  }
  // A later step's file is looked for now, not when its turn comes.
  for (const auto* sources : {&data.train, &data.validation}) {
    for (const auto& source : *sources) {
      if (!std::filesystem::exists(source.path))
        fail(place, ": key '", key, "': there is no file ", source.path.string());
    }
  }
  if (data.batch_tokens < 1 || data.sample_tokens < 1)
    fail(place, ": key '", key, "': token budgets must be 1 or more");
  if (data.workers < 1 || data.workers > 256)
    fail(place, ": key '", key, ".workers' is ", data.workers, ", expected 1 to 256");
}

void check_learns(const std::vector<std::string>& parts, const char* key, const std::string& place) {
  if (parts.empty()) fail(place, ": key '", key, "' is an empty list, expected the parts of the student that learn");
}

void check_network(const VerbalizerConfig& network, const std::string& place) {
  if (network.residual && network.architecture->has_residuals_inside) {
    fail(place, ": key 'verbalize.residual' is true, but the architecture '", network.architecture->name,
         "' has residuals inside; leave one of the two out");
  }
}

/// Without heads there is no verbalization; the student's verb-FFNs learn in step 2 and end in the teacher's width.
void check_without_head(const RunConfig& config, const std::string& place) {
  const auto demand = [&](bool good, const std::string& what) {
    if (!good) fail(place, ": key 'interact.head' is false, ", what);
  };
  const auto& network = config.verbalize.network;
  demand(config.interact.intermediate_loss == LossKind::kL2,
         "which compares target layers by l2; expected interact.intermediate_loss: l2");
  demand(config.verbalize.iterations == 0,
         concat("which has no verbalization; expected verbalize.iterations: 0, found ", config.verbalize.iterations));
  demand(config.student.verbalizers.empty(),
         "but 'student.verbalizers' is given: the student's start new, in the teacher's width");
  std::string fitting;
  for (const auto& entry : verbalizer_networks()) {
    if (entry.takes_output_width) fitting += (fitting.empty() ? "" : " or ") + entry.name;
  }
  demand(network.architecture->takes_output_width && !network.residual && !network.final_norm,
         "which goes with verbalize.architecture: " + fitting + " without residual and final_norm alone");
}

/// A cache holds expected rows of a head that stays as it is: what other losses read of a teacher is not in it.
void check_cached(const InteractConfig& interact, const std::string& place) {
  for (const auto& [key, loss] :
       {std::pair("intermediate_loss", interact.intermediate_loss), std::pair("last_loss", interact.last_loss)}) {
    if (loss == LossKind::kL2) {
      fail(place, ": key 'teacher.cache' is given, but interact.", key,
           " is l2, which reads the teacher's own rows; a cache serves kl, ce and none");
    }
  }
}

void check_adapters(const StudentConfig& student, const std::string& place) {
  const auto& lora = student.lora;
  if (lora.rank > 0 && !student.adapter.empty()) {
    fail(place,
         ": student.adapter brings adapters of its own rank, and student.lora.rank asks for new ones; name one of the "
         "two");
  }
  if (lora.rank < 0 || lora.rank > 4096 || !(lora.alpha > 0))
    fail(place, ": student.lora wants a rank from 0 to 4096 and a positive alpha");
}

}  // namespace

RunConfig load_run_config(const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  YAML::Node root = load_yaml(path, overrides);
  inherit_general_settings(root);
  return read_settings<RunConfig>(root, path.string());
}

const std::vector<std::string>& free_keys() {
  static const std::vector<std::string> keys{"out",
                                             "threads",
                                             "activation_checkpointing",
                                             "vision_cache",
                                             "teacher.residency",
                                             "checkpoint.every",
                                             "checkpoint.keep",
                                             "data.workers",
                                             "verbalize.data.workers",
                                             "verbalize.student_data.workers",
                                             "interact.data.workers",
                                             "finetune.data.workers"};
  return keys;
}

void check(const RunConfig& config, const std::string& place) {
  if (config.out.empty()) fail(place, ": key 'out' is missing: name the run directory");
  if (config.student.model.empty()) fail(place, ": key 'student.model' is missing");
  for (const auto& [step, iterations, epochs] :
       {std::tuple("verbalize", config.verbalize.iterations, config.verbalize.epochs),
        std::tuple("interact", config.interact.iterations, config.interact.epochs),
        std::tuple("finetune", config.finetune.iterations, config.finetune.epochs)}) {
    if (iterations < 0) fail(place, ": key '", step, ".iterations' is ", iterations, ", expected 0 or more");
    if (!(epochs >= 0) || epochs > 1e6) fail(place, ": key '", step, ".epochs' is ", epochs, ", expected 0 to 1000000");
  }
  if (config.verbalize.iterations + config.interact.iterations + config.finetune.iterations == 0) {
    fail(place, ": every step has 0 iterations: there is nothing to do");
  }
  if (config.checkpoint.every < 1 || config.checkpoint.keep < 1)
    fail(place, ": checkpoint.every and .keep must be 1 or more");
  if (config.threads < 0 || config.threads > 1024)
    fail(place, ": key 'threads' is ", config.threads, ", expected 0 to 1024");

  check_network(config.verbalize.network, place);
  if (config.interact.iterations > 0 && !config.interact.head) check_without_head(config, place);
  if (config.interact.iterations > 0 && !config.teacher.cache.empty()) check_cached(config.interact, place);
  const bool layers_interact = config.interact.iterations > 0 && config.interact.intermediate_loss != LossKind::kNone;
  if (config.verbalize.iterations > 0 || layers_interact) {
    check_layers(config.student.layers, "student", place);
    check_layers(config.teacher.layers, "teacher", place);
    if (config.student.layers.size() > config.teacher.layers.size()) {
      fail(place, ": the student has ", config.student.layers.size(), " target layers, the teacher ",
           config.teacher.layers.size(), "; each student layer needs a teacher layer of its own");
    }
  }
  if (config.interact.iterations > 0 && config.interact.intermediate_loss == LossKind::kNone &&
      config.interact.last_loss == LossKind::kNone) {
    fail(place, ": interact.intermediate_loss and interact.last_loss are both none: there is nothing to learn from");
  }
  if ((config.verbalize.iterations > 0 || config.interact.iterations > 0) && config.teacher.model.empty() &&
      config.teacher.cache.empty()) {
    fail(place, ": key 'teacher.model' is missing");
  }
  if (config.interact.kl_matrix_every < 1) fail(place, ": key 'interact.kl_matrix_every' must be 1 or more");
  if (config.verbalize.iterations > 0) {
    check_data(config.verbalize.data, "verbalize.data", place);
    check_data(config.verbalize.student_data, "verbalize.student_data", place);
    check(config.verbalize.optimizer, place + ": verbalize.optimizer");
  }
  if (config.interact.iterations > 0) {
    check_data(config.interact.data, "interact.data", place);
    check_learns(config.interact.train, "interact.train", place);
    check(config.interact.optimizer, place + ": interact.optimizer");
  }
  if (config.finetune.iterations > 0) {
    check_data(config.finetune.data, "finetune.data", place);
    check_learns(config.finetune.train, "finetune.train", place);
    check(config.finetune.optimizer, place + ": finetune.optimizer");
  }
  check_adapters(config.student, place);
}

}  // namespace vlsi
