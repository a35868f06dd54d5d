#include "test/bench/kube_scene.h"

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "libhsmops/base/encoding.h"
#include "test/support/paths.h"

namespace hsmops::bench {
namespace {

// What the tier's fixture requires, it requires of a benchmark too.
struct Fixture {
  doctest::Context context;
  Fixture() {
    context.setAsDefaultForAssertsOutOfTestCases();
    context.setAssertHandler([](const doctest::AssertData& assert) {
      if (assert.m_failed)
        Give(fmt::format("{}:{}: {}", assert.m_file, assert.m_line, assert.m_expr));
    });
  }
};

std::vector<std::string> AfterSetup(std::vector<std::string> nodes) {
  static const Fixture fixture;
  return nodes;
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

std::string ManifestOf(int from, int to) {
  nlohmann::json items = nlohmann::json::array();
  for (int i = from; i < to; ++i) {
    nlohmann::json secret{{"apiVersion", "v1"},
                          {"kind", "Secret"},
                          {"metadata", {{"name", fmt::format("bench-{}", i)}}}};
    for (const char* key : {"username", "password", "endpoint"})
      secret["data"][key] = base::Base64(base::ByteView(rng.Array<64>()));
    items.push_back(std::move(secret));
  }
  return nlohmann::json{{"apiVersion", "v1"}, {"kind", "List"}, {"items", std::move(items)}}.dump();
}

}  // namespace

KubeScene::KubeScene() : cluster_(AfterSetup({"a", "b"}), 1), there_(cluster_.network(), "client") {
  cluster_.ApplyDevice("{}");
  cluster_.Until({"health"}, 0, "payments: healthy; Primary a");
  auto config = Must(
      kube::ClientConfig::Find({.kubeconfig = cluster_.api().Kubeconfig("admin", kSystem)}, {}),
      "kubeconfig");
  client_ = Must(kube::RestClient::Open(std::move(config), {}, false, wall), "client");
  store_ = std::make_unique<kube::KubeResourceStore>(client_, wall);
  writer_ = std::make_unique<kube::SecretWriter>(*client_, wall, kube::kRequestTimeout);
}

void KubeScene::FillDevice(int secrets) {
  const std::string file = folder_ / "secrets.json";
  test::WriteText(file, ManifestOf(filled_, secrets));
  const test::Ended put =
      cluster_.Hsm({"--timeout", "5m", "--request-timeout", "60s", "put", "-f", file}, "owner");
  if (put.code != 0) Give("put: " + put.err);
  filled_ = secrets;
}

cluster::Object HsmSecret(const std::string& ns, const std::string& name) {
  return Must(
      cluster::Object::From(
          {{"apiVersion", "hsm.j5t.io/v1alpha1"},
           {"kind", "HSMSecret"},
           {"metadata", {{"name", name}, {"namespace", ns}}},
           {"spec",
            {{"hsmPath", name}, {"deviceRef", {{"name", "payments"}, {"namespace", kSystem}}}}}}),
      "an HSMSecret");
}

void KubeScene::Ask(const std::string& ns, int secrets) {
  (void)cluster_.KubectlAnywhere({"create", "namespace", ns});
  std::vector<base::Executor::Task> tasks;
  for (int i = 0; i < secrets; ++i)
    tasks.push_back([this, ns, i] {
      Must(store_->Create(HsmSecret(ns, fmt::format("bench-{}", i))), "creating an HSMSecret");
    });
  executor.RunAll(std::move(tasks));
}

std::vector<Cost> KubeScene::CostsOf(const std::vector<std::vector<std::string>>& commands,
                                     int runs) {
  std::vector<std::vector<double>> seconds(commands.size());
  std::vector<std::vector<double>> megabytes(commands.size());
  for (int run = 0; run <= runs; ++run) {
    for (std::size_t i = 0; i < commands.size(); ++i) {
      std::vector<std::string> launched = commands[i];
      launched.insert(launched.begin(), test::ProgramPath("launch"));
      std::istringstream said(cluster_.WithPluginOnPath(std::move(launched)).out);
      double took = 0;
      double kilobytes = 0;
      int code = -1;
      if (!(said >> took >> kilobytes >> code) || code != 0)
        Give(fmt::format("{} ended with {}", commands[i].front(), code));
      if (run == 0) continue;  // kubectl fills its cache
      seconds[i].push_back(took);
      megabytes[i].push_back(kilobytes / 1024);
    }
  }
  std::vector<Cost> costs;
  for (std::size_t i = 0; i < commands.size(); ++i)
    costs.push_back({Median(seconds[i]), Median(megabytes[i])});
  return costs;
}

Requests KubeScene::RequestsSoFar() {
  static const std::regex kLine(R"re(apiserver_request_total\{(.*)\} (\S+))re");
  static const std::regex kLabel(R"re((\w+)="([^"]*)")re");
  Requests requests;
  std::istringstream lines(cluster_.KubectlAnywhere({"get", "--raw", "/metrics"}));
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("apiserver_request_total{") || !std::regex_match(line, match, kLine))
      continue;
    std::map<std::string, std::string> labels;
    const std::string text = match[1];
    for (std::sregex_iterator at(text.begin(), text.end(), kLabel), end; at != end; ++at)
      labels[(*at)[1]] = (*at)[2];
    std::string resource = labels["resource"];
    if (!labels["subresource"].empty()) resource += "/" + labels["subresource"];
    requests[labels["verb"] + " " + resource] += std::stod(match[2]);
  }
  return requests;
}

}  // namespace hsmops::bench
