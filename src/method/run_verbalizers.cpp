#include "method/run_verbalizers.h"

#include "base/error.h"

namespace vlsi {
namespace {

std::string describe(const VerbalizerConfig& network) {
  return concat(name_of(network.architecture), network.residual ? " with residual" : "", network.final_norm ? " with final_norm" : "");
}

}  // namespace

void check_given_verbalizers(const RunConfig& config) {
  const auto wanted = describe(config.verbalize.network);
  for (const auto& [key, given] : {std::pair("student.verbalizers", config.student.verbalizers),
                                   std::pair("teacher.verbalizers", config.teacher.verbalizers)}) {
    if (given.empty()) continue;
    const auto found = describe(read_verbalizer_config(given));
    if (found != wanted) {
      fail("key '", key, "': the verbalizers in ", given.string(), " are ", found, ", the keys of `verbalize` say ", wanted);
    }
  }
}

std::shared_ptr<Verbalizers> verbalizers_to_train(const Vlm& model, const std::filesystem::path& given,
                                                  const VerbalizerConfig& network, const std::vector<int64_t>& layers,
                                                  uint64_t seed) {
  if (!given.empty()) return load_verbalizers(model, given, layers);
  const auto verbalizers = Verbalizers::of(model, network, layers, seed);
  move_to(*verbalizers, model.device());
  return verbalizers;
}

std::shared_ptr<Verbalizers> load_verbalizers(const Vlm& model, const std::filesystem::path& directory,
                                              const std::vector<int64_t>& layers) {
  const auto verbalizers = Verbalizers::load(directory, model.config().text, BackboneFingerprint::of(model), layers);
  move_to(*verbalizers, model.device());
  return verbalizers;
}

}  // namespace vlsi
