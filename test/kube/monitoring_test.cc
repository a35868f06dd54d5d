// The alerts of manifests/monitoring against the pages of real agents and managers. What the rules
// make of series is promtool's to say: test/kube/alerts.
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "libhsmops/cluster/yaml.h"
#include "test/kube/kube_cluster.h"
#include "test/kube/shared_server.h"
#include "test/support/paths.h"

namespace hsmops::test {
namespace {

nlohmann::json AlertRules() {
  const auto object =
      cluster::ParseYaml(ReadText(TestFolder() + "/../manifests/monitoring/rules.yaml"));
  REQUIRE_MESSAGE(object.ok(), object.error().message());
  return object->at("spec").at("groups").at(0).at("rules");
}

std::vector<std::string> ScrapeDocuments() {
  const std::string text = ReadText(TestFolder() + "/../manifests/monitoring/scrape.yaml");
  const std::string between = "\n---\n";
  std::vector<std::string> documents;
  for (std::size_t from = 0; from != std::string::npos;) {
    const std::size_t to = text.find(between, from);
    documents.push_back(text.substr(from, to == std::string::npos ? to : to - from));
    from = to == std::string::npos ? to : to + between.size();
  }
  return documents;
}

std::vector<std::vector<std::string>> AllMatches(const std::string& text, const std::regex& what) {
  std::vector<std::vector<std::string>> all;
  for (std::sregex_iterator at(text.begin(), text.end(), what), end; at != end; ++at)
    all.emplace_back(at->begin(), at->end());
  return all;
}

// `hsm_secrets state="full"` for each series, label and value that a rule asks for, also by what is
// recorded of it.
std::set<std::string> AskedFor() {
  const std::regex series(R"(\b(hsm_[a-z0-9_]+|hsm:[a-z0-9_:]+|leader)\b(\{[^}]*\})?)");
  const std::regex matcher(R"re(([a-z]+)(=|=~|!=)"([^"]*)")re");
  std::set<std::string> asked;
  std::map<std::string, std::string> recorded;
  for (const auto& rule : AlertRules()) {
    for (const auto& one : AllMatches(rule.at("expr"), series)) {
      const std::string name = recorded.contains(one[1]) ? recorded.at(one[1]) : one[1];
      if (rule.contains("record")) recorded.try_emplace(rule.at("record"), name);
      asked.insert(name);
      for (const auto& label : AllMatches(one[2], matcher)) {
        // Prometheus' own; and what an agent's series do not have.
        if (label[1] == "job" || label[3].empty() || label[2] == "!=") continue;
        std::istringstream values(label[3]);
        for (std::string value; std::getline(values, value, '|');)
          asked.insert(name + " " + label[1] + "=\"" + value + "\"");
      }
    }
  }
  return asked;
}

bool IsOn(const std::string& pages, const std::string& asked) {
  const std::string name = asked.substr(0, asked.find(' '));
  const std::string label = name == asked ? "" : asked.substr(name.size() + 1);
  std::istringstream lines(pages);
  for (std::string line; std::getline(lines, line);) {
    const bool its = line.starts_with(name + "{") || line.starts_with(name + " ");
    if (its && line.find(label) != std::string::npos) return true;
  }
  return false;
}

// The manager's page as soon as it has that; it is a second behind.
std::string PageWith(KubeCluster& cluster, const std::string& text) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (;;) {
    std::string page = cluster.Metrics(1);
    if (page.find(text) != std::string::npos) return page;
    REQUIRE_MESSAGE(std::chrono::steady_clock::now() < limit, text, " is not on: ", page);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

}  // namespace

TEST_CASE(
    "each ServiceMonitor has a headless Service with its labels and port, which can be applied") {
  std::vector<nlohmann::json> services;
  std::vector<nlohmann::json> monitors;
  for (const std::string& text : ScrapeDocuments()) {
    const auto document = cluster::ParseYaml(text);
    REQUIRE_MESSAGE(document.ok(), document.error().message());
    (document->at("kind") == "Service" ? services : monitors).push_back(*document);
    if (document->at("kind") != "Service") continue;
    SharedServer& shared = SharedServer::The();
    const Network::Visit there(shared.network, "client");
    shared.server.Must({"apply", "--validate=strict", "-f", "-"}, text);
  }
  CHECK(monitors.size() == 2);
  for (const auto& monitor : monitors) {
    CAPTURE(monitor.dump());
    const auto& wanted = monitor.at("spec").at("selector").at("matchLabels");
    const auto its = std::ranges::find_if(services, [&](const nlohmann::json& service) {
      return service.at("metadata").at("labels") == wanted;
    });
    REQUIRE(its != services.end());
    CHECK(its->at("spec").at("clusterIP") == "None");
    CHECK(its->at("spec").at("ports").at(0).at("name") ==
          monitor.at("spec").at("endpoints").at(0).at("port"));
  }
}

TEST_CASE("each series, label and value that an alert asks for is on a page") {
  KubeCluster cluster({"a", "b"}, 1);
  cluster.ApplyDevice();
  cluster.Until({"health"}, 0, "payments: healthy; Primary a");
  std::string pages = cluster.Metrics("a") + PageWith(cluster, "hsm_divergence{");
  cluster.Agent("a").Signal(SIGKILL);
  cluster.Until({"history"}, 0, "Failover");
  pages += PageWith(cluster, "hsm_failover_total{");
  const std::set<std::string> asked = AskedFor();
  CHECK(asked.size() > 25);
  for (const std::string& one : asked) CHECK_MESSAGE(IsOn(pages, one), one);
}

TEST_CASE("each alert says how bad it is, what is wrong, and which command comes next") {
  int alerts = 0;
  const std::regex command(R"(kubectl hsm (?:-n \S+ [^ ]+ \}\} |--local DIR )?([a-z]+))");
  for (const auto& rule : AlertRules()) {
    if (!rule.contains("alert")) continue;
    ++alerts;
    const std::string name = rule.at("alert");
    CAPTURE(name);
    const std::string severity = rule.at("labels").at("severity");
    CHECK((severity == "critical" || severity == "warning"));
    CHECK(rule.contains("for"));
    CHECK(!rule.at("annotations").at("summary").get<std::string>().empty());
    const std::string description = rule.at("annotations").at("description");
    CHECK(description.find("docs/operations.md, " + name + ".") != std::string::npos);
    std::smatch verb;
    REQUIRE_MESSAGE(std::regex_search(description, verb, command), description);
    CHECK_MESSAGE(Run({CliPath(), verb[1], "--help"}).code == 0, verb[1].str());
  }
  CHECK(alerts > 20);
}

}  // namespace hsmops::test
