#include "base/hub_cache.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/files.h"

namespace vlsi {
namespace hub_cache_test {
namespace {

namespace fs = std::filesystem;

class HubCacheTest : public testing::Test {
 protected:
  HubCacheTest() {
    for (const char* name : kSettings) ::unsetenv(name);
    ::setenv("HF_HOME", home_.path().c_str(), 1);
  }
  ~HubCacheTest() override {
    for (const char* name : kSettings) ::unsetenv(name);
  }
  /// A file as the hub's programs keep it: a blob, and a link to it in the snapshot.
  void add(const std::string& repository, const std::string& commit, const std::string& name) {
    const auto folder = home_ / "hub" / repository;
    write_text(folder / "blobs" / name, name);
    fs::create_directories(folder / "snapshots" / commit);
    fs::create_symlink("../../blobs/" + name, folder / "snapshots" / commit / name);
    write_text(folder / "refs/main", commit);
  }

  static constexpr const char* kSettings[] = {"HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"};
  const Folder home_;
};

TEST_F(HubCacheTest, IsWhereTheHubsProgramsHaveIt) {
  EXPECT_EQ(hub_cache(), home_ / "hub");
  ::setenv("HF_HUB_CACHE", "~/models", 1);
  EXPECT_EQ(hub_cache(), fs::path(std::getenv("HOME")) / "models");
  ::unsetenv("HF_HUB_CACHE");
  ::unsetenv("HF_HOME");
  ::setenv("XDG_CACHE_HOME", "/caches", 1);
  EXPECT_EQ(hub_cache(), "/caches/huggingface/hub");
  ::unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(hub_cache(), fs::path(std::getenv("HOME")) / ".cache/huggingface/hub");
}

TEST_F(HubCacheTest, FindsANameByItsRefs) {
  add("models--Qwen--Qwen2-VL-7B-Instruct", "c0ffee", "config.json");
  const auto snapshot = home_ / "hub" / "models--Qwen--Qwen2-VL-7B-Instruct/snapshots/c0ffee";
  EXPECT_EQ(model_directory("Qwen/Qwen2-VL-7B-Instruct"), snapshot);
  EXPECT_EQ(model_directory("Qwen/Qwen2-VL-7B-Instruct@c0ffee"), snapshot);
  EXPECT_EQ(hub_name_of(snapshot), "Qwen/Qwen2-VL-7B-Instruct");
  EXPECT_EQ(hub_name_of(snapshot / ""), "Qwen/Qwen2-VL-7B-Instruct");
  EXPECT_EQ(hub_name_of(home_.path()), std::nullopt);
  EXPECT_EQ(find_in_hub_cache("Qwen/Qwen2-VL-7B-Instruct", HubKind::kDataset), std::nullopt);
}

TEST_F(HubCacheTest, LeavesPathsAsTheyAre) {
  const Folder folder;
  folder.write("a/b/config.json", "{}");
  for (const fs::path& path : {folder / "a/b", fs::path("model"), fs::path("../a/b"), fs::path("/none/at/all")}) {
    EXPECT_EQ(model_directory(path), path);
  }
}

TEST_F(HubCacheTest, SaysHowToGetWhatIsNotThere) {
  const auto message = [](const char* name) { return message_of([&] { model_directory(name); }); };
  EXPECT_EQ(message("Qwen/Qwen2-VL-7B-Instruct"),
            "there is no model Qwen/Qwen2-VL-7B-Instruct, and " + (home_ / "hub").string() +
                " has no Qwen/Qwen2-VL-7B-Instruct; a model of the hub is got with: "
                "hf download Qwen/Qwen2-VL-7B-Instruct");
  add("models--org--name", "abc", "config.json");
  expect_error([] { model_directory("org/name@v2"); },
               {"has no revision 'v2' of org/name; get it with: hf download org/name --revision v2"});
  expect_error([] { find_in_hub_cache("org/name/part", HubKind::kModel); },
               {"has no part; get it with: hf download org/name"});
}

TEST_F(HubCacheTest, RefusesALinkToABlobThatIsNotThere) {
  add("models--org--name", "abc", "config.json");
  add("models--org--name", "abc", "model.safetensors");
  fs::remove(home_ / "hub" / "models--org--name/blobs/model.safetensors");
  expect_error([] { model_directory("org/name"); },
               {"model.safetensors is a link to a blob that is not in the cache; get it again with: "
                "hf download org/name"});
  fs::remove(home_ / "hub" / "models--org--name/refs/main");
  expect_error([] { model_directory("org/name"); }, {"has no revision 'main'"});
}

}  // namespace
}  // namespace hub_cache_test
}  // namespace vlsi
