#include "method/answer_means.h"

#include <ATen/ATen.h>

namespace vlsi {

at::Tensor weighted(const at::Tensor& values, const Batch& batch) {
  return batch.label_weights.defined() ? values * batch.label_weights : values;
}

void add_answer_means(std::map<std::string, Mean>& means, const std::string& name, const at::Tensor& losses,
                      const Batch& batch, int32_t end_of_turn) {
  const auto is_word = batch.labels.ne(end_of_turn);
  const auto values = weighted(losses.detach(), batch);
  means[name] = {values.sum(-1), batch.sum_of_weights()};
  means[name + "_words"] = {(values * is_word).sum(-1), weighted(is_word, batch).sum().item<double>()};
}

}  // namespace vlsi
