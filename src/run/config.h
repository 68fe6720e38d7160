// The configuration of a run: every key, its default and its meaning.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/device_name.h"
#include "base/dtype.h"
#include "base/settings.h"
#include "checkpoint/load.h"
#include "data/data_source.h"
#include "data/loader.h"
#include "method/step2_interact.h"
#include "model/parts.h"
#include "model/quantized_weight.h"
#include "teacher/verbalizer_networks.h"
#include "text/tokenizer.h"
#include "train/optimizer.h"
#include "train/trainer.h"

namespace vlsi {

template <class Visitor>
void fields(Visitor& v, DataSource& c) {
  v("path", c.path,
    "LLaVA/ShareGPT or messages records: " + describe_data_formats() +
        "; a folder or a pattern of such; or a data set in the hub's local cache, org/name");
  v("images", c.images, "where relative picture paths start; default: the data file's folder");
  v("weight", c.weight, "how often an epoch visits the records");
  v("keep", c.keep, "which records are taken, as 'visual_dependency_min >= 3 and source != \"x\"'; empty: all");
  v("name", c.name, "what tables call it; empty: its path");
  v("records", c.num_records, "how many it is to have, which vlsi data looks at; 0: any");
}

struct DataConfig {
  std::vector<DataSource> train, validation;
  bool shuffle = true;
  int64_t batch_tokens = LoaderConfig().batch_tokens;
  int64_t sample_tokens = LoaderConfig().sample_tokens;
  OnError on_error = OnError::kStop;
  SpecialText special_tokens = SpecialText::kControl;
  int64_t workers = 1;
};

template <class Visitor>
void fields(Visitor& v, DataConfig& c) {
  v("train", c.train, "[{path, images, weight, keep, name, records}, ...]");
  v("validation", c.validation,
    "the same; the loss on it is logged at the end of interaction and fine-tuning, and a verbalization reads none");
  v("shuffle", c.shuffle, "a new order each epoch");
  v("batch_tokens", c.batch_tokens, "a packed micro-batch holds at most this many tokens");
  v("sample_tokens", c.sample_tokens, "a longer sample is an error, or skipped and counted");
  v("on_error", c.on_error, "what a broken record does to the run");
  v("special_tokens", c.special_tokens, "special-token text inside a turn");
  v("workers", c.workers, "threads that decode and resize ahead");
}

struct LoraConfig {
  int64_t rank = 0;
  double alpha = 64;
  std::vector<std::string> targets{"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"};
};

template <class Visitor>
void fields(Visitor& v, LoraConfig& c) {
  v("rank", c.rank, "rank of the adapters; 0 is none");
  v("alpha", c.alpha, "their output is scaled by alpha / rank");
  v("targets", c.targets, "the decoder's linear maps that get one");
}

struct TeacherConfig {
  std::filesystem::path model, verbalizers, cache;
  std::vector<int64_t> layers;
  Residency residency = Residency::kResident;
  Quantization quantize = Quantization::kNone;
  bool check_sight = true;
};

template <class Visitor>
void fields(Visitor& v, TeacherConfig& c) {
  v("model", c.model, "Hugging Face directory, or org/name in the hub's local cache");
  v("layers", c.layers, "target layers, 1-based and ascending");
  v("verbalizers", c.verbalizers, "trained ones; skips their verbalization");
  v("cache", c.cache, "what vlsi cache made; step 2 then reads it in the place of the model");
  v("residency", c.residency, "where its weights are while it works");
  v("quantize", c.quantize, "its decoder's weights in memory");
  v("check_sight", c.check_sight,
    "stop where blanking the pictures of the first batch with some does not change its answers at all");
}

struct StudentConfig {
  std::filesystem::path model, adapter, verbalizers;
  std::vector<int64_t> layers;
  LoraConfig lora;
};

template <class Visitor>
void fields(Visitor& v, StudentConfig& c) {
  v("model", c.model, "Hugging Face directory, or org/name in the hub's local cache");
  v("adapter", c.adapter, "PEFT directory of adapters to go on with, in place of new ones by `lora`");
  v("layers", c.layers, "target layers, 1-based and ascending; no more than the teacher's");
  v("verbalizers", c.verbalizers, "trained ones; skips their verbalization");
  v("lora", c.lora, "low-rank adapters on the decoder");
}

struct VerbalizeConfig {
  int64_t iterations = 500;
  double epochs = 0;
  bool initial = false;
  VerbalizerConfig network;
  OptimizerConfig optimizer;
  DataConfig data, student_data;
};

template <class Visitor>
void fields(Visitor& v, VerbalizeConfig& c) {
  v("iterations", c.iterations, "0 skips the step");
  v("epochs", c.epochs, "above 0: times through the data, in place of iterations");
  v("initial", c.initial, "train given verbalizers further instead of taking them as they are");
  v("architecture", c.network.architecture, "the verbalizers' networks, of a backbone d wide, whose FFN is f wide");
  v("residual", c.network.residual, "a residual around each FFN or map, which then starts at zero");
  v("final_norm", c.network.final_norm, "the backbone's final norm before the head");
  v("optimizer", c.optimizer, "over the general `optimizer`");
  v("data", c.data, "over the general `data`");
  v("student_data", c.student_data, "over `verbalize.data`, for the student's verbalizers");
}

template <class Visitor>
void fields(Visitor& v, MatchingConfig& c) {
  v("rule", c.rule, "how a student layer's match is chosen");
  v("search_range", c.search_range, "leave a candidate for every later student layer");
  v("order_preservation", c.order_preservation, "deeper layers match deeper layers");
  v("temperature", c.temperature, "of the softmax over candidates");
}

template <class Visitor>
void fields(Visitor& v, WeightingConfig& c) {
  v("kind", c.kind, "what an answer position counts by in the interaction's losses");
  v("strength", c.strength, "nats of advantage count this much; 0: every position alike");
}

struct OnPolicyConfig {
  double share = 0;
  double temperature = 1;
  int64_t max_new_tokens = 128;
  int64_t every = 1;
};

template <class Visitor>
void fields(Visitor& v, OnPolicyConfig& c) {
  v("share", c.share, "of the records whose last answer is the student's own, drawn as it stands; 0 is none");
  v("temperature", c.temperature, "of the draws; 0: the most likely token each time");
  v("max_new_tokens", c.max_new_tokens, "longest answer");
  v("every", c.every, "iterations after which a record that comes again is answered anew");
}

struct InteractConfig : InteractionConfig {
  int64_t iterations = 1000;
  double epochs = 0;
  std::vector<std::string> train{"lora"};
  int64_t kl_matrix_every = 10, gradient_norms_every = 0;
  OnPolicyConfig on_policy;
  OptimizerConfig optimizer;
  DataConfig data;
};

template <class Visitor>
void fields(Visitor& v, InteractConfig& c) {
  v("iterations", c.iterations, "0 skips the step");
  v("epochs", c.epochs, "above 0: times through the data, in place of iterations");
  v("train", c.train, "parts of the student that learn: " + part_list());
  v("matching", c.matching, "which teacher layer a student layer follows");
  v("intermediate_loss", c.intermediate_loss, "at the target layers");
  v("last_loss", c.last_loss, "at the last layer");
  v("jsd_beta", c.divergence.jsd_beta, "of last_loss: jsd, above 0 and below 1");
  v("skew_alpha", c.divergence.skew_alpha, "of last_loss: skew_kl, above 0 and below 1");
  v("top_k", c.divergence.top_k, "of last_loss: top_k_kl, words of the teacher a position");
  v("weighting", c.weighting, "of the answer positions");
  v("head", c.head,
    "target layers are compared through the language heads; false: by l2 of the verb-FFNs, which are not verbalized");
  v("intermediate_weight", c.intermediate_weight, "of the target layers' losses, beside the last layer's");
  v("intermediate_decay", c.intermediate_decay, "the share of that weight which is gone, linearly, by the end");
  v("kl_matrix_every", c.kl_matrix_every, "iterations between logged matrices of the pairs' losses");
  v("on_policy", c.on_policy, "what both models read is the student's own answer");
  v("gradient_norms_every", c.gradient_norms_every,
    "iterations between logged gradient norms of the target layers' and of the last layer's loss; 0: never");
  v("optimizer", c.optimizer, "over the general `optimizer`");
  v("data", c.data, "over the general `data`");
}

struct FinetuneConfig {
  int64_t iterations = 500;
  double epochs = 0;
  std::vector<std::string> train{"decoder", "embeddings", "head"};
  OptimizerConfig optimizer;
  DataConfig data;
};

template <class Visitor>
void fields(Visitor& v, FinetuneConfig& c) {
  v("iterations", c.iterations, "0 skips the step");
  v("epochs", c.epochs, "above 0: times through the data, in place of iterations");
  v("train", c.train, "parts of the student that learn");
  v("optimizer", c.optimizer, "over the general `optimizer`");
  v("data", c.data, "over the general `data`");
}

struct MetricsConfig {
  bool tensorboard = false;
};

template <class Visitor>
void fields(Visitor& v, MetricsConfig& c) {
  v("tensorboard", c.tensorboard, "event files for TensorBoard, too, in the run directory's tensorboard/");
}

struct RunConfig {
  std::filesystem::path out;
  uint64_t seed = 1;
  DeviceName device;
  Dtype dtype{at::kBFloat16};
  int64_t threads = 0;
  bool activation_checkpointing = false;
  std::filesystem::path vision_cache;
  TeacherConfig teacher;
  StudentConfig student;
  DataConfig data;
  OptimizerConfig optimizer;
  VerbalizeConfig verbalize;
  InteractConfig interact;
  FinetuneConfig finetune;
  CheckpointConfig checkpoint;
  MetricsConfig metrics;
};

template <class Visitor>
void fields(Visitor& v, RunConfig& c) {
  v("out", c.out, "run directory");
  v("seed", c.seed, "of everything random");
  v("device", c.device, "of the computation");
  v("dtype", c.dtype, "of weights and activations; trained weights keep a float32 master");
  v("threads", c.threads, "0: one a core");
  v("activation_checkpointing", c.activation_checkpointing,
    "keep only the inputs of the student's decoder layers and run each again for its gradient");
  v("vision_cache", c.vision_cache,
    "directory for what frozen vision towers say of pictures: computed once, read by later epochs and runs");
  v("teacher", c.teacher, "the large model");
  v("student", c.student, "the small model");
  v("data", c.data, "training data of every step that names no other");
  v("optimizer", c.optimizer, "of every step that names no other");
  v("verbalize", c.verbalize, "step 1");
  v("interact", c.interact, "step 2");
  v("finetune", c.finetune, "step 3");
  v("checkpoint", c.checkpoint, "saving");
  v("metrics", c.metrics, "beside metrics.jsonl");
}

/// Reads a run's YAML with `--set` overrides. Steps inherit the general `optimizer` and `data`, key by key. Relative
/// paths stay as they are (relative to the working directory). Error for unknown keys, wrong types, values that
/// contradict, and token budgets and numbers of workers that cannot be. A model that is no path here and is in the
/// hub's local cache becomes its folder there.
RunConfig load_run_config(const std::filesystem::path& path, const std::vector<std::string>& overrides);

/// Keys that say where and how a run is computed and change nothing that it computes, but for the rounding of sums by
/// `threads`: another value of theirs may continue it.
const std::vector<std::string>& free_keys();

/// Checks what the steps that will run need (models, layers, data), before anything is loaded.
void check(const RunConfig& config, const std::string& place);

}  // namespace vlsi
