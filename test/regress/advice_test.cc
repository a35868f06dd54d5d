// Found by a new user: what a command says is the case, and the next step that it names works.
#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <vector>

#include "test/regress/regress_scene.h"

namespace hsmops::test {
namespace {

// The words behind "next: kubectl hsm --local DIR" of the first finding with this reason.
std::vector<std::string> NextStep(const RegressScene& scene, const std::string& reason) {
  const std::string health = scene.Hsm({"health"}).out;
  const std::string before = "next: kubectl hsm --local " + scene.cluster().folder() + " ";
  const std::size_t at = health.find(before, health.find(reason));
  REQUIRE_MESSAGE(at != std::string::npos, health);
  std::istringstream line(health.substr(at + before.size()));
  std::string text;
  std::getline(line, text);
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

}  // namespace

TEST_CASE("the next step that health names under a restored record is the way out") {
  for (const std::string later : {"b", "a"}) {
    CAPTURE(later);
    RegressScene scene({"a", "b", "c"});
    const std::string folder = scene.cluster().folder();
    scene.Put("x", "old");
    for (const char* part : {"/leases", "/status"})
      ReplaceFolder(folder + part, folder + "/.." + part);
    scene.Must({"promote", "--to", "b"});
    if (later == "a") scene.Must({"promote", "--to", "a"});
    scene.Put("x", "new");
    for (const char* part : {"/leases", "/status"})
      ReplaceFolder(folder + "/.." + part, folder + part);

    CHECK(scene.Hsm({"health"}).code == 3);
    HSM_CHECK_EXIT(scene.Hsm({"failover", "--to", "a"}), 5);
    std::vector<std::string> words = NextStep(scene, "EpochRegressed");
    CHECK(words == std::vector<std::string>{"failover", "--to", later, "--accept-loss"});
    words.emplace_back("--yes");
    HSM_CHECK_EXIT(scene.Hsm(words), 0);
    scene.Must({"sync"});
    CHECK(scene.Hsm({"health"}).code == 0);
    CHECK(scene.Value("x") == "new");
  }
}

TEST_CASE("a healthy Primary is not promoted again") {
  RegressScene scene({"a"});
  HSM_CHECK_EXIT(scene.Hsm({"failover", "--accept-loss", "--yes"}), 5);
  HSM_CHECK_EXIT(scene.Hsm({"promote", "--to", "a"}), 0);
  CHECK(scene.Look({}).epoch == 1);
}

TEST_CASE("health is critical while Strict durability refuses every write") {
  RegressScene scene({"a", "b"});
  scene.EditSpec("durability: Available", "durability: Strict");
  scene.Put("x", "kept");
  CHECK(scene.Hsm({"health"}).code == 0);
  scene.Gone({"b"});
  HSM_CHECK_EXIT(scene.TryPut("x", "refused"), 5);
  const Ended health = scene.Hsm({"health"});
  HSM_CHECK_EXIT(health, 3);
  CHECK(Says(health.out, "WritesRefused"));
}

TEST_CASE("a mirror that misses a write is named") {
  RegressScene scene({"a", "b", "c"});
  scene.plan("c").Set(kTakesNothing);
  const Ended put = scene.TryPut("x", "on a and b");
  HSM_CHECK_EXIT(put, 0);
  CHECK_MESSAGE(Says(put.err, "c did not confirm 1 of 1 writes"), put.err);
}

TEST_CASE("an empty value is refused wherever one can stand, and nothing is done") {
  RegressScene scene({"a", "b"});
  scene.Put("x", "kept");
  for (const auto& words : {std::vector<std::string>{"reinit", "--node", "b", "--yes", ""},
                            {"sync", ""},
                            {"list", "--device", ""},
                            {"list", "-o", ""},
                            {"list", "-n", ""},
                            {"list", "--timeout", ""},
                            {"put", "x", "--from-file", ""},
                            {"put", "-f", ""}}) {
    const Ended ended = scene.Hsm(words);
    CHECK_MESSAGE(ended.code == 2, words[0], " ", words[words.size() - 2], ": ", ended.err);
  }
}

TEST_CASE("a sync that leaves something damaged is not complete, though all agree in it") {
  RegressScene scene({"a", "b"});
  scene.Put("x", "lost on both");
  for (const char* node : {"a", "b"}) LoseNewestObject(scene.token(node));
  const Ended sync = scene.Hsm({"sync"});
  HSM_CHECK_EXIT(sync, 7);
  CHECK(Says(sync.err, "damaged"));
  CHECK(scene.Hsm({"get", "x"}).code == 1);
}

TEST_CASE("what is deleted is not listed while a mirror lags behind the deletion") {
  RegressScene scene({"a", "b"});
  scene.Put("x", "deleted");
  scene.Gone({"b"});
  scene.Must({"delete", "x", "--yes"});
  scene.Back({"b"});
  CHECK(scene.Hsm({"list", "-o", "name"}).out.empty());
}

TEST_CASE("a closed standard output is not written to in silence") {
  RegressScene scene({"a"});
  scene.PutWords("x", "v");
  const std::string command = CliPath() + " --local " + scene.cluster().folder() +
                              " put x --from-file k=" + scene.cluster().folder() + "/../value >&-";
  CHECK(Run({"sh", "-c", command}).code == 6);
  CHECK(scene.Value("x") == "v");
}

}  // namespace hsmops::test
