#include "test/net/net_cluster.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <fstream>
#include <thread>

namespace hsmops::test {

namespace {

// What a process says behind "listening on ".
std::string AddressOf(Process& process) {
  REQUIRE_MESSAGE(process.WaitFor("listening on ", std::chrono::seconds(30)), process.err());
  REQUIRE_MESSAGE(process.WaitFor("\n"), process.err());
  const std::string& said = process.err();
  const std::string mark = "listening on ";
  const std::size_t at = said.find(mark) + mark.size();
  return said.substr(at, said.find('\n', at) - at);
}

}  // namespace

NetCluster::NetCluster(const std::vector<std::string>& nodes, int managers) {
  Must({"certs", "init"});
  std::vector<std::string> init{"init"};
  for (const std::string& node : nodes) {
    Must({"certs", "issue", "--member", node});
    agents_[node].token = &tokens_.Add(node);
    StartAgent(node);
    init.insert(init.end(),
                {"--member", fmt::format("{}=https://{}", node, agents_[node].address)});
  }
  Must(init);
  for (int i = 1; i <= managers; ++i) {
    Must({"certs", "issue", "--manager", fmt::format("manager-{}", i)});
    StartManager(i);
  }
}

void NetCluster::StartAgent(const std::string& node) {
  Agent_& agent = agents_.at(node);
  const std::string certs = folder() + "/certs/member-" + node;
  agent.process = std::make_unique<Process>(std::vector<std::string>{
      CliPath(), "agent", "--token", agent.token->uri(), "--state",
      folder_.path() + "/state-" + node, "--listen",
      agent.address.empty() ? "127.0.0.1:0" : agent.address, "--ca", certs + "/ca.crt", "--cert",
      certs + "/tls.crt", "--key", certs + "/tls.key"});
  agent.address = AddressOf(*agent.process);
}

void NetCluster::StartManager(int number) {
  const std::string certs = fmt::format("{}/certs/manager-manager-{}", folder(), number);
  managers_[number] = std::make_unique<Process>(
      std::vector<std::string>{CliPath(), "--local", folder(), "manager", "--ca", certs + "/ca.crt",
                               "--cert", certs + "/tls.crt", "--key", certs + "/tls.key"});
  AddressOf(*managers_[number]);
}

Ended NetCluster::Hsm(std::vector<std::string> words, std::chrono::milliseconds limit) {
  words.insert(words.begin(), {CliPath(), "--local", folder()});
  return Run(std::move(words), {}, limit);
}

std::string NetCluster::Must(std::vector<std::string> words) {
  const std::string verb = words.front();
  const Ended ended = Hsm(std::move(words));
  REQUIRE_MESSAGE(ended.code == 0, verb << " ended with " << ended.code << ": " << ended.err);
  return ended.out;
}

bool NetCluster::Becomes(const std::vector<std::string>& words, const std::string& text) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(40);
  while (std::chrono::steady_clock::now() < until) {
    const Ended ended = Hsm(words);
    if (ended.out.find(text) != std::string::npos) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  return false;
}

std::string NetCluster::Value(const std::string& name) {
  const Ended ended = Hsm({"get", name, "--key", "k", "--raw"});
  return ended.code == 0 ? ended.out : fmt::format("exit {}: {}", ended.code, ended.err);
}

}  // namespace hsmops::test
