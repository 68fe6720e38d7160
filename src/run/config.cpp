#include "run/config.h"

#include "base/error.h"
#include "base/hub_cache.h"
#include "run/steps.h"

namespace vlsi {

namespace {

/// Gives `owner[key]` every key of `parent` that it does not name itself.
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
  for (const auto& step : step_table()) {
    const std::string key(step.key);
    YAML::Node node = root[key];
    if (!node || node.IsNull()) root[key] = node = YAML::Node(YAML::NodeType::Map);
    if (!node.IsMap()) continue;
    inherit(root["optimizer"], node, "optimizer");
    inherit(root["data"], node, "data");
    if (step.has_own_data()) inherit(node["data"], node, std::string(step.data_key));
  }
}

void check_layers(const std::vector<int64_t>& layers, const char* whose, const std::string& place) {
  if (layers.empty()) fail(place, ": key '", whose, ".layers' is missing");
  for (size_t i = 0; i < layers.size(); ++i) {
    if (layers[i] < 1 || (i > 0 && layers[i] <= layers[i - 1])) {
      fail(place, ": key '", whose, ".layers' must be 1-based and ascending, found ", layers[i], " at place ", i + 1);
    }
  }
}

void check_data(const DataConfig& data, const std::string& key, const std::string& place) {
  if (data.train.empty()) fail(place, ": key '", key, ".train' is missing: name the data to train on");
  for (const auto& source : data.train) {
    if (source.path.empty()) fail(place, ": key '", key, ".train' has an entry without a path");
  }
  // A later step's file is looked for at the start, not when its turn comes.
  for (const auto* sources : {&data.train, &data.validation}) {
    for (const auto& source : *sources) {
      try {
        files_of(source.path);
        Keep(source.keep);
      } catch (const Error& error) {
        fail(place, ": key '", key, "': ", error.what());
      }
    }
  }
}

/// Of a micro-batch or a sample: far above what memory holds, and below what would take an epoch after the other.
constexpr int64_t kMostTokens = int64_t{1} << 24;

/// How data are loaded, whichever they are.
void check_loading(const DataConfig& data, const std::string& key, const std::string& place) {
  for (const auto& [name, tokens] :
       {std::pair("batch_tokens", data.batch_tokens), std::pair("sample_tokens", data.sample_tokens)}) {
    expect_value(tokens >= 1 && tokens <= kMostTokens, place, concat(key, '.', name), tokens,
                 concat("1 to ", kMostTokens));
  }
  expect_value(data.workers >= 1 && data.workers <= 256, place, key + ".workers", data.workers, "1 to 256");
}

void check_loading(const RunConfig& config, const std::string& place) {
  check_loading(config.data, "data", place);
  for (const bool own : {false, true}) {
    for (const auto& step : step_table()) {
      if (step.has_own_data() == own)
        check_loading(step.settings(config).data, concat(step.key, '.', step.data_key), place);
    }
  }
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
  const auto refuse = [&](const char* key, const std::string& loss) {
    fail(place, ": key 'teacher.cache' is given, but interact.", key, " is ", loss,
         ", which reads the teacher's own rows; a cache serves kl, ce and none");
  };
  if (interact.intermediate_loss == LossKind::kL2) refuse("intermediate_loss", text_of(interact.intermediate_loss));
  if (teacher_rows_are_read(interact)) refuse("last_loss", interact.last_loss.text());
}

void check_weighting(const InteractConfig& interact, const std::string& place) {
  const auto& weighting = interact.weighting;
  expect_value(weighting.strength >= 0 && weighting.strength <= 1000, place, "interact.weighting.strength",
               weighting.strength, "0 to 1000");
  if (weighting.is_on() && interact.iterations > 0 && !teacher_is_read(interact)) {
    fail(place, ": key 'interact.weighting.kind' is ", text_of(weighting.kind),
         ", which asks the teacher, but neither interact.intermediate_loss nor interact.last_loss reads one");
  }
}

void check_divergence(const DivergenceConfig& config, const std::string& place) {
  for (const auto& [key, share] :
       {std::pair("jsd_beta", config.jsd_beta), std::pair("skew_alpha", config.skew_alpha)}) {
    expect_value(share > 0 && share < 1, place, concat("interact.", key), share, "a number above 0 and below 1");
  }
  expect_value(config.top_k >= 1 && config.top_k <= kMostTopWords, place, "interact.top_k", config.top_k,
               concat("1 to ", kMostTopWords));
}

/// A drawn answer is read by a teacher that runs, and has no labels to learn.
void check_on_policy(const RunConfig& config, const std::string& place) {
  const auto& drawn = config.interact.on_policy;
  const auto expect = [&](bool holds, const char* name, auto value, const char* expected) {
    expect_value(holds, place, concat("interact.on_policy.", name), value, expected);
  };
  expect(drawn.share >= 0 && drawn.share <= 1, "share", drawn.share, "0 to 1");
  expect(drawn.temperature >= 0 && drawn.temperature <= 100, "temperature", drawn.temperature, "0 to 100");
  expect(drawn.max_new_tokens >= 1, "max_new_tokens", drawn.max_new_tokens, "1 or more");
  expect(drawn.every >= 1, "every", drawn.every, "1 or more");
  if (drawn.share == 0) return;
  const auto found = concat(place, ": key 'interact.on_policy.share' is ", drawn.share);
  if (!config.teacher.cache.empty()) {
    fail(found,
         ", but 'teacher.cache' is given: a cache has what the teacher says of the records' own answers, not of ",
         "the student's; expected a teacher that runs");
  }
  for (const auto& [key, is_ce] :
       {std::pair("intermediate_loss", config.interact.intermediate_loss == LossKind::kCrossEntropy),
        std::pair("last_loss", config.interact.last_loss == LossKind::kCrossEntropy)}) {
    if (is_ce) {
      fail(found, ", but interact.", key,
           " is ce, which would teach the student its own answers; expected a loss that ",
           "reads the teacher, or none");
    }
  }
}

/// Lengths of the steps; at least one of them has work.
void check_lengths(const RunConfig& config, const std::string& place) {
  bool has_work = false;
  for (const auto& step : step_table()) {
    const auto settings = step.settings(config);
    const auto epochs = settings.epochs;
    expect_value(settings.iterations >= 0, place, concat(step.key, ".iterations"), settings.iterations, "0 or more");
    expect_value(epochs >= 0 && epochs <= 1e6, place, concat(step.key, ".epochs"), epochs, "0 to 1000000");
    has_work = has_work || settings.iterations > 0;
  }
  if (!has_work) fail(place, ": every step has 0 iterations: there is nothing to do");
}

/// What a step that has work trains on, and by which optimizer.
void check_step(const RunConfig& config, const StepEntry& step, const std::string& place) {
  const auto settings = step.settings(config);
  if (settings.iterations == 0) return;
  check_data(settings.data, concat(step.key, '.', step.data_key), place);
  if (!is_verbalization(step.kind) && settings.train.empty()) {
    fail(place, ": key '", step.key, ".train' is an empty list, expected the parts of the student that learn");
  }
  check(settings.optimizer, concat(step.key, ".optimizer"), place);
}

/// The target layers, and where the teacher comes from.
void check_models(const RunConfig& config, const std::string& place) {
  const bool verbalizes = config.verbalize.iterations > 0, interacts = config.interact.iterations > 0;
  const bool layers_interact = interacts && config.interact.intermediate_loss != LossKind::kNone;
  if (verbalizes || layers_interact) {
    check_layers(config.student.layers, "student", place);
    check_layers(config.teacher.layers, "teacher", place);
    if (config.student.layers.size() > config.teacher.layers.size()) {
      fail(place, ": the student has ", config.student.layers.size(), " target layers, the teacher ",
           config.teacher.layers.size(), "; each student layer needs a teacher layer of its own");
    }
  }
  if (interacts && config.interact.intermediate_loss == LossKind::kNone &&
      config.interact.last_loss == LossKind::kNone) {
    fail(place, ": interact.intermediate_loss and interact.last_loss are both none: there is nothing to learn from");
  }
  if ((verbalizes || interacts) && config.teacher.model.empty() && config.teacher.cache.empty()) {
    fail(place, ": key 'teacher.model' is missing");
  }
}

void check_lora(const StudentConfig& student, const std::string& place) {
  const auto& lora = student.lora;
  if (lora.rank > 0 && !student.adapter.empty()) {
    fail(place,
         ": student.adapter brings adapters of its own rank, and student.lora.rank asks for new ones; name one of the "
         "two");
  }
  expect_value(lora.rank >= 0 && lora.rank <= 4096, place, "student.lora.rank", lora.rank, "0 to 4096");
  expect_value(lora.alpha > 0, place, "student.lora.alpha", lora.alpha, "a number above 0");
}

}  // namespace

