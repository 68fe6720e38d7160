// The operations of the stand-in device: memory, views and copies; every other one runs the CPU's on its memory.
#include <ATen/ATen.h>
#include <ATen/EmptyTensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/resize_native.h>
#include <ATen/ops/set_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>
#include <string_view>
#include <vector>

#include "tests/device/stand_in.h"
#include "tests/device/stand_in_memory.h"
#include "tests/device/stand_in_streams.h"

namespace vlsi::stand_in {
namespace {

std::atomic<int64_t> num_operations, num_copies_to_device, num_copies_beside, num_waits;

bool is_here(const at::Tensor& tensor) { return tensor.is_privateuseone(); }

at::Tensor empty(at::IntArrayRef size, std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                 std::optional<at::Device>, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, &allocator(), at::DispatchKeySet(at::DispatchKey::PrivateUse1),
                                   c10::dtype_or_default(dtype), format);
}

at::Tensor empty_strided(at::IntArrayRef size, at::IntArrayRef stride, std::optional<at::ScalarType> dtype,
                         std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, &allocator(), at::DispatchKeySet(at::DispatchKey::PrivateUse1),
                                           c10::dtype_or_default(dtype));
}

}  // namespace

at::Tensor on_host(const at::Tensor& tensor) {
  const auto options = tensor.options().device(at::kCPU).requires_grad(false);
  auto host = tensor.numel() == 0
                  ? at::empty_strided(tensor.sizes(), tensor.strides(), options)
                  : at::from_blob(readable(tensor.const_data_ptr()), tensor.sizes(), tensor.strides(), options);
  if (tensor.unsafeGetTensorImpl()->is_wrapped_number()) host.unsafeGetTensorImpl()->set_wrapped_number(true);
  return host;
}

at::Tensor to_device(const at::Tensor& host) {
  auto made = empty_strided(host.sizes(), host.strides(), host.scalar_type(), {}, {}, {});
  if (host.numel() > 0) on_host(made).copy_(host);
  return made;
}

namespace {

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool non_blocking) {
  ++(is_here(from) ? num_operations : num_copies_to_device);
  if (!is_here(from) && current_stream() != 0) ++num_copies_beside;
  const bool is_sent = is_here(to) && (from.numel() == 0 || (non_blocking && is_pinned(from.const_data_ptr())));
  if (is_here(from) != is_here(to) && !is_sent) ++num_waits;
  const auto target = is_here(to) ? on_host(to) : to;
  target.copy_(is_here(from) ? on_host(from) : from);
  return to;
}

at::Scalar local_scalar(const at::Tensor& tensor) {
  ++num_waits;
  return on_host(tensor).item();
}

/// Parameters may take over data of another device, as between the CPU and GPUs.
bool may_take_data_of(const at::Tensor& one, const at::Tensor& other) {
  const auto is_dense = [](const at::Tensor& x) { return x.layout() == at::kStrided && (x.is_cpu() || is_here(x)); };
  return is_dense(one) && is_dense(other);
}

