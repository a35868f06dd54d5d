// Found by review: demo down removed the whole folder, with what had been in it before demo up and
// the devices that others had put there.
#include <doctest/doctest.h>

#include <filesystem>
#include <set>
#include <string>

#include "test/regress/regress_scene.h"

namespace hsmops::test {
namespace {

namespace fs = std::filesystem;

struct DemoScene {
  TempFolder temp;
  LocalCluster cluster{temp.path() + "/demo"};

  Ended Up() const { return cluster.Hsm({"demo", "up"}); }
  Ended Down() const { return cluster.Hsm({"demo", "down", "--yes"}); }
  // Everything in the folder, however deep.
  std::set<std::string> Paths() const {
    std::set<std::string> paths;
    for (const auto& entry : fs::recursive_directory_iterator(cluster.folder()))
      paths.insert(fs::relative(entry.path(), cluster.folder()).string());
    return paths;
  }
};

}  // namespace

TEST_CASE("demo up takes a new or an empty folder, and demo down leaves nothing of it") {
  for (const bool there : {false, true}) {
    DemoScene demo;
    if (there) fs::create_directory(demo.cluster.folder());
    HSM_REQUIRE_EXIT(demo.Up(), 0);
    HSM_CHECK_EXIT(demo.cluster.Hsm({"promote", "--to", "worker-2"}), 0);
    const Ended down = demo.Down();
    HSM_CHECK_EXIT(down, 0);
    CHECK(!fs::exists(demo.cluster.folder()));
  }
}

TEST_CASE("demo up refuses a folder that holds something") {
  DemoScene demo;
  fs::create_directory(demo.cluster.folder());
  WriteText(demo.cluster.folder() + "/notes", "mine");
  const Ended up = demo.Up();
  HSM_CHECK_EXIT(up, 5);
  CHECK_MESSAGE(Says(up.err, "empty"), up.err);
  CHECK(demo.Paths() == std::set<std::string>{"notes"});

  fs::remove(demo.cluster.folder() + "/notes");
  HSM_REQUIRE_EXIT(demo.Up(), 0);
  const Ended twice = demo.Up();
  HSM_CHECK_EXIT(twice, 5);
  CHECK_MESSAGE(Says(twice.err, "demo down"), twice.err);
}

TEST_CASE("demo down keeps what it did not make") {
  DemoScene demo;
  HSM_REQUIRE_EXIT(demo.Up(), 0);
  const std::set<std::string> mine{"notes", "tokens/default.local/worker-1/notes",
                                   "tokens/other/softhsm2.conf", "hsmsecrets/mine.yaml"};
  for (const std::string& path : mine) {
    fs::create_directories(fs::path(demo.cluster.folder() + "/" + path).parent_path());
    WriteText(demo.cluster.folder() + "/" + path, "kind: ConfigMap\n");
  }
  const Ended down = demo.Down();
  HSM_CHECK_EXIT(down, 0);
  CHECK_MESSAGE(Says(down.out, "notes"), down.out);
  std::set<std::string> files;
  for (const std::string& path : demo.Paths()) {
    if (!fs::is_directory(demo.cluster.folder() + "/" + path)) files.insert(path);
  }
  CHECK(files == mine);
}

TEST_CASE("demo down refuses a folder with another device") {
  DemoScene demo;
  HSM_REQUIRE_EXIT(demo.Up(), 0);
  HSM_REQUIRE_EXIT(demo.cluster.Hsm({"--device", "payments", "init", "--nodes", "a"}), 0);
  const std::set<std::string> before = demo.Paths();
  const Ended down = demo.Down();
  HSM_CHECK_EXIT(down, 5);
  CHECK_MESSAGE(Says(down.err, "payments"), down.err);
  CHECK(demo.Paths() == before);
}

}  // namespace hsmops::test