RunConfig load_run_config(const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  YAML::Node root = load_yaml(path, overrides);
  inherit_general_settings(root);
  auto config = read_settings<RunConfig>(root, path.string());
  check_loading(config, path.string());
  for (auto* model : {&config.teacher.model, &config.student.model}) {
    if (std::filesystem::exists(*model)) continue;
    if (const auto cached = find_in_hub_cache(*model, HubKind::kModel)) *model = *cached;
  }
  return config;
}

const std::vector<std::string>& free_keys() {
  static const std::vector<std::string> keys = [] {
    std::vector<std::string> known{"out",
                                   "threads",
                                   "activation_checkpointing",
                                   "vision_cache",
                                   "teacher.residency",
                                   "teacher.check_sight",
                                   "checkpoint.every",
                                   "checkpoint.keep",
                                   "metrics.tensorboard",
                                   "data.workers"};
    for (const auto& step : step_table()) known.push_back(concat(step.key, '.', step.data_key, ".workers"));
    return known;
  }();
  return keys;
}

namespace {

/// Quantised weights are whole, of one process.
void check_quantized(const RunConfig& config, const std::string& place) {
  const auto found = [&] { return concat(place, ": key 'teacher.quantize' is '", text_of(config.teacher.quantize)); };
  if (config.teacher.residency == Residency::kSharded) {
    fail(found(), "', which needs teacher.residency resident or streamed, found '", text_of(config.teacher.residency),
         "'");
  }
  if (!config.device.value.is_cpu())
    fail(found(), "', which is for the CPU, and 'device' is '", config.device.text(), "'");
}

void check_intermediate_settings(const InteractConfig& interact, const std::string& place) {
  const double weight = interact.intermediate_weight, decay = interact.intermediate_decay;
  expect_value(weight >= 0 && weight <= 1e6, place, "interact.intermediate_weight", weight, "0 to 1000000");
  expect_value(decay >= 0 && decay <= 1, place, "interact.intermediate_decay", decay, "0 to 1");
  expect_value(interact.gradient_norms_every >= 0, place, "interact.gradient_norms_every",
               interact.gradient_norms_every, "0 or more");
}

}  // namespace