/// Operations whose results, or their sizes, the host waits for.
bool waits(std::string_view name) {
  static constexpr std::string_view kNames[] = {"aten::equal", "aten::nonzero", "aten::masked_select", "aten::_unique2",
                                                "aten::bincount"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

/// Operations that take their indices from the CPU too.
bool takes_host_indices(std::string_view name) {
  return name == "aten::index" || name == "aten::index_put_" || name == "aten::_index_put_impl_";
}

/// A call of an operation: its arguments on the host, its results on the device.
class HostCall {
 public:
  HostCall(const c10::OperatorHandle& operation, torch::jit::Stack* stack)
      : schema_(operation.schema()),
        arguments_(torch::jit::last(*stack, schema_.arguments().size()).vec()),
        operation_(operation),
        stack_(stack) {}

  void run() {
    ++num_operations;
    if (waits(schema_.name())) ++num_waits;
    const size_t first = stack_->size() - arguments_.size();
    for (size_t i = 0; i < arguments_.size(); ++i) {
      const auto* alias = schema_.arguments()[i].alias_info();
      is_written_ = alias != nullptr && alias->isWrite();
      (*stack_)[first + i] = on_host(arguments_[i]);
    }
    operation_.redispatchBoxed(at::DispatchKeySet(at::DispatchKey::CPU), stack_);
    for (const auto& [own, host] : empty_results_) {
      if (host.sizes() == own.sizes()) continue;
      own.resize_(host.sizes());
      if (host.numel() > 0) stand_in::on_host(own).copy_(host);
    }
    const size_t first_result = stack_->size() - schema_.returns().size();
    for (size_t i = 0; i < schema_.returns().size(); ++i) {
      auto& result = (*stack_)[first_result + i];
      result = own_result(schema_.returns()[i], result);
    }
  }

 private:
  at::Tensor take(const at::Tensor& tensor, bool in_list) {
    if (!tensor.defined()) return tensor;
    if (!is_here(tensor)) {
      TORCH_CHECK((tensor.dim() == 0 && !in_list) || takes_host_indices(schema_.name()), "expected all tensors of ",
                  schema_.name(), " on ", device().str(), ", found one of sizes ", tensor.sizes(), " on ",
                  tensor.device().str());
      return tensor;
    }
    const auto host = stand_in::on_host(tensor);
    if (is_written_ && tensor.numel() == 0) empty_results_.emplace_back(tensor, host);
    const bool is_mask = tensor.scalar_type() == at::kBool || tensor.scalar_type() == at::kByte;
    if (in_list && is_mask && takes_host_indices(schema_.name())) ++num_waits;
    return host;
  }

  c10::IValue on_host(const c10::IValue& value) {
    if (value.isTensor()) return take(value.toTensor(), /*in_list=*/false);
    if (value.isDevice()) return at::Device(at::kCPU);
    if (value.isTensorList()) {
      c10::List<at::Tensor> list;
      for (const at::Tensor& tensor : value.toTensorVector()) list.push_back(take(tensor, /*in_list=*/true));
      return list;
    }
    if (value.isOptionalTensorList()) {
      c10::List<std::optional<at::Tensor>> list;
      for (const auto& tensor : value.toOptionalTensorVector()) {
        list.push_back(tensor ? std::optional(take(*tensor, /*in_list=*/true)) : std::nullopt);
      }
      return list;
    }
    return value;
  }

  /// The argument that the result is, or the result in the device's memory.
  c10::IValue own_result(const c10::Argument& declared, const c10::IValue& result) const {
    if (const auto* alias = declared.alias_info()) {
      TORCH_CHECK(alias->isWrite(), schema_.name(), " returns a view, which the stand-in device cannot make");
      for (size_t i = 0; i < arguments_.size(); ++i) {
        const auto* other = schema_.arguments()[i].alias_info();
        if (other != nullptr && *other == *alias) return arguments_[i];
      }
    }
    if (result.isTensor()) return result.toTensor().defined() ? to_device(result.toTensor()) : result;
    if (!result.isTensorList()) return result;
    c10::List<at::Tensor> list;
    for (const at::Tensor& tensor : result.toTensorVector()) list.push_back(to_device(tensor));
    return list;
  }

  const c10::FunctionSchema& schema_;
  const std::vector<c10::IValue> arguments_;
  const c10::OperatorHandle& operation_;
  torch::jit::Stack* const stack_;
  bool is_written_ = false;  // the argument that is being taken
  std::vector<std::pair<at::Tensor, at::Tensor>> empty_results_;
};

void run_on_host(const c10::OperatorHandle& operation, torch::jit::Stack* stack) { HostCall(operation, stack).run(); }

at::Tensor& set_to_storage(at::Tensor& tensor, at::Storage storage, int64_t offset, at::IntArrayRef size,
                           at::IntArrayRef stride) {
  return at::native::set_storage_cpu_(tensor, std::move(storage), offset, size, stride);
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", &empty);
  library.impl("empty_strided", &empty_strided);
  library.impl("as_strided", &at::native::as_strided_tensorimpl);
  library.impl("view", &at::native::view);
  library.impl("_reshape_alias", &at::native::_reshape_alias);
  library.impl("unfold", &at::native::unfold);
  library.impl("resize_", &at::native::resize_);
  library.impl("set_.source_Storage", static_cast<at::Tensor& (*)(at::Tensor&, at::Storage)>(&at::native::set_));
  library.impl("set_.source_Storage_storage_offset", &set_to_storage);
  library.impl("set_.source_Tensor", &at::native::set_tensor_);
  library.impl("_copy_from", &copy_from);
  library.impl("_local_scalar_dense", &local_scalar);
  library.impl("_has_compatible_shallow_copy_type", &may_take_data_of);
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&run_on_host>());
}

}  // namespace

Counts counts() { return {num_operations, num_copies_to_device, num_copies_beside, num_allocations(), num_waits}; }

}  // namespace vlsi::stand_in
