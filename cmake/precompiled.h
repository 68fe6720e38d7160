// What most source files that touch tensors need, compiled once. LibTorch's wider headers (torch/torch.h, torch/nn/module.h)
// would make every source file that reads this four times as slow.
#pragma once
#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>
