// Validation data under a run's limits.
#include "run/validate.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "family/family.h"
#include "tests/support/errors.h"
#include "tests/support/files.h"
#include "tests/support/initialize_vlm.h"

namespace vlsi {
namespace {

std::string answered(const std::string& answer) {
  return R"({"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": ")" + answer + "\"}]}\n";
}

TEST(Validation, LeavesOutSamplesThatAreTooLongOrStopsAtThem) {
  const std::filesystem::path tiny = VLSI_TEST_DATA "/tiny";
  const auto model = parse_model_config(read_json(tiny / "student.json"), "student.json");
  Speaker speaker;
  speaker.model = initialize_vlm(model, Initializer::kFanIn, /*seed=*/1);
  speaker.processor = family_of(model).make_processor(tiny / "tokenizer", model, SpecialText::kControl);
  const Folder folder;
  const auto data = [&](const std::string& records) {
    DataConfig config;
    config.validation = {{folder.write("data.jsonl", records), {}, 1}};
    config.sample_tokens = 200;
    return config;
  };
  const std::string shorter = answered("a circle"), longer = answered(std::string(600, 'x'));
  const auto expected = validate(speaker, data(shorter));
  auto config = data(shorter + longer);
  const std::vector<std::string> parts{"data.jsonl, record 2", "more than sample_tokens 200 allows"};
  expect_error([&] { validate(speaker, config); }, parts);
  config.on_error = OnError::kSkip;
  EXPECT_EQ(validate(speaker, config).value(), expected.value());
  config = data(longer + shorter);
  expect_error([&] { check_validation(*speaker.processor, config); }, {"data.jsonl, record 1", "sample_tokens 200"});
  config.sample_tokens = 4096;
  EXPECT_NO_THROW(check_validation(*speaker.processor, config));
}

}  // namespace
}  // namespace vlsi