void check(const RunConfig& config, const std::string& place) {
  if (config.out.empty()) fail(place, ": key 'out' is missing: name the run directory");
  if (config.student.model.empty()) fail(place, ": key 'student.model' is missing");
  check_lengths(config, place);
  expect_value(config.checkpoint.every >= 1, place, "checkpoint.every", config.checkpoint.every, "1 or more");
  expect_value(config.checkpoint.keep >= 1, place, "checkpoint.keep", config.checkpoint.keep, "1 or more");
  expect_value(config.threads >= 0 && config.threads <= 1024, place, "threads", config.threads, "0 to 1024");
  check_network(config.verbalize.network, place);
  if (config.interact.iterations > 0 && !config.interact.head) check_without_head(config, place);
  if (config.interact.iterations > 0 && !config.teacher.cache.empty()) check_cached(config.interact, place);
  check_divergence(config.interact.divergence, place);
  check_weighting(config.interact, place);
  if (config.interact.iterations > 0) check_on_policy(config, place);
  check_models(config, place);
  if (config.teacher.quantize != Quantization::kNone) check_quantized(config, place);
  const auto matrix_every = config.interact.kl_matrix_every;
  expect_value(matrix_every >= 1, place, "interact.kl_matrix_every", matrix_every, "1 or more");
  check_intermediate_settings(config.interact, place);
  // Where data are inherited, the error names the key that they come from.
  for (const bool own : {false, true}) {
    for (const auto& step : step_table()) {
      if (step.has_own_data() == own) check_step(config, step, place);
    }
  }
  check_lora(config.student, place);
}

}  // namespace vlsi
