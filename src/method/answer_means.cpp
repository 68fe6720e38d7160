#include "method/answer_means.h"

#include <ATen/ATen.h>

#include "base/send.h"

namespace vlsi {

at::Tensor weighted(const at::Tensor& values, const Batch& batch) {
  return batch.label_weights.defined() ? values * send(batch.label_weights, values.device()) : values;
}

void add_answer_means(std::map<std::string, Mean>& means, const std::string& name, const at::Tensor& losses,
                      const Batch& batch, int32_t end_of_turn) {
  const auto is_word = batch.labels.ne(end_of_turn);
  const auto values = weighted(losses.detach(), batch);
  means[name] = {values.sum(-1), batch.sum_of_weights()};
  const auto weight = weighted(is_word, batch).sum();
  auto& words = means[name + "_words"];
  words.sum = (values * is_word).sum(-1);
  if (weight.is_cpu()) {
    words.weight = weight.item<double>();
  } else {
    words.weight_there = weight;
  }
}

}  // namespace vlsi
