// What kubectl completes for `kubectl hsm`, through the real one, and that it finds the plugin.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <sstream>

#include "test/kube/kube_cluster.h"

namespace hsmops::test {
namespace {

using Words = std::vector<std::string>;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

Words Lines(const std::string& text) {
  Words lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// A device "payments" of two nodes with two secrets and an operation, for a person at kubectl.
struct Scene {
  KubeCluster cluster{{"a", "b"}, 1};
  milliseconds took{0};
  std::string said;  // on standard error, without what kubectl says itself

  Scene() {
    cluster.ApplyDevice();
    cluster.Until({"health"}, 0, "payments: healthy; Primary a");
    for (const char* const name : {"app/db", "web"})
      REQUIRE(cluster.HsmWith("v", {"put", name, "--stdin-key", "k"}).code == 0);
    REQUIRE(cluster.Hsm({"sync"}).code == 0);
  }

  // The lines before cobra's directive, with that as the last.
  Words Complete(Words words, const std::string& user = "operator") {
    words.insert(words.begin(), {"__complete", "hsm"});
    const auto began = steady_clock::now();
    const Ended ended = cluster.WithPlugin(std::move(words), user);
    took = std::chrono::duration_cast<milliseconds>(steady_clock::now() - began);
    CHECK(ended.code == 0);
    said.clear();
    for (const std::string& line : Lines(ended.err)) {
      if (!line.empty() && !line.starts_with("[Debug] ") && !line.starts_with("Completion ended "))
        said += line + "\n";
    }
    return Lines(ended.out);
  }
};

bool Has(const Words& words, const std::string& word) {
  return std::ranges::find(words, word) != words.end();
}

const Words kNothing{":4"};
// What a completion may take, and what kubectl and the machine do besides.
constexpr milliseconds kLimit{2000 + 1000};

}  // namespace

TEST_CASE("kubectl completes what is in the cluster, by its live API and its kubeconfig") {
  Scene scene;
  CHECK(Has(scene.Complete({""}), "health"));
  CHECK(scene.Complete({"prom"}) == Words{"promote", ":4"});
  CHECK(Has(scene.Complete({"sync", "--f"}), "--full"));
  CHECK(scene.Complete({"health", ""}) == Words{"payments", ":4"});
  CHECK(scene.Complete({"list", "--device", ""}) == Words{"payments", ":4"});
  CHECK(scene.Complete({"promote", "--to", ""}) == Words{"a", "b", ":4"});
  CHECK(scene.Complete({"promote", "payments", "--to="}) == Words{"--to=a", "--to=b", ":4"});
  CHECK(scene.Complete({"promote", "other", "--to", ""}) == kNothing);
  CHECK(scene.Complete({"diff", "a", ""}) == Words{"a", "b", ":4"});
  CHECK(scene.Complete({"get", ""}) == Words{"app/db", "web", ":4"});
  CHECK(scene.Complete({"--device", "payments", "sync", "--secret", "w"}) == Words{"web", ":4"});
  CHECK(scene.Complete({"--device=other", "get", ""}) == kNothing);
  CHECK(scene.Complete({"--context", ""}) == Words{"test", ":4"});
  CHECK(scene.Complete({"list", "--context="}) == Words{"--context=test", ":4"});
  const Words operations = scene.Complete({"operation", "wait", ""});
  CHECK_MESSAGE(operations.size() == 2, operations.front());
  const Words spaces = scene.Complete({"health", "-n", ""}, "admin");
  CHECK(Has(spaces, "hsm-system"));
  CHECK(Has(spaces, "default"));
  CHECK(scene.said.empty());
}

TEST_CASE("kubectl completes to nothing, in silence and soon, what cannot be had") {
  Scene scene;
  const auto nothing = [&](Words words, const std::string& user = "operator") {
    const std::string what = words.front();
    CHECK_MESSAGE(scene.Complete(std::move(words), user) == kNothing, what);
    CHECK_MESSAGE(scene.said.empty(), what, ": ", scene.said);
    CHECK_MESSAGE(scene.took < kLimit, what, ": ", scene.took.count());
  };
  nothing({"health", "-n", ""});  // an operator may not list namespaces
  nothing({"get", ""}, "alice");
  nothing({"--kubeconfig", "/nowhere", "get", ""});
  nothing({"--context", "other", "promote", "--to", ""});
  nothing({"--token", "wrong", "get", ""});
  TempFolder folder;
  REQUIRE(mkfifo((folder / "config").c_str(), 0600) == 0);
  nothing({"--kubeconfig", folder / "config", "health", ""});
  const std::string plugin = folder / "plugin";
  WriteText(plugin, "#!/bin/sh\necho I ask >&2\nexec /bin/sleep 60\n");
  std::filesystem::permissions(plugin, std::filesystem::perms::owner_all);
  WriteText(folder / "asks", fmt::format(R"(apiVersion: v1
kind: Config
users: [{{name: u, user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, command: {}}}}}}}]
)",
                                         plugin));
  nothing({"--kubeconfig", folder / "asks", "--server", scene.cluster.api().url(), "--user", "u",
           "--insecure-skip-tls-verify", "health", ""});
  scene.cluster.network().Cut({"client"}, {"api"});
  for (const Words& words : {Words{"health", ""}, Words{"get", ""}, Words{"operation", "wait", ""},
                             Words{"promote", "--to", ""}, Words{"list", "-n", ""}})
    nothing(words);
  CHECK(scene.Complete({"prom"}) == Words{"promote", ":4"});
}

TEST_CASE(
    "kubectl finds the plugin and warns of nothing; its verbs, streams and codes go through") {
  KubeCluster cluster({"a"}, 0);
  const Ended list = cluster.WithPlugin({"plugin", "list"});
  CHECK_MESSAGE(list.code == 0, list.err);
  CHECK_MESSAGE(list.out.find("/kubectl-hsm") != std::string::npos, list.out);
  CHECK_MESSAGE((list.out + list.err).find("arning") == std::string::npos, list.out, list.err);
  const Ended none = cluster.WithPlugin({"hsm", "health"});
  CHECK(none.code == 4);
  CHECK(none.out.empty());
  CHECK_MESSAGE(none.err.starts_with("error: no HSMDevice in namespace hsm-system"), none.err);
  cluster.ApplyDevice();
  const Ended critical = cluster.WithPlugin({"hsm", "health"}, "viewer");
  CHECK(critical.code == 3);
  CHECK_MESSAGE(critical.out.starts_with("payments: critical"), critical.out, critical.err);
}

}  // namespace hsmops::test
