// What a model loses in fewer bits.
//   quantization_accuracy DIRECTORY DATA IMAGES RECORDS float32|bfloat16
// Prints one JSON object: for int8 and int4 the mean KL against the model as it is, in nats, over the answer positions
// of the first records; the mean and the largest change of their labels' log-probability; and the memory of the
// decoder's linear maps, in bytes, beside that of the weights as they are.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <iostream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "checkpoint/load.h"
#include "checkpoint/picture_features.h"
#include "data/one_pass.h"
#include "family/family.h"
#include "model/linear.h"
#include "model/quantize.h"
#include "plan/model_sizes.h"

namespace {

using namespace vlsi;

/// Log-probabilities [N, V] at the answer positions.
at::Tensor logprobs_of(const Vlm& model, const std::vector<Batch>& batches) {
  std::vector<at::Tensor> rows;
  KeptPictureFeatures pictures;
  for (const auto& batch : batches) rows.push_back(model.forward(batch, {}, &pictures).final_rows);
  return at::linear(at::cat(rows).to(at::kFloat), model.head().to(at::kFloat)).log_softmax(-1);
}

std::vector<Batch> batches_of(const RecordFile& file, const Processor& processor, int64_t num_records) {
  std::vector<Batch> batches;
  for (int64_t i = 0; i < std::min(num_records, file.size()); ++i) {
    batches.push_back(pack({processor.encode(file.read(i))}));
  }
  return batches;
}

OrderedJson measure(const std::filesystem::path& directory, const RecordFile& file, int64_t num_records,
                    at::ScalarType dtype) {
  at::NoGradGuard no_grad;
  const auto batches = batches_of(file, *load_processor(directory), num_records);
  std::vector<at::Tensor> labels;
  for (const auto& batch : batches) labels.push_back(batch.labels);
  const auto chosen = at::cat(labels).to(at::kLong).unsqueeze(1);
  const auto as_it_is = logprobs_of(*load_vlm(directory, dtype), batches);
  const auto sizes = read_model_sizes(directory, dtype);
  OrderedJson found{{"positions", chosen.size(0)}, {"bytes", sizes.map_bytes(Quantization::kNone)}};
  for (const auto kind : {Quantization::kInt8, Quantization::kInt4}) {
    const auto model = load_vlm(directory, dtype);
    quantize(*model, kind);
    const auto logprobs = logprobs_of(*model, batches);
    const auto kl = (as_it_is.exp() * (as_it_is - logprobs)).sum(-1);
    const auto change = (logprobs.gather(1, chosen) - as_it_is.gather(1, chosen)).abs();
    found[text_of(kind)] = {{"kl", kl.mean().item<double>()},
                            {"label_change", change.mean().item<double>()},
                            {"largest_label_change", change.max().item<double>()},
                            {"bytes", sizes.map_bytes(kind)}};
  }
  return found;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::cerr << "quantization_accuracy: expected a directory, a data file, pictures, records and a dtype\n";
    return 2;
  }
  try {
    const auto dtype = std::string(argv[5]) == "float32" ? at::kFloat : at::kBFloat16;
    const RecordFile file(argv[2], argv[3]);
    std::cout << measure(argv[1], file, std::stoll(argv[4]), dtype).dump(2) << "\n";
  } catch (const Error& error) {
    std::cerr << error.what() << "\n";
    return 2;
  }
}
